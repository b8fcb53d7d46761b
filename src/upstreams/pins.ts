/** The pins of all tools in memory, and what is noted of them on its way to the database. */
import type { Transaction } from 'kysely'
import { type AuditRecord, ownEvent } from '../audit/index.ts'
import type { Database, Tables } from '../database/index.ts'
import type { Log } from '../foundation/log.ts'
import { oneAtATime } from '../foundation/one-at-a-time.ts'
import { type Pin, placeOf, readPins, readStamps, stampOf, wasRead, writePins } from './pins-table.ts'

export type PinsParts = { readonly database: Database; readonly audit: AuditRecord; readonly log: Log }

type Pinned = {
  readonly pins: Map<string, Pin>
  /** Names whose pin is not stored yet, with the stamp of what it was made from. */
  readonly unsaved: Map<string, string | undefined>
}

/** What lists on their way to clients make happens often; it is stored this much later, all together. */
const saveMilliseconds = 1000

export async function openPins(parts: PinsParts): Promise<Pins> {
  const pins = new Pins(parts)
  await pins.refresh()
  return pins
}

export class Pins {
  readonly #parts: PinsParts
  readonly #servers = new Map<string, Pinned>()
  readonly #storing: () => Promise<void>
  #timer: NodeJS.Timeout | undefined

  constructor(parts: PinsParts) {
    this.#parts = parts
    this.#storing = oneAtATime(() => this.#store())
  }

  of(serverId: string, name: string): Pin | undefined {
    return this.#servers.get(serverId)?.pins.get(name)
  }

  all(serverId: string): ReadonlyMap<string, Pin> {
    return this.#pinned(serverId).pins
  }

  /** Holds from now on; is stored soon. */
  note(serverId: string, pin: Pin): void {
    const { pins, unsaved } = this.#pinned(serverId)
    const before = pins.get(pin.name)
    if (!unsaved.has(pin.name)) unsaved.set(pin.name, before && stampOf(before))
    pins.set(pin.name, pin)
    this.#timer ??= setTimeout(() => this.#saveQuietly(), saveMilliseconds).unref()
  }

  /** Stores what was noted. Where another process or a person was faster, theirs holds. */
  save(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    return this.#storing()
  }

  /** Reads anew what others changed; gives the ids of the servers whose pins are not what they were. */
  async refresh(only?: string): Promise<string[]> {
    await this.save()
    const stamps = await readStamps(this.#parts.database.kysely, only)
    const ids = only === undefined ? new Set([...stamps.keys(), ...this.#servers.keys()]) : [only]
    const changed: string[] = []
    for (const id of ids) if (await this.#adopt(id, stamps.get(id) ?? new Map())) changed.push(id)
    return changed
  }

  /** Is there a reading of the server in the database, of this process or another? */
  wasRead(serverId: string): Promise<boolean> {
    return wasRead(this.#parts.database.kysely, serverId)
  }

  async close(): Promise<void> {
    await this.save()
  }

  #pinned(serverId: string): Pinned {
    const pinned = this.#servers.get(serverId) ?? { pins: new Map(), unsaved: new Map() }
    this.#servers.set(serverId, pinned)
    return pinned
  }

  async #adopt(serverId: string, stamps: ReadonlyMap<string, string>): Promise<boolean> {
    const { pins, unsaved } = this.#pinned(serverId)
    const isNews = (name: string) => {
      const pin = pins.get(name)
      return !unsaved.has(name) && (pin && stampOf(pin)) !== stamps.get(name)
    }
    const gone = [...pins.keys()].filter(name => !stamps.has(name) && isNews(name))
    const news = [...stamps.keys()].filter(isNews)
    if (news.length === 0 && gone.length === 0) return false
    const read = await readPins(this.#parts.database.kysely, serverId, news)
    for (const name of gone) pins.delete(name)
    // What was noted while this was read is newer.
    for (const pin of read) if (!unsaved.has(pin.name)) pins.set(pin.name, pin)
    return true
  }

  #saveQuietly(): void {
    this.save().catch(error => {
      this.#parts.log.warn({ code: error.code, why: error.message }, 'approvals of tools not stored yet')
      this.#timer ??= setTimeout(() => this.#saveQuietly(), saveMilliseconds).unref()
    })
  }

  async #store(): Promise<void> {
    for (const [serverId, { pins, unsaved }] of this.#servers) {
      if (unsaved.size === 0) continue
      const batch = new Map(unsaved)
      unsaved.clear()
      try {
        const stored = await this.#parts.database.change(tx => this.#write(tx, serverId, batch))
        for (const pin of stored) if (!unsaved.has(pin.name)) pins.set(pin.name, pin)
      } catch (error) {
        for (const [name, stamp] of batch) unsaved.set(name, stamp)
        throw error
      }
    }
  }

  /** Gives the pins that others changed meanwhile, as they are now. */
  async #write(
    tx: Transaction<Tables>,
    serverId: string,
    batch: ReadonlyMap<string, string | undefined>,
  ): Promise<Pin[]> {
    const place = await placeOf(tx, serverId)
    if (place === undefined) return []
    const present = new Map((await readPins(tx, serverId, [...batch.keys()])).map(pin => [pin.name, pin]))
    const isOurs = (name: string) => {
      const there = present.get(name)
      return (there && stampOf(there)) === batch.get(name)
    }
    const ours = [...batch.keys()].filter(isOurs).flatMap(name => this.of(serverId, name) ?? [])
    await writePins(tx, serverId, ours)
    for (const event of eventsOf(place, ours, present)) await this.#parts.audit.recorded(event)
    return [...present.values()].filter(({ name }) => !isOurs(name))
  }
}

/** What changed about tools that were known. That a server was read for the first time is no news. */
function eventsOf(place: string, now: readonly Pin[], before: ReadonlyMap<string, Pin>) {
  const changes = now.flatMap(pin => {
    const { name, approved, held } = pin
    const was = before.get(name)
    if (held !== undefined && was?.held?.waiting?.hash !== held.waiting?.hash)
      return [{ verb: 'hold_tool', detail: { tool: name, reason: held.reason, hash: held.waiting?.hash } }]
    if (was !== undefined && approved !== undefined && was.approved?.hash !== approved.hash)
      return [{ verb: 'accept_tool', detail: { tool: name, by: approved.by, hash: approved.hash } }]
    if (was?.held !== undefined && held === undefined)
      return [{ verb: 'release_tool', detail: { tool: name, hash: approved?.hash } }]
    return []
  })
  return changes.map(({ verb, detail }) => ownEvent({ action: `upstreams.${verb}`, target: place, detail }))
}
