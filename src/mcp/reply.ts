/** The answer to one request of a client: JSON, or an event stream once the upstream has more to say than its answer. */
import type { ServerResponse } from 'node:http'
import { GatewayError } from '../foundation/errors.ts'
import { applyPatches, isObject, type JsonObject, type Patch, spanAt } from '../foundation/json.ts'
import type { AnswerSummary, Flight, Sink } from '../upstreams/index.ts'
import { answerError, endWithError } from './answer-error.ts'
import type { Exchange } from './exchange.ts'
import { serverRequests } from './methods.ts'
import { endWith, sendJson } from './send-json.ts'
import { metaKeys } from './versions.ts'

/** More than this unread by a client of a channel that cannot be paused ends the answer. */
const unreadBytes = 4 * 1024 * 1024

export type ReplyOptions = {
  readonly upstreamId: number
  /** The progress token the client gave, as raw JSON. */
  readonly progressToken: string | undefined
  readonly isListen: boolean
  /** Changes a whole answer before it goes out: lists are filtered, capabilities reduced. */
  readonly rewrite?: (bytes: Buffer, answer: JsonObject) => Buffer
  /** Told when the upstream says that one of its lists changed. */
  listChanged(): void
  /** Told when nothing more will come. */
  ended(): void
}

const streamHeaders = [
  'content-type',
  'text/event-stream',
  'cache-control',
  'no-cache, no-transform',
  'x-accel-buffering',
  'no',
] as const

function outcomeOf(result: unknown): 'ok' | 'tool_error' | 'input_required' {
  if (!isObject(result)) return 'ok'
  if (result.isError === true) return 'tool_error'
  return result.resultType === 'input_required' ? 'input_required' : 'ok'
}

export class Reply implements Sink {
  readonly clientId: string
  readonly whole: boolean
  readonly #exchange: Exchange
  readonly #options: ReplyOptions
  #flight: Flight | undefined
  #mode: 'unset' | 'json' | 'events' = 'unset'
  #held: Buffer | undefined
  #isOver = false
  #isPaused = false

  constructor(exchange: Exchange, options: ReplyOptions) {
    this.#exchange = exchange
    this.#options = options
    this.clientId = exchange.clientId
    this.whole = options.rewrite !== undefined
    exchange.response.on('close', () => this.#closed())
  }

  started(flight: Flight): void {
    this.#flight = flight
    if (this.#isOver) flight.abort()
  }

  streaming(): void {
    this.#openEvents()
    // The head goes out with the first event, which is usually in the same packet; alone only when that one is late.
    setImmediate(() => {
      if (!this.#isOver) this.#sendHead().flushHeaders()
    })
  }

  message(bytes: Buffer, message: JsonObject, eventId?: string): void {
    const passed = this.#readdressed(bytes, message)
    if (passed === undefined) return
    this.#openEvents()
    this.#write(frame(passed, eventId))
  }

  priming(eventId: string | undefined, retry: string | undefined): void {
    if (this.#exchange.era !== 'session') return
    this.#openEvents()
    this.#write(
      Buffer.from(
        `${eventId === undefined ? '' : `id: ${eventId}\n`}${retry === undefined ? '' : `retry: ${retry}\n`}data:\n\n`,
      ),
    )
  }

  answer(bytes: Buffer, answer: JsonObject, status: number): void {
    if (!this.#end()) return
    const { error, result } = answer
    const code = isObject(error) ? String(error.code) : null
    let body: Buffer
    try {
      body = this.#options.rewrite && error === undefined ? this.#options.rewrite(bytes, answer) : bytes
      body = this.#options.isListen
        ? tagged(body, ['result', '_meta', metaKeys.subscription], this.clientId)
        : body
    } catch (thrown) {
      return this.#fail(
        thrown instanceof GatewayError ? thrown : new GatewayError('upstream.bad_answer', { cause: thrown }),
      )
    }
    this.#exchange.bytesOut = body.length
    this.#exchange.record(code === null ? outcomeOf(result) : 'error', code, failure =>
      this.#send(body, code === null ? 200 : status, failure),
    )
  }

  piece(bytes: Buffer): void {
    if (this.#isOver) return
    this.#exchange.bytesOut += bytes.length
    if (this.#held) this.#write(this.#held)
    else if (this.#mode === 'events') this.#write(Buffer.from('event: message\ndata: '))
    else {
      this.#mode = 'json'
      this.#exchange.response.writeHead(200, { 'content-type': 'application/json' })
    }
    // The last piece waits for the audit record: until then the client has no whole answer.
    this.#held = bytes
  }

  finished(summary: AnswerSummary): void {
    if (!this.#end()) return
    const outcome =
      summary.error !== null
        ? 'error'
        : summary.isError
          ? 'tool_error'
          : outcomeOf({ resultType: summary.resultType })
    this.#exchange.record(outcome, summary.error, failure => {
      const { response } = this.#exchange
      if (failure) return void response.destroy()
      if (this.#mode === 'events') this.#sendHead()
      if (this.#held) response.write(this.#held)
      response.end(this.#mode === 'events' ? '\n\n' : undefined)
    })
  }

  failed(error: GatewayError): void {
    if (this.#end()) this.#fail(error)
  }

  /** Opens the event stream at once: for listens, whose client waits for nothing else. */
  open(): void {
    this.#openEvents()
    this.#sendHead().flushHeaders()
  }

  beat(): void {
    if (this.#mode === 'events' && !this.#isOver && !this.#held) this.#sendHead().write(':\n\n')
  }

  /** Ends what is under way, because the gateway says so. */
  stop(error: GatewayError): void {
    const flight = this.#flight
    if (!this.#end()) return
    flight?.abort()
    this.#fail(error)
  }

  #send(body: Buffer, status: number, failure: Error | undefined): void {
    const { response } = this.#exchange
    if (failure)
      return this.#mode === 'unset'
        ? answerError(this.#exchange, new GatewayError('audit.unavailable'))
        : void response.destroy()
    if (response.destroyed) return
    if (this.#mode === 'events') return sendLast(response, frame(body, undefined))
    sendJson(response, status === 400 || status === 404 ? status : 200, body)
  }

  #fail(error: GatewayError): void {
    if (this.#mode === 'unset') answerError(this.#exchange, error)
    else
      endWithError(
        this.#exchange,
        error,
        this.#mode === 'events' && !this.#held ? body => `event: message\ndata: ${body}\n\n` : undefined,
      )
  }

  #openEvents(): void {
    if (this.#mode !== 'unset' || this.#isOver) return
    this.#mode = 'events'
  }

  #sendHead(): ServerResponse {
    const { response } = this.#exchange
    if (!response.headersSent) response.writeHead(200, [...streamHeaders])
    return response
  }

  #write(bytes: Buffer): void {
    const { response } = this.#exchange
    if (this.#isOver || response.destroyed) return
    if (this.#mode === 'events') this.#sendHead()
    if (response.write(bytes) || this.#isPaused) {
      if (response.writableLength > unreadBytes)
        this.stop(new GatewayError('mcp.cancelled', { why: 'The client does not read its answer.' }))
      return
    }
    this.#isPaused = true
    this.#flight?.pause()
    response.once('drain', () => {
      this.#isPaused = false
      this.#flight?.resume()
    })
  }

  /** A message with the client's own names for things in it; undefined when it is not for this client. */
  #readdressed(bytes: Buffer, message: JsonObject): Buffer | undefined {
    const method = String(message.method)
    if (message.id !== undefined)
      return this.#exchange.era === 'session' && serverRequests.has(method) ? bytes : undefined
    const { upstreamId, progressToken } = this.#options
    const params = isObject(message.params) ? message.params : {}
    if (method === 'notifications/progress') {
      if (params.progressToken !== upstreamId || progressToken === undefined) return undefined
      return tagged(bytes, ['params', 'progressToken'], progressToken)
    }
    if (method.endsWith('/list_changed')) this.#options.listChanged()
    return this.#options.isListen
      ? tagged(bytes, ['params', '_meta', metaKeys.subscription], this.clientId)
      : bytes
  }

  #end(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    this.#exchange.upstreamEnded()
    this.#options.ended()
    return true
  }

  // In the stateless era a closed stream is a cancellation; in the session era only notifications/cancelled is, and the work goes on.
  #closed(): void {
    if (this.#isOver || this.#exchange.era === 'session') return
    const flight = this.#flight
    this.#end()
    flight?.abort()
    this.#exchange.record('cancelled', null, () => undefined)
  }
}

// An event stream of one event is told by its length: one write, and nothing to wait for.
function sendLast(response: ServerResponse, event: Buffer): void {
  if (response.headersSent) return void response.end(event)
  response.writeHead(200, [...streamHeaders, 'content-length', String(event.length)])
  endWith(response, event)
}

const framePrefix = Buffer.from('event: message\ndata: ')
const frameEnd = Buffer.from('\n\n')

/** One server-sent event around a message. JSON texts of several lines become one: a raw line break cannot stand in a JSON string. */
export function frame(message: Buffer, eventId: string | undefined): Buffer {
  const body =
    message.includes(0x0a) || message.includes(0x0d)
      ? Buffer.from(message.toString('utf8').replace(/[\r\n]+/g, ' '))
      : message
  const prefix = eventId === undefined ? framePrefix : Buffer.from(`event: message\nid: ${eventId}\ndata: `)
  return Buffer.concat([prefix, body, frameEnd])
}

function tagged(bytes: Buffer, path: readonly string[], value: string): Buffer {
  const span = spanAt(bytes, path)
  const patches: Patch[] = span === undefined ? [] : [{ span, text: value }]
  return applyPatches(bytes, patches)
}
