import { isObject, type JsonObject } from '../foundation/json.ts'
import type { Flight, Unsolicited } from '../upstreams/index.ts'
import type { Exchange } from './exchange.ts'
import { beginEvents, frame, primingFrame } from './frame.ts'
import { serverRequests } from './methods.ts'
import type { Reply } from './reply.ts'
import { isTooFarBehind, watchReading } from './send-json.ts'
import type { OpenStream } from './streams.ts'

export type FollowOptions = {
  listChanged(): void
  /** May the client hear of this at all? */
  mayHear(method: string): boolean
  /** The session's own request that has this id upstream. */
  reply(upstreamId: number): Reply | undefined
  /** The session is in use as long as its stream is. */
  used(): void
  ended(): void
}

/** The GET stream of one session: what its server says unasked, what it still owes, and nothing of anybody else. */
export class Follow implements Unsolicited, OpenStream {
  seat: number | undefined
  readonly exchange: Exchange
  readonly isLasting = true
  readonly #options: FollowOptions
  #flight: Flight | undefined
  #isOver = false
  #isPaused = false

  constructor(exchange: Exchange, options: FollowOptions) {
    this.exchange = exchange
    this.#options = options
    exchange.response.on('close', () => this.end())
  }

  open(listen: (to: Unsolicited) => Flight): void {
    if (this.exchange.response.destroyed) this.end()
    // It may have ended before it began, and been noted only since.
    if (this.#isOver) return this.#options.ended()
    beginEvents(this.exchange.response).flushHeaders()
    this.#flight = listen(this)
    if (this.#isOver) this.#flight.abort()
  }

  message(bytes: Buffer, message: JsonObject, eventId?: string): void {
    const passed = this.#passed(bytes, message)
    if (passed === undefined) return
    this.#options.used()
    this.#write(frame(passed, eventId))
  }

  answer(bytes: Buffer, answer: JsonObject, eventId?: string): void {
    const reply = this.#replyTo(answer.id)
    reply?.answerElsewhere(bytes, answer, message => this.#write(frame(message, eventId)))
  }

  priming(eventId: string | undefined, retry: string | undefined): void {
    this.#write(primingFrame(eventId, retry))
  }

  ended(): void {
    this.end()
  }

  beat(): void {
    this.#options.used()
    this.#write(':\n\n')
  }

  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#flight?.abort()
    this.#options.ended()
    this.exchange.response.end()
  }

  #passed(bytes: Buffer, message: JsonObject): Buffer | undefined {
    const method = String(message.method)
    if (message.id !== undefined) return serverRequests.has(method) ? bytes : undefined
    if (method === 'notifications/progress') {
      const token = isObject(message.params) ? message.params.progressToken : undefined
      return this.#replyTo(token)?.readdressed(bytes, message)
    }
    if (method.endsWith('/list_changed')) this.#options.listChanged()
    return this.#options.mayHear(method) ? bytes : undefined
  }

  #replyTo(upstreamId: unknown): Reply | undefined {
    return typeof upstreamId === 'number' ? this.#options.reply(upstreamId) : undefined
  }

  #write(bytes: Buffer | string): void {
    const { response } = this.exchange
    if (this.#isOver) return
    if (isTooFarBehind(response, bytes.length)) return void response.destroy()
    if (response.write(bytes) || this.#isPaused) return
    this.#isPaused = true
    this.#flight?.pause()
    watchReading(response)
    response.once('drain', () => {
      response.setTimeout(0)
      this.#isPaused = false
      this.#flight?.resume()
    })
  }
}
