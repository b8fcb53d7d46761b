/** The answer to one request of a client: JSON, or an event stream once the upstream has more to say than its answer. */
import { GatewayError } from '../foundation/errors.ts'
import type { JsonObject } from '../foundation/json.ts'
import {
  type AnswerSummary,
  errorCode,
  type Flight,
  type ResultEdits,
  type Sink,
} from '../upstreams/index.ts'
import { answerError, endWithError, errorBody } from './answer-error.ts'
import type { Exchange } from './exchange.ts'
import { beginEvents, endEvents, frame, primingFrame } from './frame.ts'
import { outcomeOf, outcomeOfPassed } from './outcome.ts'
import { type Addressee, readdressed, tagged } from './readdress.ts'
import { isTooFarBehind, sendJson, watchReading } from './send-json.ts'
import type { OpenStream } from './streams.ts'
import { metaKeys } from './versions.ts'

export type ReplyOptions = Addressee & {
  /** The answer may only go out after `rewrite` has seen all of it, however long it is. */
  readonly whole: boolean
  readonly edits: ResultEdits
  /** Changes an answer before it goes out: lists are filtered, capabilities reduced. */
  readonly rewrite?: (bytes: Buffer, answer: JsonObject) => Buffer
  /** How long a client may take to ask for an answer whose stream the upstream has cut. */
  readonly resumeMs: number
  /** Told when nothing more will come. */
  ended(): void
  /** Told when nobody can ask for the answer any more; with or after `ended`. */
  forgotten?(): void
}

export class Reply implements Sink, OpenStream {
  seat: number | undefined
  readonly exchange: Exchange
  readonly clientId: string
  readonly upstreamId: number
  readonly whole: boolean
  readonly isLasting: boolean
  readonly edits: ResultEdits
  readonly #options: ReplyOptions
  #flight: Flight | undefined
  #mode: 'unset' | 'json' | 'events' = 'unset'
  #held: Buffer | undefined
  #isOver = false
  #isPaused = false
  /** The client knows an event to resume from. */
  #mayResume = false
  #resumeTimer: NodeJS.Timeout | undefined

  constructor(exchange: Exchange, options: ReplyOptions) {
    this.exchange = exchange
    this.#options = options
    this.clientId = exchange.clientId
    this.upstreamId = options.upstreamId
    this.whole = options.whole
    this.isLasting = options.isListen
    this.edits = options.edits
    exchange.response.on('close', this.#onClose)
  }

  get isOver(): boolean {
    return this.#isOver
  }

  started(flight: Flight): void {
    this.#flight = flight
    if (this.#isOver) flight.abort()
  }

  streaming(): void {
    this.#openEvents()
    // The head goes out with the first event, which is usually in the same packet; alone only when that one is late.
    setImmediate(() => {
      if (!this.#isOver) beginEvents(this.exchange.response).flushHeaders()
    })
  }

  message(bytes: Buffer, message: JsonObject, eventId?: string): void {
    const passed = this.readdressed(bytes, message)
    if (passed === undefined) return
    this.#openEvents()
    this.#write(frame(passed, this.#noted(eventId)))
  }

  priming(eventId: string | undefined, retry: string | undefined): void {
    if (this.exchange.era !== 'session') return
    this.#openEvents()
    this.#write(primingFrame(this.#noted(eventId), retry))
  }

  answer(bytes: Buffer, answer: JsonObject, status: number): void {
    if (!this.#end()) return
    const body = this.#rewritten(bytes, answer)
    if (body instanceof GatewayError) return this.#fail(body)
    this.#record(answer, body, failure =>
      this.#send(body, answer.error === undefined ? 200 : status, failure),
    )
  }

  /** The answer came on another stream than the request's own, with our id; `deliver` writes it there. */
  answerElsewhere(bytes: Buffer, answer: JsonObject, deliver: (message: Buffer) => void): void {
    const { response } = this.exchange
    const readdressed = tagged(bytes, ['id'], this.clientId)
    if (!this.#isOver && !response.writableEnded && !response.destroyed)
      return this.answer(readdressed, answer, 200)
    const body = this.#rewritten(readdressed, answer)
    if (body instanceof GatewayError) return this.failed(body)
    const flight = this.#flight
    // An answer that was recorded before and did not arrive may be asked for again.
    if (!this.#end()) return deliver(body)
    flight?.abort()
    this.#record(answer, body, failure => {
      if (failure === undefined) deliver(body)
      else deliver(Buffer.from(errorBody(new GatewayError('audit.unavailable'), this.exchange)))
    })
  }

  /** The upstream cut the stream and will go on where the client asks it to: so does this one. */
  interrupted(): void {
    if (this.#isOver) return
    const lost = new GatewayError('upstream.outcome_unknown', {
      why: 'It ended the stream without an answer.',
    })
    if (this.exchange.era !== 'session') return this.failed(lost)
    this.#resumeTimer = setTimeout(() => this.failed(lost), this.#options.resumeMs).unref()
    beginEvents(this.exchange.response).end()
  }

  piece(bytes: Buffer): void {
    if (this.#isOver) return
    this.exchange.bytesOut += bytes.length
    if (this.#held) this.#write(this.#held)
    else if (this.#mode === 'events') this.#write(Buffer.from('event: message\ndata: '))
    else {
      this.#mode = 'json'
      this.exchange.response.writeHead(200, { 'content-type': 'application/json' })
    }
    // The last piece waits for the audit record: until then the client has no whole answer.
    this.#held = bytes
  }

  finished(summary: AnswerSummary): void {
    if (!this.#end()) return
    this.exchange.record(outcomeOfPassed(summary), summary.error, failure => {
      const { response } = this.exchange
      if (failure) return void response.destroy()
      if (this.#mode === 'events') beginEvents(response)
      if (this.#held) response.write(this.#held)
      response.end(this.#mode === 'events' ? '\n\n' : undefined)
      watchReading(response)
    })
  }

  failed(error: GatewayError): void {
    if (this.#end()) this.#fail(error)
  }

  beat(): void {
    const { response } = this.exchange
    if (this.#mode !== 'events' || this.#isOver || this.#held || this.#isPaused || response.writableEnded)
      return
    beginEvents(response).write(':\n\n')
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

  // A client that reads nothing gets nothing more; what waits for it goes too.
  #cut(): void {
    this.stop(new GatewayError('mcp.cancelled', { why: 'The client does not read its answer.' }))
    this.exchange.response.destroy()
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
    const { response } = this.exchange
    if (failure)
      return this.#mode === 'unset'
        ? answerError(this.exchange, new GatewayError('audit.unavailable'))
        : void response.destroy()
    if (response.destroyed || response.writableEnded) return
    if (isTooFarBehind(response, body.length)) return void response.destroy()
    if (this.#mode === 'events') return endEvents(response, frame(body, undefined))
    sendJson(response, status === 400 || status === 404 ? status : 200, body)
  }

  #fail(error: GatewayError): void {
    this.#options.forgotten?.()
    if (this.#mode === 'unset') return answerError(this.exchange, error)
    if (this.#mode === 'events') beginEvents(this.exchange.response)
    endWithError(
      this.exchange,
      error,
      this.#mode === 'events' && !this.#held ? body => `event: message\ndata: ${body}\n\n` : undefined,
    )
  }

  // From here on a client with a session may come back for the answer, until it has it.
  #noted(eventId: string | undefined): string | undefined {
    if (this.exchange.era !== 'session') return undefined
    if (eventId === undefined || this.#mayResume) return eventId
    this.#mayResume = true
    this.exchange.response.once('finish', () => {
      if (this.#isOver) this.#options.forgotten?.()
    })
    return eventId
  }

  #openEvents(): void {
    if (this.#mode !== 'unset' || this.#isOver) return
    this.#mode = 'events'
  }

  #write(bytes: Buffer): void {
    const { response } = this.exchange
    if (this.#isOver || response.destroyed) return
    // A channel cannot be paused, so what it says goes on to come.
    if (isTooFarBehind(response, bytes.length)) return this.#cut()
    if (this.#mode === 'events') beginEvents(response)
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

  /** A message with the client's own names for things in it; undefined when it is not for this client. */
  readdressed(bytes: Buffer, message: JsonObject): Buffer | undefined {
    return readdressed(bytes, message, { exchange: this.exchange, options: this.#options })
  }

  #end(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    // A response outlives its call by a while inside Node; the call must not hang on it.
    this.exchange.response.off('close', this.#onClose)
    clearTimeout(this.#resumeTimer)
    this.exchange.upstreamEnded()
    this.#options.ended()
    if (!this.#mayResume) this.#options.forgotten?.()
    return true
  }

  // In the stateless era a closed stream is a cancellation; in the session era only notifications/cancelled is, and the work goes on.
  readonly #onClose = (): void => {
    if (this.#isOver) return
    const flight = this.#flight
    if (this.exchange.era === 'session') {
      // Nobody is left who could be too slow.
      this.#isPaused = false
      return flight?.resume()
    }
    this.#end()
    flight?.abort()
    this.exchange.record('cancelled', null, () => undefined)
  }
}
