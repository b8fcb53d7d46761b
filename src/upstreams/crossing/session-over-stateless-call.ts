/** One request of a session-era client to a stateless-era server: over as many rounds as the server needs (MCP 2026-07-28, basic/patterns/mrtr). */
import { asGatewayError, GatewayError } from '../../foundation/errors.ts'
import { isObject, type JsonObject } from '../../foundation/json.ts'
import type { Outgoing, StatelessLink } from '../link.ts'
import { badAnswer, nextUpstreamId } from '../message.ts'
import type { AnswerSummary, Flight, ResultEdits, Sink } from '../sink.ts'
import { type Asks, Gathering } from './session-over-stateless-asks.ts'
import { foreignMembers, inSessionDress } from './session-over-stateless-dress.ts'
import { enveloped, type RawMembers, written } from './session-over-stateless-envelope.ts'
import { errorInSessionDress, headerMismatch, refusedHeaders } from './session-over-stateless-errors.ts'
import { inputRequired, mayAskBack } from './session-over-stateless-inputs.ts'
import { ofCall } from './session-over-stateless-messages.ts'

export type SessionCallParts = {
  readonly link: StatelessLink
  readonly asks: Asks
  readonly limits: { readonly messageBytes: number; readonly callSecondsMax: number }
  readonly meta: RawMembers
  canAnswer(method: string, params: JsonObject): boolean
  /** The headers that mirror the request, as far as its schema is known by now. */
  mirrored(): readonly string[]
  /** The server asks for other headers than are known. */
  schemaChanged(): void
  ended(): void
}

const mostRounds = 16

/** How long new knowledge of a schema is waited for. */
const knowledgeMs = 3000
const lookMs = 100

/** The longest pause before a server that only wants to be asked again is. */
const longestPauseMs = 5000

const asksForInput = /"(?:input_required|inputRequests|requestState)"/

export class SessionCall implements Sink, Flight {
  readonly clientId: string
  readonly whole: boolean
  readonly edits: ResultEdits
  readonly #parts: SessionCallParts
  readonly #outgoing: Outgoing
  #upstreamId: number
  #flight: Flight | undefined
  #gathering: Gathering | undefined
  #timer: NodeJS.Timeout | undefined
  #more: RawMembers = {}
  #headers: readonly string[] = []
  #rounds = 0
  #pauses = 0
  #waitedMs = 0
  #isRefreshed = false
  #isPaused = false
  #isOver = false

  constructor(parts: SessionCallParts, outgoing: Outgoing) {
    this.#parts = parts
    this.#outgoing = outgoing
    this.#upstreamId = outgoing.upstreamId
    this.clientId = outgoing.sink.clientId
    this.whole = outgoing.sink.whole
    this.edits = { isPrivate: false, ...outgoing.sink.edits, drop: foreignMembers }
  }

  open(): void {
    this.#outgoing.sink.started(this)
    if (!this.#isOver) this.#send()
  }

  pause(): void {
    this.#isPaused = true
    this.#flight?.pause()
  }

  resume(): void {
    this.#isPaused = false
    this.#flight?.resume()
  }

  abort(): void {
    if (!this.#end()) return
    this.#gathering?.cancel()
    this.#flight?.abort()
  }

  started(flight: Flight): void {
    this.#flight = flight
    if (this.#isOver) flight.abort()
    else if (this.#isPaused) flight.pause()
  }

  streaming(): void {
    if (!this.#isOver) this.#outgoing.sink.streaming()
  }

  message(bytes: Buffer, message: JsonObject): void {
    const passed = ofCall(bytes, message, { from: this.#upstreamId, to: this.#outgoing.upstreamId })
    if (passed !== undefined && !this.#isOver) this.#outgoing.sink.message(passed.bytes, passed.message)
  }

  // Nothing can be resumed in the stateless era.
  priming(): void {}

  mayPass(start: string): boolean {
    return !mayAskBack.has(this.#outgoing.method) || !asksForInput.test(start)
  }

  answer(bytes: Buffer, answer: JsonObject): void {
    if (this.#isOver) return
    try {
      if (isObject(answer.error)) this.#refused(bytes, answer, answer.error)
      else this.#answered(bytes, answer)
    } catch (thrown) {
      this.failed(asGatewayError(thrown))
    }
  }

  piece(bytes: Buffer): void {
    if (!this.#isOver) this.#outgoing.sink.piece(bytes)
  }

  finished(summary: AnswerSummary): void {
    if (summary.error === null && summary.resultType !== null && summary.resultType !== 'complete')
      return this.failed(badAnswer('It gave a result of a kind that was not asked for.'))
    if (this.#end()) this.#outgoing.sink.finished(summary)
  }

  failed(error: GatewayError): void {
    if (!this.#end()) return
    this.#gathering?.cancel()
    this.#outgoing.sink.failed(error)
  }

  #end(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#parts.ended()
    return true
  }

  #send(): void {
    const { method, params, body, upstreamId, credentials } = this.#outgoing
    this.#upstreamId = this.#rounds++ === 0 ? upstreamId : nextUpstreamId()
    this.#flight = undefined
    try {
      this.#headers = this.#parts.mirrored()
      const to = { upstreamId: this.#upstreamId, meta: this.#parts.meta, more: this.#more }
      this.#parts.link.request({
        body: enveloped(body, params, to),
        upstreamId: this.#upstreamId,
        method,
        params,
        sink: this,
        mirrored: this.#headers,
        endless: false,
        ...(credentials === undefined ? {} : { credentials }),
      })
    } catch (thrown) {
      this.failed(asGatewayError(thrown))
    }
  }

  #refused(bytes: Buffer, answer: JsonObject, error: JsonObject): void {
    if (error.code === headerMismatch && !this.#isRefreshed) return this.#refresh()
    const dressed = errorInSessionDress(bytes, error, this.#outgoing.method)
    if (dressed instanceof GatewayError) this.failed(dressed)
    else if (this.#end()) this.#outgoing.sink.answer(dressed, answer, 200)
  }

  // Headers are checked before anything is done, so the request may be sent again.
  #refresh(): void {
    this.#isRefreshed = true
    this.#parts.schemaChanged()
    const sent = JSON.stringify(this.#headers)
    const latest = performance.now() + knowledgeMs
    const look = () => {
      if (JSON.stringify(this.#parts.mirrored()) !== sent) this.#send()
      else if (performance.now() < latest) this.#timer = setTimeout(look, lookMs)
      else this.failed(refusedHeaders())
    }
    look()
  }

  #answered(bytes: Buffer, answer: JsonObject): void {
    const { result } = answer
    const { sink, method } = this.#outgoing
    const type = isObject(result) ? (result.resultType ?? 'complete') : undefined
    if (type === 'complete') {
      if (this.#end()) sink.answer(inSessionDress(bytes), answer, 200)
    } else if (isObject(result) && type === 'input_required' && mayAskBack.has(method)) {
      this.#gather(bytes, result)
    } else throw badAnswer('It gave a result of a kind that was not asked for.')
  }

  #gather(bytes: Buffer, result: JsonObject): void {
    if (this.#rounds >= mostRounds) throw badAnswer('It asked for more input again and again.')
    const { requests, rawState } = inputRequired(bytes, result, this.#parts.canAnswer)
    const state: RawMembers = rawState === undefined ? {} : { requestState: rawState }
    if (requests.length === 0) return this.#again(state)
    const { asks, limits } = this.#parts
    const askedAt = performance.now()
    this.#gathering = new Gathering({
      asks,
      sink: this.#outgoing.sink,
      milliseconds: Math.max(0, limits.callSecondsMax * 1000 - this.#waitedMs),
      maxBytes: limits.messageBytes,
      done: inputs => {
        this.#waitedMs += performance.now() - askedAt
        if (inputs instanceof GatewayError) return this.failed(inputs)
        this.#more = { inputResponses: written(inputs), ...state }
        this.#send()
      },
    })
    this.#gathering.ask(requests)
  }

  // It wants no input, only another try; the first is at once.
  #again(state: RawMembers): void {
    const pauseMs = this.#pauses === 0 ? 0 : Math.min(longestPauseMs, 50 * 2 ** this.#pauses)
    this.#pauses++
    this.#more = state
    this.#timer = setTimeout(() => this.#send(), pauseMs)
  }
}
