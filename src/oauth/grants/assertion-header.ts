import { isObject, type JsonObject } from '../../foundation/json.ts'

/** The header of a JWT that was verified. */
export function decodedHeader(assertion: string): JsonObject {
  const header: unknown = JSON.parse(Buffer.from(assertion.split('.', 1)[0] ?? '', 'base64url').toString())
  return isObject(header) ? header : {}
}
