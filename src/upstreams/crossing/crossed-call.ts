/** One call of a stateless-era client on a session upstream: what the server asks on the way becomes the answer, and the call waits for the client to come back. */
import { GatewayError } from '../../foundation/errors.ts'
import { applyPatches, isObject, type JsonObject, spanAt } from '../../foundation/json.ts'
import type { Equipped } from '../equipped.ts'
import type { Outgoing } from '../link.ts'
import type { AnswerSummary, Flight, ResultEdits, Sink } from '../sink.ts'
import { type Ask, askOf, asksOfError, inputRequired, mostAsks, responseTo } from './asks.ts'
import { type ClientFace, canAnswer } from './client-face.ts'
import { passes } from './log-level.ts'
import type { Parked, Parking } from './parking.ts'
import { isChange, type Listener } from './pooled-session.ts'
import type { Lease } from './session-pool.ts'
import { additionsFor, dressed, dressedStatus } from './stateless-dress.ts'
import { UrlFirst } from './url-first.ts'

export type CrossedCallParts = {
  readonly parking: Parking
  readonly to: Equipped
  readonly face: ClientFace
  /** The level at which the client wants to hear of this request; undefined when not at all. */
  readonly logLevel: string | undefined
}

/** What came while nobody was there to take it. */
type Held = { readonly bytes: Buffer; readonly answer: JsonObject; readonly status: number } | GatewayError

export class CrossedCall implements Sink, Listener, Parked {
  readonly method: string
  readonly #parts: CrossedCallParts
  /** Its id upstream, for all rounds. */
  readonly #upstreamId: number
  readonly #asks = new Map<string, Ask>()
  #asked = 0
  /** The client's present request; undefined while the call waits for the next one. */
  #request: Outgoing | undefined
  #lease: Lease | undefined
  #flight: Flight | undefined
  #held: Held | undefined
  #isOver = false
  #isParking = false

  constructor(parts: CrossedCallParts, outgoing: Outgoing) {
    this.#parts = parts
    this.method = outgoing.method
    this.#upstreamId = outgoing.upstreamId
    this.#request = outgoing
  }

  get clientId(): string {
    return this.#request?.sink.clientId ?? 'null'
  }

  get whole(): boolean {
    return this.#request?.sink.whole ?? true
  }

  get edits(): ResultEdits {
    return { isPrivate: this.#request?.sink.edits?.isPrivate === true, add: additionsFor(this.method) }
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** The session that carries it. */
  carriedBy(lease: Lease): void {
    if (this.#isOver) return lease.release()
    this.#lease = lease
    if (lease.session.isTaken) lease.session.own(this)
  }

  started(flight: Flight): void {
    this.#flight = flight
    if (this.#isOver) return this.#abortUpstream()
    this.#request?.sink.started(this.flight)
  }

  /** The client has come back, with answers or without. */
  goOn(outgoing: Outgoing): void {
    this.#request = outgoing
    outgoing.sink.started(this.flight)
    for (const [key, ask] of this.#asks) {
      const response = responseTo(ask, key, outgoing)
      if (response === undefined) continue
      this.#asks.delete(key)
      this.#lease?.session.respond(ask.id, response)
    }
    const held = this.#held
    if (held instanceof GatewayError) return this.failed(held)
    if (held) return this.answer(withId(held.bytes, outgoing.sink.clientId), held.answer, held.status)
    // What it did not answer is asked again (2026-07-28, basic/patterns/mrtr, "Error Handling").
    if (this.#asks.size > 0) this.#park()
  }

  streaming(): void {
    this.#request?.sink.streaming()
  }

  priming(): void {}

  message(bytes: Buffer, message: JsonObject): void {
    const method = String(message.method)
    if (message.id !== undefined) return this.#ask(bytes, message, method)
    if (isChange(method)) return this.#lease?.session.changed(bytes, message)
    const heard = this.#heard(bytes, message, method)
    if (heard) this.#request?.sink.message(heard, message)
  }

  answer(bytes: Buffer, answer: JsonObject, status: number): void {
    const request = this.#request
    if (request === undefined) {
      this.#held = { bytes, answer, status }
      return
    }
    if (!this.#end()) return
    if (this.#askedByError(request, answer)) return
    request.sink.answer(dressed(bytes, answer, this.method), answer, dressedStatus(answer, status))
  }

  piece(bytes: Buffer): void {
    this.#request?.sink.piece(bytes)
  }

  finished(summary: AnswerSummary): void {
    const request = this.#request
    if (this.#end()) request?.sink.finished(summary)
  }

  failed(error: GatewayError): void {
    if (error.code === 'upstream.timeout')
      this.#lease?.session.link.cancel(this.#upstreamId, 'The time for the whole call is over.')
    const request = this.#request
    if (request === undefined) this.#held = error
    else if (this.#end()) request.sink.failed(error)
  }

  /** Its session is gone; the request itself is told so by whoever carried it. */
  lost(): void {}

  /** What the client's side holds of it. That it does not wait any more is a cancellation in its era, and must be said in the server's. */
  readonly flight: Flight = {
    pause: () => this.#flight?.pause(),
    resume: () => this.#flight?.resume(),
    abort: () => {
      if (this.#request !== undefined && this.#end()) this.#abortUpstream()
    },
  }

  abandoned(): void {
    if (this.#end()) this.#abortUpstream()
  }

  #abortUpstream(): void {
    this.#lease?.session.link.cancel(this.#upstreamId, 'The client does not wait any more.')
    this.#flight?.abort()
  }

  #end(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    for (const { id } of this.#asks.values()) this.#lease?.session.refuse(id)
    this.#asks.clear()
    this.#lease?.release()
    return true
  }

  // Progress carries the id of the present request, log lines pass where they were asked for; what else there is belongs to sessions.
  #heard(bytes: Buffer, message: JsonObject, method: string): Buffer | undefined {
    const params = isObject(message.params) ? message.params : {}
    switch (method) {
      case 'notifications/progress':
        return params.progressToken === this.#upstreamId ? this.#withToken(bytes, params) : undefined
      case 'notifications/message': {
        const { logLevel } = this.#parts
        return logLevel !== undefined && passes(params.level, logLevel) ? bytes : undefined
      }
      case 'notifications/cancelled':
      case 'notifications/elicitation/complete':
        return undefined
      default:
        return bytes
    }
  }

  #withToken(bytes: Buffer, params: { progressToken?: unknown }): Buffer {
    const upstreamId = this.#request?.upstreamId
    if (upstreamId === undefined || upstreamId === params.progressToken) return bytes
    const span = spanAt(bytes, ['params', 'progressToken'])
    return span ? applyPatches(bytes, [{ span, text: String(upstreamId) }]) : bytes
  }

  #ask(bytes: Buffer, message: JsonObject, method: string): void {
    const session = this.#lease?.session
    const ask = askOf(bytes, message)
    if (ask === undefined || session === undefined) return
    if (method === 'ping') {
      return session.respond(ask.id, Buffer.from(`{"jsonrpc":"2.0","id":${ask.rawId},"result":{}}`))
    }
    const params = isObject(message.params) ? message.params : {}
    if (this.#asks.size >= mostAsks || !canAnswer(this.#parts.face, method, params))
      return session.refuse(ask.id)
    this.#asks.set(`${method.split('/')[0]}-${++this.#asked}`, ask)
    if (this.#request === undefined || this.#isParking) return
    // What it asks in the same breath goes into the same round.
    this.#isParking = true
    setImmediate(() => this.#park())
  }

  // The server wants a page visited first, and the request sent again then.
  #askedByError(request: Outgoing, answer: JsonObject): boolean {
    const urls = asksOfError(answer)
    const { face, parking, to } = this.#parts
    if (urls === undefined || !canAnswer(face, 'elicitation/create', { mode: 'url' })) return false
    const asks = urls.map((ask, index): [string, typeof ask] => [`elicitation-${index + 1}`, ask])
    const state = parking.park(new UrlFirst(this.method, new Map(asks)), to)
    const bytes = inputRequired(request.sink.clientId, asks, state)
    request.sink.answer(bytes, { jsonrpc: '2.0', result: { resultType: 'input_required' } }, 200)
    return true
  }

  #park(): void {
    this.#isParking = false
    const request = this.#request
    if (request === undefined || this.#isOver || this.#asks.size === 0) return
    try {
      const state = this.#parts.parking.park(this, this.#parts.to)
      const bytes = inputRequired(request.sink.clientId, this.#asks, state)
      this.#request = undefined
      request.sink.answer(bytes, { jsonrpc: '2.0', result: { resultType: 'input_required' } }, 200)
    } catch (thrown) {
      if (!(thrown instanceof GatewayError)) throw thrown
      this.failed(thrown)
      this.#abortUpstream()
    }
  }
}

function withId(bytes: Buffer, clientId: string): Buffer {
  const span = spanAt(bytes, ['id'])
  return span ? applyPatches(bytes, [{ span, text: clientId }]) : bytes
}
