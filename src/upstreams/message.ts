import { GatewayError } from '../foundation/errors.ts'
import { applyPatches, isObject, type JsonObject, spanAt } from '../foundation/json.ts'
import type { RefusedCredentials } from './equipped.ts'

// Ids of our own on every upstream request: clients choose the same ones, and some servers key by nothing else.
// 31-bit integers, because sloppy servers choke on strings and on larger numbers.
let last = 1_000_000_000 + Math.floor(Math.random() * 500_000_000)

/** The next JSON-RPC id of this process towards upstreams. */
export function nextUpstreamId(): number {
  last = last >= 2_147_483_000 ? 1_000_000_000 : last + 1
  return last
}

export type Message =
  | { readonly kind: 'answer'; readonly body: JsonObject }
  | { readonly kind: 'request'; readonly body: JsonObject; readonly method: string }
  | { readonly kind: 'notification'; readonly body: JsonObject; readonly method: string }

/** Reads one JSON-RPC message of an upstream; undefined when it is none. */
export function readMessage(bytes: Buffer): Message | undefined {
  let body: unknown
  try {
    body = JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
  if (!isObject(body) || body.jsonrpc !== '2.0') return undefined
  const { id, method } = body
  if (typeof method === 'string') {
    if (id === undefined || id === null) return { kind: 'notification', body, method }
    return typeof id === 'string' || typeof id === 'number' ? { kind: 'request', body, method } : undefined
  }
  return isObject(body.result) || isObject(body.error) ? { kind: 'answer', body } : undefined
}

/** The answer with the id the client gave in place of ours, every other byte as it came. */
export function readdress(bytes: Buffer, upstreamId: number, clientId: string): Buffer {
  const at = usualPlace(bytes, `"id":${upstreamId}`)
  const span =
    at === undefined ? spanAt(bytes, ['id']) : { start: at + 5, end: at + 5 + `${upstreamId}`.length }
  return span === undefined ? bytes : applyPatches(bytes, [{ span, text: clientId }])
}

// Where servers write it: before the first inner object, or as the very last. Elsewhere it may be an inner one's.
function usualPlace(bytes: Buffer, pattern: string): number | undefined {
  const last = bytes.length - 1 - pattern.length
  if (bytes.toString('latin1', Math.max(0, last)) === `${pattern}}`) return last
  const first = bytes.indexOf(pattern)
  const inner = bytes.indexOf(0x7b, 1)
  const after = bytes[first + pattern.length]
  return first > 0 && (inner < 0 || first < inner) && (after === 0x2c || after === 0x7d) ? first : undefined
}

/** The code of a JSON-RPC error as text; a server may have put anything there. */
export function errorCode(error: unknown): string {
  const code = isObject(error) ? error.code : undefined
  return Number.isSafeInteger(code) ? String(code) : 'no code'
}

/** What to tell a client whose upstream answered with something else than MCP. */
export function badAnswer(why: string): GatewayError {
  return new GatewayError('upstream.bad_answer', { why })
}

/** What a request ends with whose way broke after it was sent. */
export function outcomeUnknown(error: GatewayError): GatewayError {
  const isBroken = error.code === 'upstream.unreachable' || error.code === 'upstream.process_failed'
  if (!isBroken || error.noEffect) return error
  const { why, internal, cause = error } = error
  return new GatewayError('upstream.outcome_unknown', {
    why,
    cause,
    ...(internal === undefined ? {} : { internal }),
  })
}

/** What a request ends with that was not even sent, because the way had broken before. */
export function notSent(error: GatewayError): GatewayError {
  const code = error.code === 'upstream.outcome_unknown' ? 'upstream.unreachable' : error.code
  return new GatewayError(code, { why: error.why, cause: error.cause ?? error, noEffect: true })
}

/** What a request ends with that was refused because the server does not know its session any more. */
export class LostSession extends GatewayError {
  constructor() {
    super('upstream.unreachable', { why: 'It has lost the session.', noEffect: true })
  }
}

/** The server does not take the credentials. Nothing was done. */
export class Unauthorized extends GatewayError {
  readonly refused: RefusedCredentials

  constructor(refused: RefusedCredentials) {
    super('upstream.unauthorized', { why: `It answered ${refused.status}.`, noEffect: true })
    this.refused = refused
  }
}

/** What a request ends with that the server refused without naming it: it could not or would not read it. */
export class RefusedRequest extends GatewayError {
  /** The JSON-RPC error it gave, and the HTTP status. */
  readonly error: unknown
  readonly httpStatus: number

  constructor(error: unknown, httpStatus: number) {
    super('upstream.bad_answer', { why: `It refused the request itself (${errorCode(error)}).` })
    this.error = error
    this.httpStatus = httpStatus
  }
}
