import type { IncomingMessage } from 'node:http'
import { fail } from '../foundation/errors.ts'
import { isObject, type JsonObject, parseBounded } from '../foundation/json.ts'
import { readBytes } from '../foundation/read-bytes.ts'

/** The body of a SCIM request. Throws `http.bad_content_type`, `http.body_too_large`, `json.*`. */
export async function readScim(request: IncomingMessage, mostBytes: number): Promise<JsonObject> {
  if (!/^application\/(?:scim\+)?json\s*(?:;|$)/i.test(request.headers['content-type'] ?? ''))
    fail('http.bad_content_type', { fix: 'Send Content-Type: application/scim+json.' })
  const body = parseBounded(await readBytes(request, mostBytes))
  return isObject(body) ? normalised(body) : fail('json.malformed', { why: 'The body is not an object.' })
}

/** Entra says the boolean `active` as the words "True" and "False" in patches. */
function normalised(body: JsonObject): JsonObject {
  if (!Array.isArray(body.Operations)) return body
  const operations: unknown[] = body.Operations
  return {
    ...body,
    Operations: operations.map(operation => (isObject(operation) ? said(operation) : operation)),
  }
}

function said(operation: JsonObject): JsonObject {
  const { path, value } = operation
  if (path === 'active') return { ...operation, value: truth(value) }
  if (path === undefined && isObject(value) && 'active' in value)
    return { ...operation, value: { ...value, active: truth(value.active) } }
  return operation
}

function truth(value: unknown): unknown {
  if (typeof value !== 'string') return value
  const word = value.toLowerCase()
  return word === 'true' ? true : word === 'false' ? false : value
}
