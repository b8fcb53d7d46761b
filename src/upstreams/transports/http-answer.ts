import { GatewayError } from '../../foundation/errors.ts'
import { AnswerStream } from '../answer-stream.ts'
import { type EventReader, EventStream, type ServerEvent } from '../event-stream.ts'
import { badAnswer, errorCode, type Message, readdress, readMessage } from '../message.ts'
import type { Sink } from '../sink.ts'
import type { WireEvents, WireFlight, WireHeaders } from './wire.ts'

/** Answers up to this size are held and read as JSON; longer ones pass in pieces where the sink allows. */
const heldBytes = 65_536

export type AnswerLimits = {
  readonly messageBytes: number
  readonly resultBytes: number
  readonly callSeconds: number
  readonly callSecondsMax: number
}

export type AnswerFor = {
  readonly upstreamId: number
  readonly sink: Sink
  readonly limits: AnswerLimits
  /** A stream that may stay open for ever once it has begun: a listen. */
  readonly endless: boolean
  /** Sees status and headers first; throws to refuse. */
  head?(status: number, headers: WireHeaders): void
}

function one(value: string | string[] | undefined): string {
  return (Array.isArray(value) ? value[0] : value) ?? ''
}

/** Refuses what no MCP answer may have, and says which of the two framings this is. */
export function framingOf(status: number, headers: WireHeaders): 'json' | 'events' {
  const encoding = one(headers['content-encoding'])
  if (encoding !== '' && encoding !== 'identity')
    throw badAnswer('It compressed its answer although nobody asked.')
  if (status === 401 || status === 403)
    throw new GatewayError('upstream.unauthorized', { why: `It answered ${status}.` })
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

/** Reads the HTTP answer to one request and gives its messages to the sink. */
export class HttpAnswer implements WireEvents, EventReader {
  readonly #to: AnswerFor
  readonly #latest: number
  #flight: WireFlight | undefined
  #status = 0
  #parts: Buffer[] = []
  #size = 0
  #events: EventStream | undefined
  #long: AnswerStream | undefined
  /** Whether the long answer passes in pieces, once that is known. */
  #passes: boolean | undefined
  #answered = false
  /** The stream named an event to resume from. */
  #mayResume = false

  constructor(to: AnswerFor) {
    this.#to = to
    this.#latest = performance.now() + to.limits.callSecondsMax * 1000
  }

  started(flight: WireFlight): void {
    this.#flight = flight
    this.#to.sink.started(flight)
  }

  head(status: number, headers: WireHeaders): void {
    this.#status = status
    this.#to.head?.(status, headers)
    if (framingOf(status, headers) === 'events') {
      this.#events = new EventStream(this, heldBytes, this.#to.limits.messageBytes)
      this.#to.sink.streaming()
      if (this.#to.endless) this.#flight?.extend(0)
    }
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
    if (this.#events && this.#mayResume && this.#to.sink.interrupted) {
      this.#answered = true
      return this.#to.sink.interrupted()
    }
    if (this.#events)
      throw new GatewayError('upstream.outcome_unknown', { why: 'It ended the stream without an answer.' })
    if (this.#long) this.#finish()
    else this.#whole(this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts))
  }

  broken(error: GatewayError): void {
    if (this.#answered) return
    this.#answered = true
    this.#to.sink.failed(error)
  }

  event(event: ServerEvent): void {
    if (this.#answered || event.event !== 'message') return
    if (event.id !== undefined) this.#mayResume = true
    if (event.bytes.length === 0) this.#to.sink.priming(event.id, event.retry)
    else this.#message(event.bytes, event.id)
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

  #message(bytes: Buffer, eventId: string | undefined): void {
    const message = readMessage(bytes)
    if (!message) throw badAnswer('A message of its event stream is not JSON-RPC.')
    if (message.kind === 'answer') return this.#answer(bytes, message)
    if (!this.#to.endless) this.#extend()
    this.#to.sink.message(bytes, message.body, eventId)
  }

  // Work that reports itself may go on, within the largest time a call may take at all.
  #extend(): void {
    const left = this.#latest - performance.now()
    this.#flight?.extend(Math.max(1, Math.min(this.#to.limits.callSeconds * 1000, left)))
  }

  #whole(bytes: Buffer): void {
    const message = readMessage(bytes)
    if (message?.kind !== 'answer')
      throw badAnswer(`It answered ${this.#status} with something that is not a JSON-RPC response.`)
    this.#answer(bytes, message)
  }

  #answer(bytes: Buffer, message: Extract<Message, { kind: 'answer' }>): void {
    const { upstreamId, sink } = this.#to
    const { id } = message.body
    this.#answered = true
    if (id === upstreamId)
      sink.answer(readdress(bytes, upstreamId, sink.clientId), message.body, this.#status)
    else if (id === null || id === undefined) sink.failed(refusal(message.body.error))
    else sink.failed(badAnswer('It answered with the id of another request.'))
  }
}

// An error without an id is about the request as a whole: the server could not or would not read it.
function refusal(error: unknown): GatewayError {
  return badAnswer(`It refused the request itself (${errorCode(error)}).`)
}
