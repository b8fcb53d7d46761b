import type { JsonObject } from '../foundation/json.ts'
import type { SessionLink, Unsolicited } from './link.ts'
import type { Flight } from './sink.ts'

export type HearingParts = {
  readonly to: Unsolicited
  /** The session as it is, or as it will be once it is open again. */
  link(): SessionLink | Promise<SessionLink>
  ended(): void
}

const firstWaitMs = 500
const longestWaitMs = 30_000
/** A stream that lasted this long was well. */
const healthyMs = 10_000

/** One stream of unasked messages to a client, kept open over whatever happens to the upstream's own. */
export class Hearing implements Unsolicited, Flight {
  readonly #parts: HearingParts
  #flight: Flight | undefined
  #timer: NodeJS.Timeout | undefined
  #openedAt = 0
  #lostAt = Number.NEGATIVE_INFINITY
  #waitMs = firstWaitMs
  #retryMs = 0
  #lastEventId: string | undefined
  /** Tells the streams of before from the present one. */
  #turn = 0
  #isOver = false

  constructor(parts: HearingParts) {
    this.#parts = parts
  }

  open(lastEventId: string | undefined): void {
    this.#lastEventId = lastEventId
    this.#connect()
  }

  /** The session is lost: what was open is of no use, and what is opened next begins anew. */
  again(): void {
    const now = performance.now()
    // It is there again, so there is no need to wait as for one that is not; unless it loses session after session.
    if (now - this.#lostAt > 2 * longestWaitMs) this.#waitMs = firstWaitMs
    this.#lostAt = now
    this.#lastEventId = undefined
    this.#drop()
    this.#later()
  }

  /** The session is open again. */
  now(): void {
    if (this.#isOver || this.#flight !== undefined) return
    clearTimeout(this.#timer)
    this.#connect()
  }

  tell(message: JsonObject): void {
    if (!this.#isOver) this.#parts.to.message(Buffer.from(JSON.stringify(message)), message)
  }

  message(bytes: Buffer, message: JsonObject, eventId?: string): void {
    this.#note(eventId, undefined)
    this.#parts.to.message(bytes, message)
  }

  answer(bytes: Buffer, answer: JsonObject, eventId?: string): void {
    this.#note(eventId, undefined)
    this.#parts.to.answer(bytes, answer)
  }

  priming(eventId: string | undefined, retry: string | undefined): void {
    this.#note(eventId, retry)
  }

  ended(): void {
    this.#drop()
    if (performance.now() - this.#openedAt > healthyMs) this.#waitMs = firstWaitMs
    this.#later()
  }

  pause(): void {
    this.#flight?.pause()
  }

  resume(): void {
    this.#flight?.resume()
  }

  abort(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#drop()
    this.#parts.ended()
  }

  #note(eventId: string | undefined, retry: string | undefined): void {
    if (eventId !== undefined) this.#lastEventId = eventId === '' ? undefined : eventId
    if (retry !== undefined) this.#retryMs = Math.min(Number(retry), longestWaitMs)
  }

  #drop(): void {
    this.#turn++
    this.#flight?.abort()
    this.#flight = undefined
  }

  // Many clients lose a server at the same moment, and should not all come back at the next.
  #later(): void {
    if (this.#isOver) return
    clearTimeout(this.#timer)
    const wait = Math.max(this.#retryMs, this.#waitMs * (0.5 + Math.random() / 2))
    this.#waitMs = Math.min(longestWaitMs, this.#waitMs * 2)
    this.#timer = setTimeout(() => this.#connect(), wait).unref()
  }

  #connect(): void {
    const link = this.#parts.link()
    if (!(link instanceof Promise)) return this.#listen(link)
    const turn = ++this.#turn
    link.then(
      opened => turn === this.#turn && this.#listen(opened),
      () => turn === this.#turn && this.#later(),
    )
  }

  #listen(link: SessionLink): void {
    if (this.#isOver) return
    this.#turn++
    this.#openedAt = performance.now()
    this.#flight = link.listen(this, this.#lastEventId)
  }
}
