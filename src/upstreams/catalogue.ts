/** What the upstreams offer, remembered: read when a server is registered, when it is old, when the server says so, and on surprise. */
import type { Database } from '../database/index.ts'
import type { Announcements } from '../foundation/announcements.ts'
import type { Clock } from '../foundation/clock.ts'
import { isObject } from '../foundation/json.ts'
import type { Log } from '../foundation/log.ts'
import { readFacts, readItems, type ServerFacts, storeReading } from './catalogue-table.ts'
import type { Connections } from './connections.ts'
import type { Equipped } from './equipped.ts'
import { openFound } from './find-eras.ts'
import type { MirroredArgument } from './mirrored-arguments.ts'
import { type CatalogueItem, type CatalogueLimits, readCatalogue } from './read-catalogue.ts'
import type { Register } from './register.ts'
import { type ToolFacts, toolFacts, toolsOf } from './tool-facts.ts'
import type { Era, Upstream } from './upstream.ts'

export type Synced = { readonly facts: ServerFacts; readonly items: readonly CatalogueItem[] }

export type CatalogueParts = {
  readonly database: Database
  readonly register: Register
  readonly connections: Connections
  readonly announcements: Announcements
  readonly clock: Clock
  readonly log: Log
  readonly limits: CatalogueLimits & { readonly catalogueSeconds: number; readonly eraSeconds: number }
  /** Credentials for the gateway's own questions. */
  equip(upstream: Upstream): Equipped
}

type Known = {
  facts: ServerFacts | undefined
  items: readonly CatalogueItem[]
  /** Tools of the gateway's own reading. */
  tools: ReadonlyMap<string, ToolFacts>
  /** Tools that were seen since, in lists on their way to clients; they are newer. */
  readonly observed: Map<string, ToolFacts>
  syncing: Promise<Synced> | undefined
  /** Why the last reading failed; undefined when it did not. */
  trouble: string | undefined
  triedAt: number
  /** When it was last found to speak something else than was thought. */
  mistakenAt: number
}

const askSeconds = 15
/** Surprises and announcements of one server lead to at most one reading in this time. */
const restMilliseconds = 2000
/** How soon an era is asked about again whose question stayed open, and how often evidence of a mistake is followed. */
const openEraMilliseconds = 60_000
const mistakeMilliseconds = 10_000

const unread = (): Known => ({
  facts: undefined,
  items: [],
  tools: new Map(),
  observed: new Map(),
  syncing: undefined,
  trouble: undefined,
  triedAt: Number.NEGATIVE_INFINITY,
  mistakenAt: Number.NEGATIVE_INFINITY,
})

/** Opens the catalogue with what was read before, so that a start needs no upstream. */
export async function openCatalogue(parts: CatalogueParts): Promise<Catalogue> {
  const servers = new Map<string, Known>()
  for (const facts of await readFacts(parts.database.kysely))
    servers.set(facts.serverId, { ...unread(), facts })
  for (const { serverId, ...item } of await readItems(parts.database.kysely)) {
    const known = servers.get(serverId)
    if (known) known.items = [...known.items, item]
  }
  for (const known of servers.values()) known.tools = toolsOf(known.items)
  return new Catalogue(parts, servers)
}

export class Catalogue {
  readonly #parts: CatalogueParts
  readonly #servers: Map<string, Known>
  readonly #working = new Set<Promise<unknown>>()
  readonly #stops: readonly (() => void)[]
  readonly #timer: NodeJS.Timeout

  constructor(parts: CatalogueParts, servers: Map<string, Known>) {
    this.#parts = parts
    this.#servers = servers
    this.#stops = [
      parts.announcements.listen('upstream.changed', ({ serverId }) => this.#changed(serverId)),
      parts.announcements.listen('catalogue.changed', ({ serverId }) => this.#announced(serverId)),
    ]
    this.#timer = setInterval(() => this.#readOld(), 5000)
    this.#timer.unref()
  }

  /** What is known of a tool, at once. */
  tool(serverId: string, name: string): ToolFacts | undefined {
    const known = this.#servers.get(serverId)
    return known?.observed.get(name) ?? known?.tools.get(name)
  }

  /** Which arguments of a tool are mirrored into headers; none where it is not known, or says so wrongly. */
  readonly mirroredArguments = (serverId: string, name: string): readonly MirroredArgument[] => {
    const mirrored = this.tool(serverId, name)?.mirrored
    return mirrored === undefined || mirrored === 'invalid' ? [] : mirrored
  }

  /** A tool nobody has heard of: reads the catalogue again, unless that was just done. Undefined when there is no such tool. */
  async surprise(upstream: Upstream, name: string): Promise<ToolFacts | undefined> {
    const known = this.#of(upstream.id)
    if (known.syncing) await known.syncing
    // A server that was never read is asked every time: its trouble is the answer, not that the tool is unknown.
    else if (known.facts === undefined || this.#isRested(known)) await this.sync(upstream)
    return this.tool(upstream.id, name)
  }

  /** Tools seen in a list on its way to a client: some servers show more to some, and what is seen last is what holds. */
  observe(serverId: string, tools: unknown): void {
    if (!Array.isArray(tools)) return
    const { observed } = this.#of(serverId)
    for (const tool of tools) {
      if (!isObject(tool) || typeof tool.name !== 'string') continue
      observed.delete(tool.name)
      observed.set(tool.name, toolFacts(tool))
    }
    // The oldest go first.
    for (const name of observed.keys()) {
      if (observed.size <= this.#parts.limits.catalogueItems) return
      observed.delete(name)
    }
  }

  eras(serverId: string): readonly Era[] | undefined {
    return this.#servers.get(serverId)?.facts?.eras
  }

  /** Finds out what the server speaks. Throws `upstream.*`. */
  async learnEras(upstream: Upstream): Promise<readonly Era[]> {
    return (await this.sync(upstream)).facts.eras
  }

  /** The server answered as if it spoke something else than was thought: finds it out again. Never throws; gives what is known then. */
  async relearnEras(upstream: Upstream): Promise<readonly Era[]> {
    const known = this.#of(upstream.id)
    const { clock, log } = this.#parts
    if (known.facts && clock.elapsed() - known.mistakenAt > mistakeMilliseconds) {
      known.mistakenAt = clock.elapsed()
      known.facts = { ...known.facts, erasUntil: 0 }
      await known.syncing?.catch(() => undefined)
      await this.sync(upstream).catch(error =>
        log.warn({ code: error.code, why: error.why }, 'eras not found'),
      )
    } else await known.syncing?.catch(() => undefined)
    return this.eras(upstream.id) ?? []
  }

  items(serverId: string): readonly CatalogueItem[] {
    return this.#servers.get(serverId)?.items ?? []
  }

  /** Why what is known is nothing, or not the latest. */
  trouble(serverId: string): string | undefined {
    const known = this.#servers.get(serverId)
    return known?.trouble ?? (known?.facts === undefined ? 'It has not been read yet.' : undefined)
  }

  facts(serverId: string): ServerFacts | undefined {
    return this.#servers.get(serverId)?.facts
  }

  /** Reads everything now. One reading at a time for each server. */
  sync(upstream: Upstream): Promise<Synced> {
    const known = this.#of(upstream.id)
    if (known.syncing) return known.syncing
    known.triedAt = this.#parts.clock.elapsed()
    const before = known.trouble
    const failed = (error: unknown) => {
      known.trouble = 'It could not be read when the gateway last tried.'
      throw error
    }
    const reading = this.#read(upstream, known)
      .catch(failed)
      .finally(() => {
        known.syncing = undefined
        if (before !== known.trouble) this.#tell(upstream.id)
        this.#working.delete(reading)
      })
    known.syncing = reading
    this.#working.add(reading)
    return reading
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    for (const stop of this.#stops) stop()
    await Promise.allSettled(this.#working)
  }

  #of(serverId: string): Known {
    const known = this.#servers.get(serverId) ?? unread()
    this.#servers.set(serverId, known)
    return known
  }

  #isRested(known: Known): boolean {
    return this.#parts.clock.elapsed() - known.triedAt > restMilliseconds
  }

  async #read(upstream: Upstream, known: Known): Promise<Synced> {
    const { connections, limits, clock, database, equip } = this.#parts
    const { eras: before = [], erasUntil: until = 0 } = known.facts ?? {}
    const about = { seconds: askSeconds, before, isKnown: until > clock.now() }
    const { client, found } = await openFound(connections, equip(upstream), about)
    const holds = found?.isCertain === false ? openEraMilliseconds : limits.eraSeconds * 1000
    try {
      const { items, warnings } = await readCatalogue(client, limits)
      const facts = {
        serverId: upstream.id,
        eras: found?.eras ?? before,
        erasUntil: found ? clock.now() + holds : until,
        checkedAt: clock.now(),
        warnings,
        serverName: serverNameOf(client.greeting),
      }
      known.facts = facts
      known.trouble = undefined
      const isSame = hashesOf(known.items) === hashesOf(items)
      known.items = items
      known.tools = toolsOf(items)
      for (const name of known.tools.keys()) known.observed.delete(name)
      // A server that was changed meanwhile is being read anew, and that is what is to be kept.
      if (this.#servers.get(upstream.id) === known) await storeReading(database, facts, items)
      if (!isSame) this.#tell(upstream.id)
      return { facts, items }
    } finally {
      await client.close()
    }
  }

  #tell(serverId: string): void {
    this.#parts.announcements.announce({ topic: 'catalogue.read', serverId })
  }

  #readQuietly(upstream: Upstream): void {
    this.sync(upstream).catch(error => {
      const server = `${upstream.group}/${upstream.name}`
      this.#parts.log.warn({ server, code: error.code, why: error.why }, 'catalogue not read')
    })
  }

  #upstream(serverId: string): Upstream | undefined {
    for (const upstream of this.#parts.register.list()) if (upstream.id === serverId) return upstream
    return undefined
  }

  #changed(serverId: string): void {
    const upstream = this.#upstream(serverId)
    this.#servers.delete(serverId)
    if (upstream) this.#readQuietly(upstream)
  }

  #announced(serverId: string): void {
    const upstream = this.#upstream(serverId)
    if (upstream && this.#isRested(this.#of(serverId))) this.#readQuietly(upstream)
  }

  #readOld(): void {
    const { clock, limits, register } = this.#parts
    const age = limits.catalogueSeconds * 1000
    for (const upstream of register.list()) {
      const known = this.#of(upstream.id)
      const { checkedAt = 0, erasUntil = 0 } = known.facts ?? {}
      const rested = clock.elapsed() - known.triedAt
      const isOld = checkedAt < clock.now() - age && rested > age
      const isOpen = known.facts !== undefined && erasUntil < clock.now() && rested > openEraMilliseconds
      if (isOld || isOpen) this.#readQuietly(upstream)
    }
  }
}

function hashesOf(items: readonly CatalogueItem[]): string {
  return items.map(({ kind, name, hash }) => `${kind} ${name} ${hash}`).join('\n')
}

function serverNameOf(greeting: { readonly [key: string]: unknown }): string {
  const own = isObject(greeting._meta) ? greeting._meta['io.modelcontextprotocol/serverInfo'] : undefined
  const info = own ?? greeting.serverInfo
  return isObject(info) && typeof info.name === 'string' ? info.name.slice(0, 200) : ''
}
