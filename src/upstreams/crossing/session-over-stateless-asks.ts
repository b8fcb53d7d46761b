/** Requests to one session's client that wait for its answer. */
import { GatewayError } from '../../foundation/errors.ts'
import { isObject, spanAt } from '../../foundation/json.ts'
import { errorCode, nextUpstreamId } from '../message.ts'
import type { Sink } from '../sink.ts'
import type { RawMembers } from './session-over-stateless-envelope.ts'
import { askMessage, type InputRequest } from './session-over-stateless-inputs.ts'

/** More than this unanswered by one client is no conversation any more. */
const mostWaiting = 100

/** The raw result, or why there is none. */
type Answered = (result: string | GatewayError) => void

/** Which answer of the client belongs to what. */
export class Asks {
  readonly #waiting = new Map<number, Answered>()

  /** Throws `mcp.input_impossible` when the client would owe too many answers. */
  checkRoom(count: number): void {
    if (this.#waiting.size + count > mostWaiting)
      throw new GatewayError('mcp.input_impossible', { why: 'Your client has too many questions open.' })
  }

  /** An id to ask with. */
  add(answered: Answered): number {
    const id = nextUpstreamId()
    this.#waiting.set(id, answered)
    return id
  }

  forget(id: number): void {
    this.#waiting.delete(id)
  }

  /** Takes the client's answer; false when nothing was asked with this id. */
  answer(id: string | number, body: Buffer): boolean {
    const answered = typeof id === 'number' ? this.#waiting.get(id) : undefined
    if (answered === undefined || typeof id !== 'number') return false
    this.#waiting.delete(id)
    answered(resultOf(body))
    return true
  }
}

function resultOf(body: Buffer): string | GatewayError {
  const span = spanAt(body, ['result'])
  if (span && body[span.start] === 0x7b) return body.toString('utf8', span.start, span.end)
  const parsed: unknown = JSON.parse(body.toString('utf8'))
  const code = errorCode(isObject(parsed) ? parsed.error : undefined)
  return new GatewayError('mcp.input_declined', {
    why: `Your client answered the question with an error (${code}).`,
  })
}

export type GatheringParts = {
  readonly asks: Asks
  readonly sink: Sink
  /** How long the client may take for all of it. */
  readonly milliseconds: number
  readonly maxBytes: number
  done(inputs: RawMembers | GatewayError): void
}

/** The questions of one round: asked together, done when all are answered, or one cannot be. */
export class Gathering {
  readonly #parts: GatheringParts
  readonly #open = new Map<number, string>()
  readonly #inputs = new Map<string, string>()
  #bytes = 0
  #timer: NodeJS.Timeout | undefined

  constructor(parts: GatheringParts) {
    this.#parts = parts
  }

  /** Throws `mcp.input_impossible`. */
  ask(requests: readonly InputRequest[]): void {
    this.#parts.asks.checkRoom(requests.length)
    const asked = requests.map(request => {
      const id = this.#parts.asks.add(result => this.#answered(id, result))
      this.#open.set(id, request.key)
      return askMessage(id, request)
    })
    this.#timer = setTimeout(() => this.#late(), this.#parts.milliseconds)
    for (const { bytes, message } of asked) this.#parts.sink.message(bytes, message)
  }

  /** Nobody waits for the answers any more, and the client is told so (MCP 2025-11-25, basic/utilities/cancellation). */
  cancel(): void {
    clearTimeout(this.#timer)
    for (const requestId of this.#open.keys()) {
      this.#parts.asks.forget(requestId)
      const message = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId } }
      this.#parts.sink.message(Buffer.from(JSON.stringify(message)), message)
    }
    this.#open.clear()
  }

  #answered(id: number, result: string | GatewayError): void {
    const key = this.#open.get(id)
    if (key === undefined) return
    this.#open.delete(id)
    if (result instanceof GatewayError) return this.#fail(result)
    this.#bytes += result.length
    if (this.#bytes > this.#parts.maxBytes)
      return this.#fail(
        new GatewayError('http.body_too_large', { why: 'The answers of your client are too large.' }),
      )
    this.#inputs.set(key, result)
    if (this.#open.size > 0) return
    clearTimeout(this.#timer)
    this.#parts.done(Object.fromEntries(this.#inputs))
  }

  #late(): void {
    this.#fail(
      new GatewayError('mcp.input_declined', { why: 'Your client did not answer the question in time.' }),
    )
  }

  #fail(error: GatewayError): void {
    this.cancel()
    this.#parts.done(error)
  }
}
