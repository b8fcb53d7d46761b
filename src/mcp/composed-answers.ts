/** What the gateway itself answers where several servers stand behind one address: who it is, and its lists. */
import { GatewayError } from '../foundation/errors.ts'
import type { JsonObject } from '../foundation/json.ts'
import { version } from '../foundation/version.ts'
import type { Principal } from '../identity/index.ts'
import {
  type ComposedServer,
  type Composition,
  everythingId,
  mayUseItem,
  metaTools,
  type Served,
} from '../servers/index.ts'
import type { Asker, Catalogue, ItemKind, Upstream } from '../upstreams/index.ts'
import { answerError } from './answer-error.ts'
import { type ClearParts, mayList, mayShow, mayUse } from './clear.ts'
import { askerOf, type Exchange } from './exchange.ts'
import { KeptLists } from './kept-lists.ts'
import type { MethodRow } from './methods.ts'
import { offered } from './offered.ts'
import type { Visit } from './stateless.ts'
import { isSearched, type ToolListParts } from './tool-list.ts'
import { statelessVersions } from './versions.ts'

/** How long a list waits for servers that were never read. */
const patienceMilliseconds = 2500

export type Composed = Omit<Visit, 'upstream'> & { readonly upstream: ComposedServer }

const kinds: Readonly<Record<string, ItemKind>> = {
  tools: 'tool',
  resources: 'resource',
  resourceTemplates: 'template',
  prompts: 'prompt',
}

/** Answers a list or a discovery. */
export async function answerComposed(parts: ToolListParts, visit: Composed, row: MethodRow): Promise<void> {
  const { exchange, principal, upstream } = visit
  if (!mayUse(parts.access, principal, upstream)) throw new GatewayError('access.not_found')
  exchange.decision = { allowed: true, reason: 'each thing is decided about by itself' }
  await waitForUnread(parts.catalogue, upstream, askerOf(exchange, principal))
  if (row.list === undefined) return answerWith(exchange, discovery(upstream))
  const isShort = row.list === 'tools' && isSearched(parts, visit)
  answerWith(exchange, isShort ? searchedList(parts, visit) : listed(parts, visit, row.list))
}

/**
 * What a caller sees of a server at which they have no account yet: what it showed others, as far as they may use it. False where
 * nothing is known of it, or something else was asked.
 */
export function answerBefore(
  parts: ClearParts,
  visit: Visit & { readonly upstream: Upstream },
  row: MethodRow,
): boolean {
  const { exchange, principal, upstream } = visit
  const { list: key, shape } = row
  const kind = key === undefined ? undefined : kinds[key]
  if (shape === 'discover') return answered(exchange, discovery(upstream))
  if (kind === undefined || key === undefined || parts.catalogue.facts(upstream.id) === undefined)
    return false
  const owner = { principal, upstream }
  const items = parts.catalogue.items(upstream.id).filter(item => item.kind === kind)
  const shown = items.filter(({ name, definition }) =>
    key === 'tools' ? mayList(parts, owner, name) : mayShow(parts.access, owner, key, JSON.parse(definition)),
  )
  const meta = {
    'dev.gatehouse/why': 'No account of yours is connected; this is what the server offers others.',
  }
  return answered(
    exchange,
    listOf(
      key,
      shown.map(({ definition }) => definition),
      { era: exchange.era, meta },
    ),
  )
}

function answered(exchange: Exchange, result: string): true {
  exchange.decision = { allowed: true, reason: 'each thing is decided about by itself' }
  answerWith(exchange, result)
  return true
}

/** Sends a result of the gateway's own, once it is in the audit. */
export function answerWith(exchange: Exchange, result: string | Buffer): void {
  const start = Buffer.from(`{"jsonrpc":"2.0","id":${exchange.clientId},"result":`)
  const rest = typeof result === 'string' ? ended(result) : result
  exchange.bytesOut = start.length + rest.length
  exchange.record('ok', null, failure => {
    const { outlet } = exchange
    if (failure !== undefined) answerError(exchange, new GatewayError('audit.unavailable'))
    else if (outlet.answerWhole?.(start, rest) !== true) outlet.answer(Buffer.concat([start, rest]), 200)
  })
}

/** A result, and the end of the message it stands in. */
function ended(result: string): Buffer {
  return Buffer.from(`${result}}`)
}

/** How long nobody waits again for a server that could not be read. */
const restMilliseconds = 30_000
const waitedAt = new WeakMap<Upstream, number>()

/** With what the caller has there: of some servers the gateway itself has nothing. */
async function waitForUnread(catalogue: Catalogue, server: ComposedServer, asker: Asker): Promise<void> {
  const now = performance.now()
  const isRested = (upstream: Upstream) =>
    now - (waitedAt.get(upstream) ?? -restMilliseconds) >= restMilliseconds
  const unread = server.unread().filter(isRested)
  if (unread.length === 0) return
  for (const upstream of unread) waitedAt.set(upstream, now)
  // Why one fails is what the list then says of it.
  const readings = unread.map(upstream => catalogue.surprise(upstream, '', asker).catch(() => undefined))
  const late = Promise.withResolvers<void>()
  const timer = setTimeout(late.resolve, patienceMilliseconds)
  await Promise.race([Promise.all(readings), late.promise])
  clearTimeout(timer)
}

const kept = new KeptLists()

function listed(parts: ClearParts, { exchange, principal, upstream: server }: Composed, key: string): Buffer {
  const { era } = exchange
  const composition = server.composition()
  return kept.get(composition, principal, `${era} ${key}`, () =>
    ended(makeList(parts, { composition, principal, server }, { key, era })),
  )
}

function makeList(
  parts: ClearParts,
  {
    composition,
    principal,
    server,
  }: { composition: Composition; principal: Principal; server: ComposedServer },
  { key, era }: { key: string; era: Exchange['era'] },
): string {
  const kind = kinds[key] ?? 'tool'
  const items = composition
    .of(kind)
    .filter(item => mayUseItem(parts, principal, item))
    .map(({ definition }) => definition)
  const meta = partial(composition, server)
  if (items.length === 0)
    meta['dev.gatehouse/why'] = `No ${key} of this server are granted to you, or it has none.`
  return listOf(key, items, { era, meta })
}

const threeTools = metaTools.map(tool => JSON.stringify(tool))

/** The three tools, and how many they stand for. */
function searchedList(parts: ClearParts, visit: Composed): string {
  const { exchange, upstream } = visit
  const { tools, tokens } = offered(parts, visit)
  const meta = partial(upstream.composition(), upstream)
  meta['dev.gatehouse/tools'] = { tools: tools.size, tokens }
  return listOf('tools', threeTools, { era: exchange.era, meta })
}

/** What is said of a list that some source is missing from. */
function partial({ missing }: Composition, server: ComposedServer): Record<string, unknown> {
  const meta: Record<string, unknown> = {}
  // Whose the sources are is no matter of those who use a virtual server.
  if (missing.length > 0)
    meta['dev.gatehouse/partial'] =
      server.id === everythingId
        ? missing
        : `${missing.length} of its sources could not be read, or has what another has; what they offer may be missing or old.`
  return meta
}

function listOf(
  key: string,
  items: readonly string[],
  { era, meta }: { readonly era: Exchange['era']; readonly meta: Record<string, unknown> },
): string {
  const more = {
    ...(era === 'stateless' ? { resultType: 'complete', ttlMs: 0, cacheScope: 'private' } : {}),
    ...(Object.keys(meta).length > 0 ? { _meta: meta } : {}),
  }
  const rest = Object.entries(more).map(
    ([name, value]) => `,${JSON.stringify(name)}:${JSON.stringify(value)}`,
  )
  return `{${JSON.stringify(key)}:[${items.join(',')}]${rest.join('')}}`
}

export function serverInfo({ id, group, name }: Served): JsonObject {
  return { name: id === everythingId ? 'gatehouse' : `${group}/${name}`, version }
}

/** What a composed server can do, whatever it has at the moment: that may change while a client is there. */
export const composedCapabilities = {
  tools: { listChanged: true },
  resources: { subscribe: true, listChanged: true },
  prompts: { listChanged: true },
  completions: {},
  logging: {},
}

function discovery(server: Served & Partial<Pick<ComposedServer, 'instructions'>>): string {
  return JSON.stringify({
    resultType: 'complete',
    supportedVersions: statelessVersions,
    capabilities: composedCapabilities,
    ...(server.instructions === undefined ? {} : { instructions: server.instructions }),
    ttlMs: 0,
    cacheScope: 'private',
    _meta: { 'io.modelcontextprotocol/serverInfo': serverInfo(server) },
  })
}
