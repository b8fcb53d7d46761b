/**
 * Errors of a stateless-era server, as a client of the session era has them. Everything that is not in this table passes as it came.
 *
 * | server says | client gets |
 * | --- | --- |
 * | -32602 with `data.uri` to `resources/read` | -32002, the same words: resource not found had another number (2025-11-25, server/resources) |
 * | -32020 header mismatch | `upstream.bad_answer`: the headers are the gateway's, who has tried with fresh knowledge before |
 * | -32021 missing client capability | `mcp.input_impossible`, naming the capability: the era has no code for it |
 * | -32022 unsupported version | `upstream.bad_answer`: the version is the gateway's choice, and its list speaks of another era |
 *
 * The status is 200 for all: in the session era 404 means that the session is lost.
 */
import { GatewayError } from '../../foundation/errors.ts'
import { applyPatches, isObject, type JsonObject, spanAt } from '../../foundation/json.ts'
import { badAnswer } from '../message.ts'

export const headerMismatch = -32020
const missingCapability = -32021
const unsupportedVersion = -32022

/** A whole error answer, or the error that stands for it. */
export function errorInSessionDress(bytes: Buffer, error: JsonObject, method: string): Buffer | GatewayError {
  switch (error.code) {
    case headerMismatch:
      return refusedHeaders()
    case missingCapability:
      return new GatewayError('mcp.input_impossible', { why: needed(error.data) })
    case unsupportedVersion:
      return badAnswer('It does not speak revision 2026-07-28 any more.')
    default:
      return isNotFound(error, method) ? withCode(bytes, -32002) : bytes
  }
}

/** What is left to say when fresh knowledge of the schema did not help. */
export function refusedHeaders(): GatewayError {
  return badAnswer('It refuses the headers that mirror the request.')
}

function isNotFound({ code, data }: JsonObject, method: string): boolean {
  return method === 'resources/read' && code === -32602 && isObject(data) && typeof data.uri === 'string'
}

function withCode(bytes: Buffer, code: number): Buffer {
  const span = spanAt(bytes, ['error', 'code'])
  return span ? applyPatches(bytes, [{ span, text: String(code) }]) : bytes
}

const known = ['elicitation', 'sampling', 'roots', 'extensions']

function needed(data: unknown): string {
  const required = isObject(data) && isObject(data.requiredCapabilities) ? data.requiredCapabilities : {}
  const names = known.filter(name => name in required)
  return names.length === 0
    ? 'It needs a capability that your client did not declare.'
    : `It needs ${names.join(' and ')}, which your client did not declare.`
}
