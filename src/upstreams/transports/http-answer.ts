import { asGatewayError, GatewayError } from '../../foundation/errors.ts'
import { AnswerStream } from '../answer-stream.ts'
import type { RefusedCredentials } from '../equipped.ts'
import { type EventReader, EventStream, type ServerEvent } from '../event-stream.ts'
import { badAnswer, type Message, RefusedRequest, readdress, readMessage, Unauthorized } from '../message.ts'
import type { Flight, Sink } from '../sink.ts'
import type { WireEvents, WireFlight, WireHeaders } from './wire.ts'

/** Answers up to this size are held and read as JSON; longer ones pass in pieces where the sink allows. */
const heldBytes = 65_536

export type AnswerLimits = {
  readonly messageBytes: number
  readonly resultBytes: number
  readonly callSeconds: number
  readonly callSecondsMax: number
}

/** Where the server cut the stream of an answer, to go on from there. */
export type Cut = {
  readonly lastEventId: string
  readonly waitMs: number
  /** Milliseconds the rest may take. */
  readonly total: number
}

/** The session a request belongs to, which learns from its answers. */
export type Carrier = {
  /** Sees the status of every answer; throws when the session is lost. */
  answered(status: number): void
  /** The server asks back. */
  asked(id: string | number): void
  /** The server refused a request without saying which: the sink is told once it is clear whether it lost the session. */
  doubted(error: GatewayError, sink: Sink): void
  /** Goes on with an answer whose stream was cut. */
  resume(answer: HttpAnswer, cut: Cut): Flight
}

export type AnswerFor = {
  readonly upstreamId: number
  readonly sink: Sink
  readonly limits: AnswerLimits
  /** A stream that may stay open for ever once it has begun: a listen. */
  readonly endless: boolean
  /** By when (performance.now) it must be over, at the latest. */
  readonly latest?: number | undefined
  readonly session?: Carrier
  /** Sees status and headers first; throws to refuse. */
  head?(status: number, headers: WireHeaders): void
}

/** The way a request takes once more when its credentials were refused. */
export type Anew = { renew(refused: RefusedCredentials): Promise<void>; send(): WireFlight }

function one(value: string | string[] | undefined): string {
  return (Array.isArray(value) ? value[0] : value) ?? ''
}

export const challengeOf = (headers: WireHeaders) => one(headers['www-authenticate'])

/** Refuses what no MCP answer may have, and says which of the two framings this is. */
export function framingOf(status: number, headers: WireHeaders): 'json' | 'events' {
  const encoding = one(headers['content-encoding'])
  if (encoding !== '' && encoding !== 'identity')
    throw badAnswer('It compressed its answer although nobody asked.')
  if (status === 401 || status === 403) throw new Unauthorized({ status, challenge: challengeOf(headers) })
  if (status >= 300 && status < 400)
    throw badAnswer('It redirects; redirects are not followed. Register the address it redirects to.')
  if (status >= 500) throw new GatewayError('upstream.unreachable', { why: `It answered ${status}.` })
  const type = one(headers['content-type']).toLowerCase()
  if (type.startsWith('application/json')) return 'json'
  if (status === 200 && type.startsWith('text/event-stream')) return 'events'
  throw badAnswer(
    `It answered ${status} with ${type === '' ? 'no content type' : 'a content type that is not MCP'}.`,
  )
}

/** Tries in a row to go on with a stream, none of which brought anything. */
const vainResumptions = 5
const usualRetryMs = 500
const longestRetryMs = 30_000

const noAnswer = () =>
  new GatewayError('upstream.outcome_unknown', { why: 'It ended the stream without an answer.' })

/** Reads the HTTP answer to one request and gives its messages to the sink. */
export class HttpAnswer implements WireEvents, EventReader {
  readonly #to: AnswerFor
  readonly #latest: number
  #expiresAt: number
  #flight: WireFlight | undefined
  #status = 0
  #parts: Buffer[] = []
  #size = 0
  #events: EventStream | undefined
  #long: AnswerStream | undefined
  /** Whether the long answer passes in pieces, once that is known. */
  #passes: boolean | undefined
  #answered = false
  /** The event to go on after, when the stream is cut. */
  #lastEventId: string | undefined
  #retryMs = usualRetryMs
  #isResumed = false
  #inVain = 0
  /** How it is sent with other credentials; once. */
  #anew: Anew | undefined

  constructor(to: AnswerFor, anew?: Anew) {
    this.#anew = anew
    const now = performance.now()
    this.#to = to
    this.#latest = to.latest ?? now + to.limits.callSecondsMax * 1000
    this.#expiresAt = Math.min(this.#latest, now + to.limits.callSeconds * 1000)
  }

  /** Milliseconds it may take, unless it reports itself. */
  get total(): number {
    return Math.max(1, this.#expiresAt - performance.now())
  }

  started(flight: WireFlight): void {
    this.#flight = flight
    this.#to.sink.started(flight)
  }

  head(status: number, headers: WireHeaders): void {
    if (this.#isResumed) this.#checkResumed(status, headers)
    else {
      this.#status = status
      this.#to.head?.(status, headers)
      this.#to.session?.answered(status)
      if (framingOf(status, headers) === 'json') return
      this.#to.sink.streaming()
      if (this.#to.endless) this.#flight?.extend(0)
    }
    this.#events = new EventStream(this, heldBytes, this.#to.limits.messageBytes)
  }

  chunk(bytes: Buffer): void {
    this.#size += bytes.length
    if (this.#size > this.#to.limits.resultBytes && !this.#to.endless)
      throw new GatewayError('upstream.too_large')
    if (this.#events) this.#events.push(bytes)
    else if (this.#long) this.#pass(this.#long.push(bytes))
    else this.#hold(bytes)
  }

  end(): void {
    if (this.#answered) return
    if (this.#events) this.broken(noAnswer())
    else if (this.#long) this.#finish()
    else this.#whole(this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts))
  }

  broken(error: GatewayError): void {
    if (this.#answered || (error instanceof Unauthorized && this.#renew(error))) return
    const isCut = error.code === 'upstream.outcome_unknown' || error.code === 'upstream.unreachable'
    if (isCut && this.#resume()) return
    this.#answered = true
    // What was cut had begun, whatever kept the gateway from going on with it.
    this.#to.sink.failed(isCut && this.#isResumed ? noAnswer() : error)
  }

  event(event: ServerEvent): void {
    if (this.#answered || event.event !== 'message') return
    this.#inVain = 0
    if (event.id !== undefined) this.#lastEventId = event.id === '' ? undefined : event.id
    if (event.retry !== undefined) this.#retryMs = Math.min(Number(event.retry), longestRetryMs)
    if (event.bytes.length > 0) this.#message(event.bytes)
  }

  long(start: Buffer): boolean {
    const opening = start.toString('latin1', 0, 160)
    if (this.#answered || opening.includes('"method"') || !this.#mayPass([start])) return false
    this.#begin([start])
    return true
  }

  longPiece(bytes: Buffer): void {
    if (this.#long) this.#pass(this.#long.push(bytes))
  }

  longEnd(): void {
    this.#finish()
  }

  // A server of revision 2025-11-25 may end a stream and go on where it is asked to (basic/transports, "Resumability and Redelivery").
  #resume(): boolean {
    const { session } = this.#to
    const waitMs = this.#retryMs
    if (session === undefined || this.#lastEventId === undefined || this.#long !== undefined) return false
    if (this.#inVain++ >= vainResumptions || waitMs >= this.total) return false
    this.#isResumed = true
    this.#events = undefined
    const cut = { lastEventId: this.#lastEventId, waitMs, total: this.total - waitMs }
    this.#to.sink.started(session.resume(this, cut))
    return true
  }

  /** Nothing was done: with credentials that the server takes it is sent once more, in what is left of its time. */
  #renew({ refused }: Unauthorized): boolean {
    const anew = this.#anew
    if (anew === undefined || this.#isResumed) return false
    this.#anew = undefined
    let isAborted = false
    this.#to.sink.started({
      pause: () => {},
      resume: () => {},
      abort: () => {
        isAborted = true
      },
    })
    anew.renew(refused).then(
      () => {
        if (!isAborted) this.started(anew.send())
      },
      error => {
        if (!isAborted) this.#to.sink.failed(asGatewayError(error))
      },
    )
    return true
  }

  #checkResumed(status: number, headers: WireHeaders): void {
    if (status === 200 && framingOf(status, headers) === 'events') return
    // What it does not go on with now, it will not later; trouble of its own may pass.
    if (status < 500) this.#lastEventId = undefined
    throw noAnswer()
  }

  #hold(bytes: Buffer): void {
    this.#parts.push(bytes)
    if (this.#size <= heldBytes) return
    this.#passes ??= this.#mayPass(this.#parts)
    if (this.#passes) this.#begin(this.#parts.splice(0))
    else if (this.#size > this.#to.limits.messageBytes) throw new GatewayError('upstream.too_large')
  }

  #mayPass(start: readonly Buffer[]): boolean {
    const { sink } = this.#to
    return !sink.whole && (sink.mayPass?.(Buffer.concat(start).toString('latin1')) ?? true)
  }

  #begin(parts: readonly Buffer[]): void {
    const { upstreamId, sink } = this.#to
    this.#long = new AnswerStream(upstreamId, sink.clientId, sink.edits)
    for (const part of parts) this.#pass(this.#long.push(part))
  }

  #pass(pieces: readonly Buffer[]): void {
    for (const piece of pieces) this.#to.sink.piece(piece)
  }

  #finish(): void {
    if (!this.#long) return
    const summary = this.#long.end()
    this.#answered = true
    this.#to.sink.finished(summary)
  }

  #message(bytes: Buffer): void {
    const message = readMessage(bytes)
    if (!message) throw badAnswer('A message of its event stream is not JSON-RPC.')
    if (message.kind === 'answer') return this.#answer(bytes, message)
    const { id } = message.body
    const isAsked = message.kind === 'request'
    if (typeof id === 'string' || typeof id === 'number') this.#to.session?.asked(id)
    if (!this.#to.endless) this.#extend(isAsked)
    this.#to.sink.message(bytes, message.body)
  }

  // Work that reports itself may go on, and a person who is asked may think, within the largest time a call may take at all.
  #extend(isAsked: boolean): void {
    const { callSeconds } = this.#to.limits
    const until = isAsked ? this.#latest : performance.now() + callSeconds * 1000
    this.#expiresAt = Math.max(this.#expiresAt, Math.min(until, this.#latest))
    this.#flight?.extend(this.total)
  }

  #whole(bytes: Buffer): void {
    const message = readMessage(bytes)
    if (message?.kind !== 'answer')
      throw badAnswer(`It answered ${this.#status} with something that is not a JSON-RPC response.`)
    this.#answer(bytes, message)
  }

  #answer(bytes: Buffer, message: Extract<Message, { kind: 'answer' }>): void {
    const { upstreamId, sink, session } = this.#to
    const { id } = message.body
    this.#answered = true
    if (id === upstreamId)
      sink.answer(readdress(bytes, upstreamId, sink.clientId), message.body, this.#status)
    else if (id !== null && id !== undefined)
      sink.failed(badAnswer('It answered with the id of another request.'))
    else if (session !== undefined && this.#status === 400)
      session.doubted(new RefusedRequest(message.body.error, 400), sink)
    else sink.failed(new RefusedRequest(message.body.error, this.#status))
  }
}
