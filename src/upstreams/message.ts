import { GatewayError } from '../foundation/errors.ts'
import { applyPatches, isObject, type JsonObject, spanAt } from '../foundation/json.ts'

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
  if (typeof body.method === 'string') {
    const isRequest = typeof body.id === 'string' || typeof body.id === 'number'
    return { kind: isRequest ? 'request' : 'notification', body, method: body.method }
  }
  return isObject(body.result) || isObject(body.error) ? { kind: 'answer', body } : undefined
}

/** The answer with the id the client gave in place of ours, every other byte as it came. */
export function readdress(bytes: Buffer, upstreamId: number, clientId: string): Buffer {
  const pattern = `"id":${upstreamId}`
  const at = bytes.indexOf(pattern)
  const after = at < 0 ? 0 : bytes[at + pattern.length]
  if (at >= 0 && (after === 0x2c || after === 0x7d) && bytes.lastIndexOf(pattern) === at) {
    return Buffer.concat([
      bytes.subarray(0, at + 5),
      Buffer.from(clientId),
      bytes.subarray(at + pattern.length),
    ])
  }
  const span = spanAt(bytes, ['id'])
  return span === undefined ? bytes : applyPatches(bytes, [{ span, text: clientId }])
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
