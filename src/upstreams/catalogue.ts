/** What the upstreams offer, remembered: read when a server is registered, when it is old, when the server says so, and on surprise. */
import type { AuditRecord } from '../audit/index.ts'
import type { Database } from '../database/index.ts'
import type { Announcements } from '../foundation/announcements.ts'
import type { Clock } from '../foundation/clock.ts'
import { type ErrorCode, GatewayError } from '../foundation/errors.ts'
import type { Log } from '../foundation/log.ts'
import type { ServerFacts } from './catalogue-table.ts'
import type { Connections } from './connections.ts'
import type { Neighbours } from './definition-scan.ts'
import { type Asker, type Equipped, gatewayItself } from './equipped.ts'
import { afterRest, isWorthReading, type Known, type Synced, unread } from './known-server.ts'
import type { MirroredArgument } from './mirrored-arguments.ts'
import { listedTools } from './observed-tools.ts'
import type { Pins } from './pins.ts'
import type { Pin } from './pins-table.ts'
import type { CatalogueItem, CatalogueLimits } from './read-catalogue.ts'
import { readServer } from './read-server.ts'
import { type Equipping, readWith } from './read-with.ts'
import type { Register } from './register.ts'
import type { ToolFacts } from './tool-facts.ts'
import type { ToolWatch } from './tool-watch.ts'
import type { Era, Upstream } from './upstream.ts'

export type CatalogueParts = Equipping & {
  readonly database: Database
  readonly audit: AuditRecord
  readonly register: Register
  readonly connections: Connections
  readonly announcements: Announcements
  readonly clock: Clock
  readonly log: Log
  readonly limits: CatalogueLimits & { readonly catalogueSeconds: number; readonly eraSeconds: number }
}

/** Surprises of one server lead to at most one reading in this time. */
const restMilliseconds = 2000
/** How often evidence of a mistake is followed. */
const mistakeMilliseconds = 10_000

type Parts = CatalogueParts & { readonly pins: Pins; readonly watch: ToolWatch }

/** Why a server is not read by the gateway itself, by what equipping it says. */
const whenRead: { readonly [Code in ErrorCode]?: string } = {
  'vault.connect_needed': 'It is read when somebody connects an account there.',
  'vault.person_needed': 'It is read when somebody of its identity provider uses it.',
  'vault.pass_through_refused': 'It is read when somebody uses it with a token that is for it.',
}

export class Catalogue {
  readonly #parts: Parts
  readonly #servers: Map<string, Known>
  readonly #working = new Set<Promise<unknown>>()
  readonly #stops: readonly (() => void)[]
  readonly #timer: NodeJS.Timeout
  #isClosed = false

  constructor(parts: Parts, servers: Map<string, Known>) {
    this.#parts = parts
    this.#servers = servers
    this.#stops = [
      parts.announcements.listen('upstream.changed', ({ serverId }) => this.#changed(serverId)),
      parts.announcements.listen('connection.made', ({ serverId, ownerId }) =>
        this.#connected(serverId, ownerId),
      ),
      parts.announcements.listen('catalogue.changed', ({ serverId }) => this.#announced(serverId)),
    ]
    this.#timer = setInterval(() => this.#readOld(), 5000)
    this.#timer.unref()
  }

  /** What is known of a tool, at once. */
  tool(serverId: string, name: string): ToolFacts | undefined {
    const known = this.#servers.get(serverId)
    const facts = known?.observed.get(name) ?? known?.tools.get(name)
    const held = facts && this.#parts.watch.held(serverId, name)
    return facts === undefined || held === undefined ? facts : { ...facts, held }
  }

  /** Which arguments of a tool are mirrored into headers; none where it is not known, or says so wrongly. */
  readonly mirroredArguments = (serverId: string, name: string): readonly MirroredArgument[] => {
    const mirrored = this.tool(serverId, name)?.mirrored
    return mirrored === undefined || mirrored === 'invalid' ? [] : mirrored
  }

  /** A tool nobody has heard of: reads the catalogue again, unless that was just done. Undefined when there is no such tool. */
  async surprise(upstream: Upstream, name: string, asker?: Asker): Promise<ToolFacts | undefined> {
    const known = this.#of(upstream.id)
    if (known.syncing) await known.syncing
    // A server that was never read is asked every time: its trouble is the answer, not that the tool is unknown.
    else if (known.facts === undefined || this.#restOf(known) > restMilliseconds)
      await this.sync(upstream, asker)
    return this.tool(upstream.id, name)
  }

  /** An answer to tools/list on its way to a client: what may not be shown is held from here on. */
  observe(serverId: string, tools: unknown, bytes: Buffer): void {
    const { observed } = this.#of(serverId)
    const fresh = observed.see(listedTools(bytes, tools))
    const upstream = fresh.length === 0 ? undefined : this.#upstream(serverId)
    if (upstream === undefined) return
    const { watch } = this.#parts
    const { hasNews, isWorthReading } = watch.seen(upstream, fresh)
    if (hasNews) observed.distrust()
    for (const tool of fresh) if (watch.held(serverId, tool.name) === undefined) observed.pass(tool)
    if (hasNews) this.#tell(serverId)
    if (isWorthReading) this.#announced(serverId)
  }

  /** Of each tool that was ever seen what was approved, and why it is held. */
  pins(serverId: string): ReadonlyMap<string, Pin> {
    return this.#parts.pins.all(serverId)
  }

  /** What the tools of a server could be taken for; of other servers those that `counts` says. */
  neighbours(serverId: string, counts?: (serverId: string) => boolean): Neighbours {
    return this.#parts.watch.neighbours(serverId, counts)
  }

  /** Stores what was seen lately. */
  saveApprovals(): Promise<void> {
    return this.#parts.pins.save()
  }

  /** Reads the approvals that other processes or people have changed since. */
  async refreshApprovals(): Promise<void> {
    for (const serverId of await this.#parts.pins.refresh()) {
      this.#servers.get(serverId)?.observed.distrust()
      this.#tell(serverId)
    }
  }

  eras(serverId: string): readonly Era[] | undefined {
    return this.#servers.get(serverId)?.facts?.eras
  }

  /** Finds out what the server speaks. Throws `upstream.*`. */
  async learnEras(upstream: Upstream, asker?: Asker): Promise<readonly Era[]> {
    return (await this.sync(upstream, asker)).facts.eras
  }

  /** The server answered as if it spoke something else than was thought: finds it out again. Never throws; gives what is known then. */
  async relearnEras(upstream: Upstream, asker?: Asker): Promise<readonly Era[]> {
    const known = this.#of(upstream.id)
    const { clock, log } = this.#parts
    if (known.facts && clock.elapsed() - known.mistakenAt > mistakeMilliseconds) {
      known.mistakenAt = clock.elapsed()
      known.facts = { ...known.facts, erasUntil: 0 }
      await known.syncing?.catch(() => undefined)
      await this.sync(upstream, asker).catch(error =>
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

  /** A call was refused as if its tool were not as it was read: reads everything again, as often as that may be brought about by a server. */
  async reread(upstream: Upstream, asker?: Asker): Promise<void> {
    const known = this.#of(upstream.id)
    const now = this.#parts.clock.elapsed()
    if (now - known.rereadAt <= mistakeMilliseconds) return void (await known.syncing)
    known.rereadAt = now
    await this.sync(upstream, asker)
  }

  /**
   * Reads everything now, with the credentials of who asks; of the gateway itself unless told. With what their client brought only
   * where the server takes nothing else: what it says then is kept for everybody. One reading at a time for each server. Throws
   * `upstream.*`, and what equipping throws.
   */
  sync(upstream: Upstream, asker: Asker = gatewayItself): Promise<Synced> {
    return readWith(this.#parts, { upstream, asker }, to => this.#sync(upstream, to))
  }

  #sync(upstream: Upstream, to: Equipped): Promise<Synced> {
    const known = this.#of(upstream.id)
    if (known.syncing) return known.syncing
    known.triedAt = this.#parts.clock.elapsed()
    const before = known.trouble
    const failed = (error: unknown) => {
      known.trouble = 'It could not be read when the gateway last tried.'
      throw error
    }
    const reading = this.#read(to, known)
      .catch(failed)
      .finally(() => {
        known.syncing = undefined
        known.took = known.trouble === undefined ? this.#restOf(known) : Number.POSITIVE_INFINITY
        if (before !== known.trouble) this.#tell(upstream.id)
        this.#working.delete(reading)
      })
    known.syncing = reading
    this.#working.add(reading)
    return reading
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#timer)
    for (const stop of this.#stops) stop()
    await Promise.allSettled(this.#working)
    await this.#parts.pins.close()
  }

  #of(serverId: string): Known {
    const known = this.#servers.get(serverId) ?? unread(this.#parts.limits)
    this.#servers.set(serverId, known)
    return known
  }

  #restOf({ triedAt }: Known): number {
    return this.#parts.clock.elapsed() - triedAt
  }

  #read(to: Equipped, known: Known): Promise<Synced> {
    const { id } = to.upstream
    const isCurrent = () => this.#servers.get(id) === known
    return readServer({ ...this.#parts, isCurrent, tell: () => this.#tell(id) }, to, known)
  }

  #tell(serverId: string): void {
    this.#parts.announcements.announce({ topic: 'catalogue.read', serverId })
  }

  #readQuietly(upstream: Upstream, asker?: Asker): void {
    this.sync(upstream, asker).catch(error => {
      // Nobody's account is the gateway's own: such a server is read for those who have one.
      const ofPeople = error instanceof GatewayError ? whenRead[error.code] : undefined
      if (ofPeople !== undefined) {
        this.#of(upstream.id).trouble ??= ofPeople
        return
      }
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
    else this.#parts.watch.forget(serverId)
  }

  /** Somebody has an account there now: what it offers is read with it, where that is not known. */
  #connected(serverId: string, ownerId: string): void {
    const upstream = this.#upstream(serverId)
    if (upstream === undefined || this.facts(serverId) !== undefined) return
    this.#readQuietly(upstream, { id: ownerId, kind: 'user', subjects: [] })
  }

  #announced(serverId: string): void {
    const upstream = this.#upstream(serverId)
    if (upstream === undefined) return
    const known = this.#of(serverId)
    afterRest(known, this.#restOf(known), () => {
      if (this.#servers.get(serverId) === known && !this.#isClosed) this.#readQuietly(upstream)
    })
  }

  #readOld(): void {
    const { clock, limits, register } = this.#parts
    for (const upstream of register.list()) {
      const known = this.#of(upstream.id)
      const times = { now: clock.now(), rested: this.#restOf(known), age: limits.catalogueSeconds * 1000 }
      if (isWorthReading(known, times)) this.#readQuietly(upstream)
    }
  }
}
