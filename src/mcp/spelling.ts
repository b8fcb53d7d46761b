/** Members that some servers read where the gateway does not: Go takes JSON names in any case, so `Name` would overrule `name`. */
import { fail } from '../foundation/errors.ts'
import { isObject, type JsonObject } from '../foundation/json.ts'
import { metaKeys } from './versions.ts'

/** Every member that is decided by, rewritten or filtered here. */
const decisive = new Set([
  ...['jsonrpc', 'id', 'method', 'params', 'result', 'error'],
  ...['name', 'uri', 'ref', 'type', 'arguments', 'cursor', '_meta', 'progressToken', 'requestId'],
  ...['protocolVersion', 'capabilities', 'notifications'],
  ...['task', 'taskId', 'taskIds', 'requestState', 'inputResponses'],
  ...['resourceSubscriptions', 'resourcesListChanged', 'promptsListChanged', 'toolsListChanged'],
  ...Object.values(metaKeys),
])
const folded = new Set([...decisive].map(fold))

// Up and down, because the long s and the Kelvin sign meet their letters only one way each.
function fold(key: string): string {
  return key.toUpperCase().toLowerCase()
}

/** Throws `mcp.invalid_request` when a message has a member that is one of the protocol but for its case. */
export function checkSpelling(body: JsonObject): void {
  checkKeys(body)
  if (!isObject(body.params)) return
  checkKeys(body.params)
  const { _meta, ref, notifications } = body.params
  const related = isObject(_meta) ? _meta[metaKeys.relatedTask] : undefined
  for (const part of [_meta, ref, notifications, related]) if (isObject(part)) checkKeys(part)
}

function checkKeys(object: JsonObject): void {
  for (const key of Object.keys(object)) {
    if (decisive.has(key) || !folded.has(fold(key))) continue
    fail('mcp.invalid_request', {
      why: `The member ${JSON.stringify(key.slice(0, 64))} is one of the protocol in another spelling.`,
    })
  }
}
