/** The headers that mirror a request (MCP 2026-07-28, basic/transports/streamable-http, "Request Metadata"). */
import { isObject, type JsonObject } from '../../foundation/json.ts'
import type { MirroredArgument } from '../mirrored-arguments.ts'
import { latestStatelessVersion } from '../revisions.ts'

const named: Readonly<Record<string, 'name' | 'uri'>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
}

/** As flat pairs. */
export function mirroredHeaders(
  method: string,
  params: JsonObject,
  mirrored: readonly MirroredArgument[] = [],
): string[] {
  const pairs = ['mcp-protocol-version', latestStatelessVersion, 'mcp-method', method]
  const name = named[method] && params[named[method]]
  if (typeof name === 'string') pairs.push('mcp-name', encodeMirrored(name))
  for (const { header, path } of mirrored) {
    const value = path.reduce(stepInto, params.arguments)
    if (isMirrored(value)) pairs.push(header, encodeMirrored(String(value)))
  }
  return pairs
}

function stepInto(from: unknown, step: string): unknown {
  return isObject(from) && Object.hasOwn(from, step) ? from[step] : undefined
}

function isMirrored(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'boolean' || Number.isSafeInteger(value)
}

const plain = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/
const dressed = /^=\?base64\?.*\?=$/

/** A value as a header can carry it (ibid., "Value Encoding"). */
export function encodeMirrored(value: string): string {
  return plain.test(value) && !dressed.test(value)
    ? value
    : `=?base64?${Buffer.from(value).toString('base64')}?=`
}
