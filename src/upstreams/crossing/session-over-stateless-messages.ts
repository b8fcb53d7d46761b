/** Notifications of a stateless-era server on their way to a session-era client. */
import { applyPatches, isObject, type JsonObject, spanAt } from '../../foundation/json.ts'
import { edited } from '../../foundation/json-edit.ts'
import { metaKeys } from '../revisions.ts'

export type Passed = { readonly bytes: Buffer; readonly message: JsonObject }

/** Where a notification names the request it is about. */
const naming: Readonly<Record<string, string>> = {
  'notifications/progress': 'progressToken',
  'notifications/cancelled': 'requestId',
}

/**
 * A message on the stream of a request: about the call by its first id, whatever the round. Undefined for what may not come there:
 * requests of the server, and what belongs to subscriptions.
 */
export function ofCall(
  bytes: Buffer,
  message: JsonObject,
  ids: { readonly from: number; readonly to: number },
): Passed | undefined {
  const method = String(message.method)
  if (message.id !== undefined || method === 'notifications/subscriptions/acknowledged') return undefined
  const key = naming[method]
  if (key === undefined) return { bytes, message }
  const { params } = message
  const span = spanAt(bytes, ['params', key])
  if (!isObject(params) || params[key] !== ids.from || span === undefined) return undefined
  return {
    bytes: applyPatches(bytes, [{ span, text: String(ids.to) }]),
    message: { ...message, params: { ...params, [key]: ids.to } },
  }
}

const subscription = new Set<string>([metaKeys.subscription])

/** A message of a subscription, without its name. */
export function ofSubscription(bytes: Buffer, message: JsonObject): Passed {
  const meta =
    isObject(message.params) && isObject(message.params._meta) ? Object.keys(message.params._meta) : []
  const isAlone = meta.every(key => subscription.has(key))
  return {
    bytes: isAlone
      ? edited(bytes, ['params'], { drop: new Set(['_meta']) })
      : edited(bytes, ['params', '_meta'], { drop: subscription }),
    message,
  }
}
