/** The answer to one request of a client, on its way from the upstream to wherever the client waits for it. */
import { GatewayError } from '../foundation/errors.ts'
import type { JsonObject } from '../foundation/json.ts'
import {
  type AnswerSummary,
  type Equipped,
  errorCode,
  type Flight,
  type Outgoing,
  type ResultEdits,
  type Sink,
  type ToolPolicy,
  type Tries,
  type Upstream,
} from '../upstreams/index.ts'
import { answerError } from './answer-error.ts'
import type { Refusal } from './correct.ts'
import type { Exchange } from './exchange.ts'
import { outcomeOf, outcomeOfPassed } from './outcome.ts'
import type { OutletWatcher } from './outlet.ts'
import { type Addressee, readdressed, tagged } from './readdress.ts'
import type { OpenStream } from './streams.ts'
import { metaKeys } from './versions.ts'

export type ReplyOptions = Addressee & {
  /** The answer may only go out after `rewrite` has seen all of it, however long it is. */
  readonly whole: boolean
  readonly edits: ResultEdits
  /** Changes an answer before it goes out: lists are filtered, capabilities reduced. */
  readonly rewrite?: (bytes: Buffer, answer: JsonObject) => Buffer
  /** The server, and what is needed to send it the request once more. */
  readonly upstream?: Upstream
  readonly equipped?: Equipped
  /** Asked about every error the server answers with. True: the client does not get it. */
  correct?(reply: Reply, refusal: Refusal): boolean
  /** Asked about every failure before the client has heard anything. True: it is sent again, and this reply goes on. */
  again?(reply: Reply, error: GatewayError): boolean
  /** Told when nothing more will come. */
  ended(): void
  /** Told when it ends because its way upstream broke, for good. */
  failed?(error: GatewayError): void
}

/** What takes the request upstream. */
export type Way = { request(outgoing: Outgoing): unknown }

export class Reply implements Sink, OpenStream, OutletWatcher, Tries {
  seat: number | undefined
  readonly exchange: Exchange
  readonly clientId: string
  readonly whole: boolean
  readonly isLasting: boolean
  readonly edits: ResultEdits
  readonly policy: ToolPolicy | undefined
  readonly equipped: Equipped | undefined
  /** What was sent last, and where. */
  outgoing: Outgoing | undefined
  way: Way | undefined
  sent = 0
  wasRepeated = false
  wasReopened = false
  wasCorrected = false
  readonly #options: ReplyOptions
  #flight: Flight | undefined
  #held: Buffer | undefined
  #isOver = false
  #isPaused = false
  /** The client has heard something of the answer. */
  #hasSpoken = false

  constructor(exchange: Exchange, options: ReplyOptions) {
    this.exchange = exchange
    this.#options = options
    this.clientId = exchange.clientId
    this.whole = options.whole || exchange.outlet.pieces === undefined
    this.isLasting = options.isListen
    this.edits = options.edits
    this.policy = options.upstream?.policy
    this.equipped = options.equipped
    exchange.outlet.watch(this)
  }

  get isOver(): boolean {
    return this.#isOver
  }

  get upstreamId(): number {
    return this.#options.upstreamId
  }

  /** Notes what is on its way upstream now, for the first time or again. */
  sending(way: Way, outgoing: Outgoing): void {
    this.way = way
    this.outgoing = outgoing
    this.sent++
    this.#options.upstreamId = outgoing.upstreamId
  }

  started(flight: Flight): void {
    this.#flight = flight
    if (this.#isOver) flight.abort()
  }

  streaming(): void {
    if (!this.#isOver) this.exchange.outlet.stream()
  }

  message(bytes: Buffer, message: JsonObject): void {
    const passed = this.readdressed(bytes, message)
    if (passed === undefined || this.#isOver) return
    this.#spoken()
    this.exchange.outlet.message(passed)
  }

  // The upstream's events are its own: the client is given the gateway's to resume from.
  priming(): void {
    this.streaming()
  }

  answer(bytes: Buffer, answer: JsonObject, status: number): void {
    if (answer.error !== undefined && this.#isCorrected({ bytes, answer, status })) return
    if (!this.#end()) return
    const body = this.#rewritten(bytes, answer)
    if (body instanceof GatewayError) return this.#fail(body)
    this.#record(answer, body, failure =>
      this.#send(body, answer.error === undefined ? 200 : status, failure),
    )
  }

  #isCorrected(refusal: Refusal): boolean {
    return !this.#isOver && !this.#hasSpoken && this.#options.correct?.(this, refusal) === true
  }

  // From here on nothing is sent again, so what was sent need not be kept.
  #spoken(): void {
    this.#hasSpoken = true
    this.outgoing = undefined
    this.way = undefined
  }

  piece(bytes: Buffer): void {
    if (this.#isOver) return
    this.#spoken()
    this.exchange.bytesOut += bytes.length
    if (this.#held) this.exchange.outlet.pieces?.piece(this.#held)
    // The last piece waits for the audit record: until then the client has no whole answer.
    this.#held = bytes
  }

  finished(summary: AnswerSummary): void {
    if (!this.#end()) return
    this.exchange.record(outcomeOfPassed(summary), summary.error, failure => {
      if (failure) this.exchange.outlet.cut()
      else this.exchange.outlet.pieces?.finish(this.#held)
    })
  }

  failed(error: GatewayError): void {
    if (this.#isOver) return
    if (!this.#hasSpoken && this.#options.again?.(this, error) === true) return
    if (!this.#end()) return
    this.#options.failed?.(error)
    this.#fail(error)
  }

  beat(): void {
    if (!this.#isOver) this.exchange.outlet.beat()
  }

  /** Ends it because the gateway does: a listen with its result (MCP 2026-07-28, basic/utilities/subscriptions), everything else with an error. */
  end(): void {
    if (!this.#options.isListen)
      return this.stop(new GatewayError('mcp.cancelled', { why: 'The gateway ended the stream.' }))
    const flight = this.#flight
    const meta = `{"${metaKeys.subscription}":${this.clientId}}`
    const result = Buffer.from(
      `{"jsonrpc":"2.0","id":${this.clientId},"result":{"resultType":"complete","_meta":${meta}}}`,
    )
    this.answer(result, { result: {} }, 200)
    flight?.abort()
  }

  /** Ends what is under way, because the gateway says so. */
  stop(error: GatewayError): void {
    const flight = this.#flight
    if (!this.#end()) return
    flight?.abort()
    this.#fail(error)
  }

  full(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    this.#flight?.pause()
  }

  ready(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#flight?.resume()
  }

  // A client that reads nothing gets nothing more; what waits for it goes too.
  stalled(): void {
    this.stop(new GatewayError('mcp.cancelled', { why: 'The client does not read its answer.' }))
    this.exchange.outlet.cut()
  }

  // In the stateless era a closed stream is a cancellation; in the session era only notifications/cancelled is, and the work goes on.
  gone(): void {
    if (this.#isOver) return
    // Nobody is left who could be too slow.
    if (this.exchange.era === 'session') return this.ready()
    const flight = this.#flight
    this.#end()
    flight?.abort()
    this.exchange.record('cancelled', null, () => undefined)
  }

  /** A message with the client's own names for things in it; undefined when it is not for this client. */
  readdressed(bytes: Buffer, message: JsonObject): Buffer | undefined {
    return readdressed(bytes, message, { exchange: this.exchange, options: this.#options })
  }

  #rewritten(bytes: Buffer, answer: JsonObject): Buffer | GatewayError {
    const { rewrite, isListen } = this.#options
    try {
      const body = rewrite && answer.error === undefined ? rewrite(bytes, answer) : bytes
      return isListen ? tagged(body, ['result', '_meta', metaKeys.subscription], this.clientId) : body
    } catch (cause) {
      return cause instanceof GatewayError ? cause : new GatewayError('upstream.bad_answer', { cause })
    }
  }

  #record({ error, result }: JsonObject, body: Buffer, written: (failure?: Error) => void): void {
    const code = error === undefined ? null : errorCode(error)
    this.exchange.bytesOut = body.length
    this.exchange.record(code === null ? outcomeOf(result) : 'error', code, written)
  }

  #send(body: Buffer, status: number, failure: Error | undefined): void {
    if (failure) answerError(this.exchange, new GatewayError('audit.unavailable'))
    else this.exchange.outlet.answer(body, status === 400 || status === 404 ? status : 200)
  }

  #fail(error: GatewayError): void {
    answerError(this.exchange, error)
  }

  #end(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    this.exchange.outlet.unwatch()
    this.exchange.upstreamEnded()
    this.#options.ended()
    return true
  }
}
