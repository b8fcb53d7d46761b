import { spanAt } from '../foundation/json.ts'
import type { Incoming } from './classify.ts'
import type { Exchange } from './exchange.ts'
import { methods } from './methods.ts'

/** Errors about a message carry its id where it has a usable one, exactly as it was written. */
export function noteId(exchange: Exchange, bytes: Buffer, body: unknown): void {
  exchange.bytesIn = bytes.length
  exchange.action = 'POST'
  if (typeof body !== 'object' || body === null || !('id' in body)) return
  const { id } = body
  const isUsable = typeof id === 'string' ? id.length <= 128 : Number.isSafeInteger(id)
  const span = isUsable ? spanAt(bytes, ['id']) : undefined
  if (span) exchange.clientId = bytes.toString('utf8', span.start, span.end)
}

/** What the audit says of it. */
export function noteMessage(exchange: Exchange, incoming: Incoming): void {
  exchange.era = incoming.era
  exchange.action = 'method' in incoming ? known(incoming.method) : 'response'
}

function known(method: string): string {
  return methods.has(method) || method === 'initialize' ? method : 'other'
}
