/** Messages of an upstream on their way to one client: with the client's own names for things, or not at all. */
import { applyPatches, isObject, type JsonObject, spanAt } from '../foundation/json.ts'
import type { Exchange } from './exchange.ts'
import { serverRequests } from './methods.ts'
import { metaKeys } from './versions.ts'

export type Addressee = {
  readonly upstreamId: number
  /** The progress token the client gave, as raw JSON. */
  readonly progressToken: string | undefined
  readonly isListen: boolean
  /** May the client hear of this at all? */
  mayHear(method: string): boolean
  /** Told when the upstream says that one of its lists changed. */
  listChanged(): void
}

/** The message as this client may have it; undefined when it is not for this client. */
export function readdressed(
  bytes: Buffer,
  message: JsonObject,
  to: { readonly exchange: Exchange; readonly options: Addressee },
): Buffer | undefined {
  const { era, clientId } = to.exchange
  const { upstreamId, progressToken, isListen, mayHear, listChanged } = to.options
  const method = String(message.method)
  if (message.id !== undefined) return era === 'session' && serverRequests.has(method) ? bytes : undefined
  const params = isObject(message.params) ? message.params : {}
  if (method === 'notifications/progress') {
    if (params.progressToken !== upstreamId || progressToken === undefined) return undefined
    return tagged(bytes, ['params', 'progressToken'], progressToken)
  }
  if (method.endsWith('/list_changed')) listChanged()
  if (!mayHear(method)) return undefined
  if (method === 'notifications/cancelled' && params.requestId === upstreamId)
    return tagged(bytes, ['params', 'requestId'], clientId)
  // With sessions a server takes back what it asked itself; without, there is nothing it could mean but another's request.
  if (method === 'notifications/cancelled' && era === 'stateless') return undefined
  // A listen's messages stand on the listen's own stream; elsewhere they would pass for those of another.
  const meta = isObject(params._meta) ? params._meta : {}
  if (!isListen && metaKeys.subscription in meta) return undefined
  return isListen ? tagged(bytes, ['params', '_meta', metaKeys.subscription], clientId) : bytes
}

/** The bytes with the value at a path replaced, where there is one. */
export function tagged(bytes: Buffer, path: readonly string[], value: string): Buffer {
  const span = spanAt(bytes, path)
  return span === undefined ? bytes : applyPatches(bytes, [{ span, text: value }])
}
