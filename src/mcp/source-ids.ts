/** Ids of servers' questions, which say which of several servers asked. */
import { applyPatches, type JsonObject, spanAt } from '../foundation/json.ts'

export function encoded(bytes: Buffer, message: JsonObject, sourceId: string): Buffer {
  const span = message.id === undefined ? undefined : spanAt(bytes, ['id'])
  if (span === undefined) return bytes
  return applyPatches(bytes, [{ span, text: JSON.stringify(`${sourceId} ${JSON.stringify(message.id)}`) }])
}

export function decode(id: string | number): { sourceId: string; id: string | number } | undefined {
  const at = typeof id === 'string' ? id.indexOf(' ') : -1
  if (typeof id !== 'string' || at < 0) return undefined
  try {
    const own: unknown = JSON.parse(id.slice(at + 1))
    const isId = typeof own === 'string' || typeof own === 'number'
    return isId ? { sourceId: id.slice(0, at), id: own } : undefined
  } catch {
    return undefined
  }
}
