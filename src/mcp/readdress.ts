/** Messages of an upstream on their way to one client: with the client's own names for things, or not at all. */
import { applyPatches, isObject, type JsonObject, type Patch, spanAt } from '../foundation/json.ts'
import type { Exchange } from './exchange.ts'
import { serverRequests } from './methods.ts'
import { metaKeys } from './versions.ts'

export type Addressee = {
  /** The gateway's id for the request: of its last try. */
  upstreamId: number
  /** The progress token the client gave, as raw JSON. */
  readonly progressToken: string | undefined
  readonly isListen: boolean
  /** May the client hear of this at all? */
  mayHear(method: string): boolean
  /** The client's name for a task; undefined when the client is not to hear of it. */
  taskName(id: unknown): string | undefined
  /** Another request of the same client that a message on this stream may be about: a task reports its progress wherever it can. */
  other?(
    upstreamId: unknown,
  ): { readdressed(bytes: Buffer, message: JsonObject): Buffer | undefined } | undefined
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
  if (message.id !== undefined)
    return era === 'session' && serverRequests.has(method) ? withTasks(bytes, message, to.options) : undefined
  const params = isObject(message.params) ? message.params : {}
  if (method === 'notifications/progress' && params.progressToken !== upstreamId)
    return to.options.other?.(params.progressToken)?.readdressed(bytes, message)
  if (method.endsWith('/list_changed')) listChanged()
  if (!mayHear(method)) return undefined
  const named = withTasks(bytes, message, to.options)
  if (named === undefined) return undefined
  if (method === 'notifications/progress')
    return progressToken === undefined ? undefined : tagged(named, ['params', 'progressToken'], progressToken)
  if (method === 'notifications/cancelled' && params.requestId === upstreamId)
    return tagged(named, ['params', 'requestId'], clientId)
  // With sessions a server takes back what it asked itself; without, there is nothing it could mean but another's request.
  if (method === 'notifications/cancelled' && era === 'stateless') return undefined
  // A listen's messages stand on the listen's own stream; elsewhere they would pass for those of another.
  if (!isListen && isObject(params._meta) && metaKeys.subscription in params._meta) return undefined
  return isListen ? tagged(named, ['params', '_meta', metaKeys.subscription], clientId) : named
}

const aboutTasks = new Set(['notifications/tasks', 'notifications/tasks/status'])

/** A message with the client's names for the tasks it speaks of; undefined when it is about one that is not for the client. */
export function withTasks(
  bytes: Buffer,
  { method, params }: JsonObject,
  { taskName }: Pick<Addressee, 'taskName'>,
): Buffer | undefined {
  if (!isObject(params)) return bytes
  const patches: Patch[] = []
  const rename = (id: unknown, path: readonly string[]): boolean => {
    const name = taskName(id)
    const span = name === undefined ? undefined : spanAt(bytes, path)
    if (span !== undefined) patches.push({ span, text: JSON.stringify(name) })
    return span !== undefined
  }
  if (aboutTasks.has(String(method)) && !rename(params.taskId, ['params', 'taskId'])) return undefined
  const related = isObject(params._meta) ? params._meta[metaKeys.relatedTask] : undefined
  const relatedPath = ['params', '_meta', metaKeys.relatedTask, 'taskId']
  if (isObject(related) && !rename(related.taskId, relatedPath)) return undefined
  if (method === 'notifications/subscriptions/acknowledged')
    patches.push(...honoured(bytes, params, taskName))
  return applyPatches(bytes, patches)
}

// The tasks a listen was acknowledged for.
function honoured(bytes: Buffer, { notifications }: JsonObject, taskName: Addressee['taskName']): Patch[] {
  const ids = isObject(notifications) ? notifications.taskIds : undefined
  const span = Array.isArray(ids) ? spanAt(bytes, ['params', 'notifications', 'taskIds']) : undefined
  if (span === undefined || !Array.isArray(ids)) return []
  const names = ids.map(taskName).filter(name => name !== undefined)
  return [{ span, text: JSON.stringify(names) }]
}

/** The bytes with the value at a path replaced, where there is one. */
export function tagged(bytes: Buffer, path: readonly string[], value: string): Buffer {
  const span = spanAt(bytes, path)
  return span === undefined ? bytes : applyPatches(bytes, [{ span, text: value }])
}
