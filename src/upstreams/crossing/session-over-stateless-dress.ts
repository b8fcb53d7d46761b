/** Answers of a stateless-era server in the dress of the session era. */
import { isObject, type JsonObject, spanAt } from '../../foundation/json.ts'
import { edited } from '../../foundation/json-edit.ts'
import { latestSessionVersion, metaKeys, sessionVersions } from '../revisions.ts'
import { isImplementation } from './client-face.ts'

/** Members of every result, and of those that may be cached, that the session era does not have (MCP 2026-07-28, basic/index, server/utilities/caching). */
export const foreignMembers: ReadonlySet<string> = new Set(['resultType', 'ttlMs', 'cacheScope'])

/** A whole answer without them. */
export function inSessionDress(bytes: Buffer): Buffer {
  return edited(bytes, ['result'], { drop: foreignMembers })
}

const ofDiscovery = new Set([
  ...foreignMembers,
  'supportedVersions',
  'protocolVersion',
  'serverInfo',
  'capabilities',
  '_meta',
])

/** An InitializeResult out of a DiscoverResult, both as whole answers (2026-07-28, server/discover; 2025-11-25, basic/lifecycle). */
export function greeting(
  bytes: Buffer,
  result: JsonObject,
  to: { readonly requested: unknown; readonly serverName: string },
): Buffer {
  const meta = metaOf(bytes, result)
  const add = {
    protocolVersion: JSON.stringify(versionFor(to.requested)),
    capabilities: capabilitiesOf(bytes, result),
    serverInfo: serverOf(bytes, result) ?? JSON.stringify({ name: to.serverName, version: 'unknown' }),
    ...(meta === undefined ? {} : { _meta: meta }),
  }
  return edited(bytes, ['result'], { drop: ofDiscovery, add })
}

function versionFor(requested: unknown): string {
  return sessionVersions.find(version => version === requested) ?? latestSessionVersion
}

function raw(bytes: Buffer, path: readonly string[]): string | undefined {
  const span = spanAt(bytes, path)
  return span && bytes.toString('utf8', span.start, span.end)
}

// Some servers say who they are where the session era does.
function serverOf(bytes: Buffer, result: JsonObject): string | undefined {
  const meta = isObject(result._meta) ? result._meta : {}
  if (isImplementation(meta[metaKeys.server])) return raw(bytes, ['result', '_meta', metaKeys.server])
  return isImplementation(result.serverInfo) ? raw(bytes, ['result', 'serverInfo']) : undefined
}

function metaOf(bytes: Buffer, { _meta }: JsonObject): string | undefined {
  if (!isObject(_meta) || Object.keys(_meta).every(key => key === metaKeys.server)) return undefined
  return edited(Buffer.from(raw(bytes, ['result', '_meta']) ?? ''), [], {
    drop: new Set([metaKeys.server]),
  }).toString()
}

// What of them is not relayed between the eras is the plane's to leave out.
function capabilitiesOf(bytes: Buffer, { capabilities }: JsonObject): string {
  return isObject(capabilities) ? (raw(bytes, ['result', 'capabilities']) ?? '{}') : '{}'
}
