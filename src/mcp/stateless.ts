/** The stateless era: every request stands alone, and a closed response is a cancellation. */
import type { IncomingHttpHeaders } from 'node:http'
import { fail } from '../foundation/errors.ts'
import { applyPatches, isObject, type JsonObject, spanAt } from '../foundation/json.ts'
import type { Principal } from '../identity/index.ts'
import type { Connections, Crossings, Upstream } from '../upstreams/index.ts'
import { answerNothing } from './answer-ok.ts'
import { checkMirrored, checkMirroredArguments, type Incoming } from './classify.ts'
import { type ClearParts, clear, mayDo, mustSeeNothing } from './clear.ts'
import type { Exchange } from './exchange.ts'
import { type ForwardParts, prepare, send } from './forward.ts'
import { methods } from './methods.ts'
import type { Streams } from './streams.ts'

export type StatelessParts = ClearParts &
  ForwardParts & {
    readonly connections: Connections
    readonly crossings: Crossings
    readonly streams: Streams
  }

type StatelessRequest = Extract<Incoming, { kind: 'request' }>

export type Visit = {
  readonly exchange: Exchange
  readonly principal: Principal
  readonly upstream: Upstream
  readonly bytes: Buffer
}

/** Leads one request of the stateless era through the rooms. */
export async function serveStateless(
  parts: StatelessParts,
  visit: Visit,
  incoming: StatelessRequest,
): Promise<void> {
  const { exchange, principal, upstream } = visit
  const { method, params } = incoming
  const row = methods.get(method)
  if (row === undefined || row.eras === 'session') {
    // Headers first, so that a lie about the method is a lie and not an unknown method.
    checkMirrored(exchange.request.headers, method, undefined)
    fail('mcp.method_unknown', {
      why: `There is no method ${JSON.stringify(method.slice(0, 100))} in this revision.`,
    })
  }
  checkMirrored(exchange.request.headers, method, mirroredName(row.subject, params))
  const aim = { row, params, upstream, principal }
  if (row.list !== undefined && mustSeeNothing(parts, exchange, aim)) return answerNothing(exchange, row.list)
  const equipped = await clear(parts, exchange, aim)
  if (row.action === 'tool.call') checkArguments(parts, visit, params)
  const eras = parts.catalogue.eras(upstream.id) ?? (await parts.catalogue.learnEras(upstream))
  const link = eras.includes('stateless')
    ? await parts.connections.stateless(equipped)
    : parts.crossings.stateless(equipped)
  if (exchange.response.destroyed) return exchange.record('cancelled', null, () => undefined)
  const isListen = row.shape === 'listen'
  if (isListen) parts.streams.reserve(exchange)
  const cleared = { exchange, principal, upstream, row, method, params, bytes: visit.bytes }
  const { outgoing, reply } = prepare(parts, cleared, {
    mirrored: mirroredHeaders(exchange.request.headers),
    ...(isListen ? { body: allowedListen(parts, visit, params) } : {}),
    ended: () => parts.streams.remove(reply),
  })
  parts.streams.add(reply)
  send(link, outgoing, reply)
}

// The name that Mcp-Name mirrors; completion has a subject but no mirrored name.
function mirroredName(subject: 'name' | 'uri' | 'ref' | undefined, params: JsonObject): string | undefined {
  if (subject !== 'name' && subject !== 'uri') return undefined
  const value = params[subject]
  if (typeof value !== 'string')
    fail('mcp.invalid_params', { why: `The parameter ${subject} is missing or not a string.` })
  return value
}

// Only now, because it shows that there is such a tool.
function checkArguments(
  { catalogue }: StatelessParts,
  { exchange, upstream }: Visit,
  params: JsonObject,
): void {
  const mirrored = catalogue.mirroredArguments(upstream.id, String(params.name))
  checkMirroredArguments(exchange.request.headers, params.arguments, mirrored)
}

const mirrored = ['mcp-protocol-version', 'mcp-method', 'mcp-name']

/** The MCP headers of the request, which the upstream checks again, as flat pairs. */
function mirroredHeaders(headers: IncomingHttpHeaders): string[] {
  const pairs: string[] = []
  for (const name of mirrored) {
    const value = headers[name]
    if (typeof value === 'string') pairs.push(name, value)
  }
  for (const name in headers) {
    if (!name.startsWith('mcp-param-')) continue
    const value = headers[name]
    if (typeof value !== 'string' || !/^[\x20-\x7e\t]*$/.test(value))
      fail('mcp.header_mismatch', { why: `The header ${name} is not plain text.` })
    pairs.push(name, value)
  }
  return pairs
}

/** The listen request without what the caller may not hear about; the acknowledgement then names what is left. */
function allowedListen(
  parts: StatelessParts,
  { principal, upstream, bytes }: Visit,
  params: JsonObject,
): Buffer {
  const filter = params.notifications
  if (!isObject(filter)) fail('mcp.invalid_params', { why: 'The parameter notifications must be an object.' })
  const { taskIds: _, ...wanted } = filter
  const allowed: Record<string, unknown> = wanted
  if (!mayDo(parts.access, principal, upstream, 'resource.read')) delete allowed.resourceSubscriptions
  if (!mayDo(parts.access, principal, upstream, 'resource.list')) delete allowed.resourcesListChanged
  if (!mayDo(parts.access, principal, upstream, 'prompt.list')) delete allowed.promptsListChanged
  const span = spanAt(bytes, ['params', 'notifications'])
  return span && Object.keys(allowed).length !== Object.keys(filter).length
    ? applyPatches(bytes, [{ span, text: JSON.stringify(allowed) }])
    : bytes
}
