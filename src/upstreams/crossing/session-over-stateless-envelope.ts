/** A request of a session-era client as the stateless era has it (MCP 2026-07-28, basic/index, `_meta`; basic/patterns/mrtr). */
import { applyPatches, isObject, type JsonObject, spanAt } from '../../foundation/json.ts'
import { edited } from '../../foundation/json-edit.ts'
import { latestStatelessVersion, metaKeys } from '../revisions.ts'
import { isImplementation } from './client-face.ts'

/** Raw JSON by member. */
export type RawMembers = Readonly<Record<string, string>>

const reserved = 'io.modelcontextprotocol/'

/** What only the other era reads in parameters: its answers and states are the gateway's to give, and tasks do not cross. */
const foreign = new Set(['inputResponses', 'requestState', 'task'])

/** The members of `_meta` that every request carries. `client` is what the client said of itself. */
export function envelope(
  client: { readonly capabilities: JsonObject; readonly clientInfo: unknown },
  logLevel?: string,
): RawMembers {
  return {
    [metaKeys.version]: JSON.stringify(latestStatelessVersion),
    ...(isImplementation(client.clientInfo) ? { [metaKeys.client]: JSON.stringify(client.clientInfo) } : {}),
    [metaKeys.capabilities]: JSON.stringify(client.capabilities),
    ...(logLevel === undefined ? {} : { [metaKeys.logLevel]: JSON.stringify(logLevel) }),
  }
}

/** The request with this id, envelope and further parameters; of what the client wrote, every byte that can mean something there. */
export function enveloped(
  body: Buffer,
  params: JsonObject,
  to: { readonly upstreamId: number; readonly meta: RawMembers; readonly more: RawMembers },
): Buffer {
  const bytes = readdressed(body, to.upstreamId)
  if (spanAt(bytes, ['params']) === undefined)
    return edited(bytes, [], { add: { params: written({ _meta: written(to.meta), ...to.more }) } })
  if (!isObject(params._meta))
    return edited(bytes, ['params'], { drop: foreign, add: { _meta: written(to.meta), ...to.more } })
  const drop = new Set(Object.keys(params._meta).filter(key => key.startsWith(reserved)))
  const inMeta = edited(bytes, ['params', '_meta'], { drop, add: to.meta })
  return edited(inMeta, ['params'], { drop: foreign, add: to.more })
}

// Progress is told by the id of the request it is of, so that it finds its way on every transport.
function readdressed(body: Buffer, upstreamId: number): Buffer {
  const spans = [spanAt(body, ['id']), spanAt(body, ['params', '_meta', 'progressToken'])]
  return applyPatches(
    body,
    spans.flatMap(span => (span ? [{ span, text: String(upstreamId) }] : [])),
  )
}

/** An object of raw JSON members. */
export function written(members: RawMembers): string {
  return `{${Object.entries(members)
    .map(([key, value]) => `${JSON.stringify(key)}:${value}`)
    .join(',')}}`
}
