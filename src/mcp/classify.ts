/** Body first: which era a POST speaks, and whether its headers say the same (MCP 2026-07-28, basic/transports; 2025-11-25, basic/transports). */
import { isUtf8 } from 'node:buffer'
import type { IncomingHttpHeaders } from 'node:http'
import { fail } from '../foundation/errors.ts'
import { isObject, type JsonObject } from '../foundation/json.ts'
import type { MirroredArgument } from '../upstreams/index.ts'
import { checkSpelling } from './spelling.ts'
import { eraOf, looksStateless, metaKeys, sessionVersions, statelessVersions } from './versions.ts'

export type Incoming =
  | {
      readonly kind: 'request'
      readonly era: 'session' | 'stateless'
      readonly id: string | number
      readonly method: string
      readonly params: JsonObject
    }
  | {
      readonly kind: 'notification'
      readonly era: 'session' | 'stateless'
      readonly method: string
      readonly params: JsonObject
    }
  | { readonly kind: 'response'; readonly era: 'session'; readonly id: string | number }

const none: JsonObject = Object.freeze({})
const maxIdLength = 128

function isId(id: unknown): id is string | number {
  return typeof id === 'string' ? id.length <= maxIdLength : Number.isSafeInteger(id)
}

/** Reads the parsed body of a POST. Throws `mcp.*` with the JSON-RPC code the era asks for. */
export function classify(body: unknown, headers: IncomingHttpHeaders): Incoming {
  if (Array.isArray(body)) fail('mcp.batch_refused')
  if (!isObject(body)) fail('mcp.invalid_request', { why: 'The body is not a JSON-RPC message.' })
  checkSpelling(body)
  if (body.jsonrpc !== '2.0') fail('mcp.invalid_request', { why: 'The member jsonrpc must be "2.0".' })
  if (body.method === undefined) return classifyResponse(body)
  const { method } = body
  if (typeof method !== 'string' || method.length > 128)
    fail('mcp.invalid_request', { why: 'The member method must be a string.' })
  if (body.params !== undefined && !isObject(body.params))
    fail('mcp.invalid_request', { why: 'The member params must be an object.' })
  const params = body.params ?? none
  if ('id' in body && !isId(body.id)) {
    fail('mcp.invalid_request', {
      why: `The id must be a string of at most ${maxIdLength} characters or a safe integer.`,
    })
  }
  const meta = metaOf(params)
  if (!('id' in body)) return { kind: 'notification', era: eraOfNotification(meta, headers), method, params }
  if (!isId(body.id)) fail('mcp.invalid_request')
  return { kind: 'request', era: eraOfRequest(method, meta, headers), id: body.id, method, params }
}

function metaOf(params: JsonObject): JsonObject {
  const meta = params._meta ?? none
  return isObject(meta) ? meta : fail('mcp.invalid_params', { why: 'The member _meta must be an object.' })
}

function classifyResponse(body: JsonObject): Incoming {
  if (!isId(body.id) || 'result' in body === 'error' in body) {
    fail('mcp.invalid_request', { why: 'The message is neither a request nor a response.' })
  }
  return { kind: 'response', era: 'session', id: body.id }
}

type VersionedEra = 'session' | 'stateless'

function namesStateless(header: string | string[] | undefined): boolean {
  return typeof header === 'string' && looksStateless(header)
}

function eraOfRequest(method: string, meta: JsonObject, headers: IncomingHttpHeaders): VersionedEra {
  const header = headers['mcp-protocol-version']
  const claim = meta[metaKeys.version]
  const isWhole = typeof claim === 'string' && isObject(meta[metaKeys.capabilities])
  if (method === 'initialize' && !(isWhole && looksStateless(claim))) {
    if (namesStateless(header))
      fail('mcp.header_mismatch', { why: 'MCP-Protocol-Version names a revision without initialize.' })
    return 'session'
  }
  if (claim === undefined) {
    if (namesStateless(header))
      fail('mcp.invalid_params', {
        why: `Requests of this revision carry params._meta["${metaKeys.version}"].`,
      })
    checkSessionVersion(header)
    return 'session'
  }
  if (!isWhole) {
    const [key, type] =
      typeof claim === 'string' ? [metaKeys.capabilities, 'an object'] : [metaKeys.version, 'a string']
    fail('mcp.invalid_params', { why: `params._meta["${key}"] must be ${type}.` })
  }
  if (header === undefined)
    fail('mcp.header_mismatch', { why: 'The header MCP-Protocol-Version is missing.' })
  checkStatelessVersion(claim, header)
  return 'stateless'
}

// A notification needs no envelope; whichever of header and claim is there names its revision.
function eraOfNotification(meta: JsonObject, headers: IncomingHttpHeaders): VersionedEra {
  const header = headers['mcp-protocol-version']
  const claim = meta[metaKeys.version]
  if (claim !== undefined && typeof claim !== 'string')
    fail('mcp.invalid_params', { why: `params._meta["${metaKeys.version}"] must be a string.` })
  const version = claim ?? (namesStateless(header) ? String(header) : undefined)
  if (version === undefined) {
    checkSessionVersion(header)
    return 'session'
  }
  checkStatelessVersion(version, header ?? version)
  return 'stateless'
}

// Some clients leave the header out after initialize; the session remembers what was agreed.
function checkSessionVersion(header: string | string[] | undefined): void {
  if (header === undefined || (typeof header === 'string' && eraOf(header) === 'session')) return
  fail('mcp.version_unsupported', {
    why: 'MCP-Protocol-Version names no revision this gateway speaks.',
    data: { supported: sessionVersions, requested: header },
  })
}

function checkStatelessVersion(claim: string, header: string | string[]): void {
  if (header !== claim)
    fail('mcp.header_mismatch', { why: 'MCP-Protocol-Version is not the version in the body.' })
  if (eraOf(claim) !== 'stateless')
    fail('mcp.version_unsupported', { data: { supported: statelessVersions, requested: claim } })
}

const dress = { start: '=?base64?', end: '?=' } as const

/** The value behind a mirrored header: as it stands, or out of its base64 dress. Undefined when it cannot be one. */
export function decodeMirrored(value: string): string | undefined {
  if (!value.startsWith(dress.start) || !value.endsWith(dress.end))
    return /^[\x20-\x7e]*$/.test(value) ? value : undefined
  const inside = value.slice(dress.start.length, -dress.end.length)
  const bytes = Buffer.from(inside, 'base64')
  return isUtf8(bytes) && bytes.toString('base64') === inside ? bytes.toString('utf8') : undefined
}

/** The value of a mirrored header: as it stands where that is plain text, in its base64 dress otherwise. */
export function encodeMirrored(value: string): string {
  const isPlain = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(value)
  return isPlain && !value.startsWith(dress.start)
    ? value
    : `${dress.start}${Buffer.from(value).toString('base64')}${dress.end}`
}

/** Checks that Mcp-Method and Mcp-Name mirror the body (MCP 2026-07-28, basic/transports/streamable-http). Throws `mcp.header_mismatch`. */
export function checkMirrored(headers: IncomingHttpHeaders, method: string, name: string | undefined): void {
  checkOne('Mcp-Method', headers['mcp-method'], method)
  if (name !== undefined) checkOne('Mcp-Name', headers['mcp-name'], name)
}

/** Checks that the headers of mirrored arguments say what the body says. Throws `mcp.header_mismatch`. */
export function checkMirroredArguments(
  headers: IncomingHttpHeaders,
  args: unknown,
  mirrored: readonly MirroredArgument[],
): void {
  for (const { header, path } of mirrored) {
    const value = path.reduce(
      (from, step) => (isObject(from) && Object.hasOwn(from, step) ? from[step] : undefined),
      args,
    )
    const given = headers[header]
    if (!canBeMirrored(value)) {
      if (given === undefined) continue
      fail('mcp.header_mismatch', { why: `The header ${header} mirrors an argument the body does not have.` })
    }
    if (given === undefined) fail('mcp.header_mismatch', { why: `The header ${header} is missing.` })
    if (typeof given !== 'string' || !mirrors(decodeMirrored(given), value))
      fail('mcp.header_mismatch', { why: `The header ${header} is not what the body says.` })
  }
}

function canBeMirrored(value: unknown): value is string | number | boolean {
  return typeof value === 'number'
    ? Number.isSafeInteger(value)
    : ['string', 'boolean'].includes(typeof value)
}

function mirrors(decoded: string | undefined, value: string | number | boolean): boolean {
  if (decoded === undefined || typeof value !== 'number') return decoded === String(value)
  return /^-?\d{1,20}(?:\.\d{1,20})?$/.test(decoded) && Number(decoded) === value
}

function checkOne(header: string, value: string | string[] | undefined, expected: string): void {
  if (value === undefined) fail('mcp.header_mismatch', { why: `The header ${header} is missing.` })
  if (typeof value !== 'string' || decodeMirrored(value) !== expected) {
    fail('mcp.header_mismatch', { why: `The header ${header} is not what the body says.` })
  }
}
