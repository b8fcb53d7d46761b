/** What the upstreams offer, remembered: read when a server is registered, when it is old, when the server says so, and on surprise. */
import type { Database } from '../database/index.ts'
import type { Announcements } from '../foundation/announcements.ts'
import type { Clock } from '../foundation/clock.ts'
import { isObject } from '../foundation/json.ts'
import type { Log } from '../foundation/log.ts'
import { readFacts, readItems, type ServerFacts, storeReading } from './catalogue-table.ts'
import type { Connections } from './connections.ts'
import type { Equipped } from './equipped.ts'
import { findEras, openOwnClient } from './own-client.ts'
import { type CatalogueItem, type CatalogueLimits, readCatalogue } from './read-catalogue.ts'
import type { Register } from './register.ts'
import type { Era, Upstream } from './upstream.ts'

export type ToolFacts = {
  /** As the server claims it; what is claimed for a tool is shown, and grants of `readOnly` follow it. */
  readonly readOnly: boolean
}

export type Synced = { readonly facts: ServerFacts; readonly items: readonly CatalogueItem[] }

export type CatalogueParts = {
  readonly database: Database
  readonly register: Register
  readonly connections: Connections
  readonly announcements: Announcements
  readonly clock: Clock
  readonly log: Log
  readonly limits: CatalogueLimits & { readonly catalogueSeconds: number }
  /** Credentials for the gateway's own questions. */
  equip(upstream: Upstream): Equipped
}

type Known = {
  facts: ServerFacts | undefined
  items: readonly CatalogueItem[]
  tools: Map<string, ToolFacts>
  syncing: Promise<Synced> | undefined
  triedAt: number
}

const askSeconds = 15
/** Surprises and announcements of one server lead to at most one reading in this time. */
const restMilliseconds = 2000

export type Catalogue = {
  /** What is known of a tool, at once. */
  tool(serverId: string, name: string): ToolFacts | undefined
  /** A tool nobody has heard of: reads the catalogue again, unless that was just done. Undefined when there is no such tool. */
  surprise(upstream: Upstream, name: string): Promise<ToolFacts | undefined>
  /** Tools seen in a list on its way to a client: some servers show more to some. */
  observe(serverId: string, tools: unknown): void
  eras(serverId: string): readonly Era[] | undefined
  /** Finds out what the server speaks. Throws `upstream.*`. */
  learnEras(upstream: Upstream): Promise<readonly Era[]>
  /** Reads everything now. One reading at a time for each server. */
  sync(upstream: Upstream): Promise<Synced>
  items(serverId: string): readonly CatalogueItem[]
  facts(serverId: string): ServerFacts | undefined
  close(): Promise<void>
}

function toolFacts(definition: unknown): ToolFacts {
  const annotations = isObject(definition) && isObject(definition.annotations) ? definition.annotations : {}
  return { readOnly: annotations.readOnlyHint === true }
}

function toolsOf(items: readonly CatalogueItem[]): Map<string, ToolFacts> {
  const tools = items.filter(({ kind }) => kind === 'tool')
  return new Map(tools.map(({ name, definition }) => [name, toolFacts(JSON.parse(definition))]))
}

const unread = (): Known => ({
  facts: undefined,
  items: [],
  tools: new Map(),
  syncing: undefined,
  triedAt: Number.NEGATIVE_INFINITY,
})

/** Opens the catalogue with what was read before, so that a start needs no upstream. */
export async function openCatalogue(parts: CatalogueParts): Promise<Catalogue> {
  const { register, announcements, clock, log } = parts
  const servers = new Map<string, Known>()
  for (const facts of await readFacts(parts.database.kysely))
    servers.set(facts.serverId, { ...unread(), facts })
  for (const { serverId, ...item } of await readItems(parts.database.kysely)) {
    const known = servers.get(serverId)
    if (known) known.items = [...known.items, item]
  }
  for (const known of servers.values()) known.tools = toolsOf(known.items)

  const working = new Set<Promise<unknown>>()

  function of(serverId: string): Known {
    const known = servers.get(serverId) ?? unread()
    servers.set(serverId, known)
    return known
  }

  async function read(upstream: Upstream, known: Known): Promise<Synced> {
    const equipped = parts.equip(upstream)
    const eras = await findEras(parts.connections, equipped, askSeconds)
    const client = await openOwnClient(
      parts.connections,
      equipped,
      eras.includes('stateless') ? 'stateless' : 'session',
      askSeconds,
    )
    try {
      const { items, warnings } = await readCatalogue(client, parts.limits)
      const facts = {
        serverId: upstream.id,
        eras,
        checkedAt: clock.now(),
        warnings,
        serverName: serverNameOf(client.greeting),
      }
      known.facts = facts
      known.items = items
      known.tools = new Map([...known.tools, ...toolsOf(items)])
      await storeReading(parts.database, facts, items)
      return { facts, items }
    } finally {
      await client.close()
    }
  }

  function sync(upstream: Upstream): Promise<Synced> {
    const known = of(upstream.id)
    if (known.syncing) return known.syncing
    known.triedAt = clock.elapsed()
    const reading = read(upstream, known).finally(() => {
      known.syncing = undefined
      working.delete(reading)
    })
    known.syncing = reading
    working.add(reading)
    return reading
  }

  function syncQuietly(upstream: Upstream): void {
    sync(upstream).catch(error =>
      log.warn(
        { server: `${upstream.group}/${upstream.name}`, code: error.code, why: error.why },
        'catalogue not read',
      ),
    )
  }

  function byId(serverId: string): Upstream | undefined {
    for (const upstream of register.list()) if (upstream.id === serverId) return upstream
    return undefined
  }

  const stops = [
    announcements.listen('upstream.changed', ({ serverId }) => {
      const upstream = byId(serverId)
      servers.delete(serverId)
      if (upstream) syncQuietly(upstream)
    }),
    announcements.listen('catalogue.changed', ({ serverId }) => {
      const upstream = byId(serverId)
      const known = of(serverId)
      if (upstream && clock.elapsed() - known.triedAt > restMilliseconds) syncQuietly(upstream)
    }),
  ]

  const timer = setInterval(() => {
    const oldest = clock.now() - parts.limits.catalogueSeconds * 1000
    for (const upstream of register.list()) {
      const known = of(upstream.id)
      const isOld = (known.facts?.checkedAt ?? 0) < oldest
      if (isOld && clock.elapsed() - known.triedAt > parts.limits.catalogueSeconds * 1000)
        syncQuietly(upstream)
    }
  }, 5000)
  timer.unref()

  return {
    tool: (serverId, name) => servers.get(serverId)?.tools.get(name),
    async surprise(upstream, name) {
      const known = of(upstream.id)
      if (known.syncing) await known.syncing
      else if (clock.elapsed() - known.triedAt > restMilliseconds) await sync(upstream)
      return of(upstream.id).tools.get(name)
    },
    observe(serverId, tools) {
      if (!Array.isArray(tools)) return
      const known = of(serverId)
      for (const tool of tools) {
        if (!isObject(tool) || typeof tool.name !== 'string' || known.tools.has(tool.name)) continue
        if (known.tools.size < parts.limits.catalogueItems) known.tools.set(tool.name, toolFacts(tool))
      }
    },
    eras: serverId => servers.get(serverId)?.facts?.eras,
    learnEras: async upstream => (await sync(upstream)).facts.eras,
    sync,
    items: serverId => servers.get(serverId)?.items ?? [],
    facts: serverId => servers.get(serverId)?.facts,
    async close() {
      clearInterval(timer)
      for (const stop of stops) stop()
      await Promise.allSettled(working)
    },
  }
}

function serverNameOf(greeting: { readonly [key: string]: unknown }): string {
  const own = isObject(greeting._meta) ? greeting._meta['io.modelcontextprotocol/serverInfo'] : undefined
  const info = own ?? greeting.serverInfo
  return isObject(info) && typeof info.name === 'string' ? info.name.slice(0, 200) : ''
}
