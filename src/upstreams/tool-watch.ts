/** Watches what servers say their tools are: judges every definition, keeps the pins, and knows which tools are held. */
import type { Clock } from '../foundation/clock.ts'
import { isDeeper, isObject, type JsonObject } from '../foundation/json.ts'
import { definitionHash, oddityOf } from './definition-hash.ts'
import { graveFindings, type Neighbours } from './definition-scan.ts'
import { LoosePins } from './loose-pins.ts'
import type { ListedTool } from './observed-tools.ts'
import { type HoldReason, heldSentence, judge, type Verdict } from './pin-verdict.ts'
import type { Pins } from './pins.ts'
import { lockfile, type Pin } from './pins-table.ts'
import { type CatalogueItem, deepest } from './read-catalogue.ts'
import { ToolNames } from './tool-names.ts'
import type { Upstream } from './upstream.ts'

export type WatchParts = { readonly pins: Pins; readonly clock: Clock; readonly mostTools: number }

/** A definition as its server wrote it, what that says, and its hash. */
type Judged = {
  readonly name: string
  readonly text: string
  readonly definition: JsonObject
  readonly hash: string
}

type Round = {
  readonly upstream: Upstream
  readonly isLive: boolean
  readonly isFirst: boolean
  readonly isLocked: boolean
  readonly neighbours: Neighbours
  /** How many changes are still looked into; what is more is held, and looked into in the next round. */
  left: number
  /** What is held, or approved, is not what it was. */
  hasNews: boolean
  /** A held tool was shown as it was approved. */
  isWorthReading: boolean
}

/** Names that are longer cannot be called, and those that no database or lockfile keeps cannot be pinned. */
const longestName = 256
const mostChanges = 100
/** A person holds these, so nothing the server says lets them go. */
const sticky: ReadonlySet<HoldReason> = new Set(['hand', 'lock'])

export class ToolWatch {
  readonly #parts: WatchParts
  readonly #names = new ToolNames()
  /** Servers of which there is a reading. */
  readonly #read = new Set<string>()
  readonly #loose: LoosePins

  constructor(parts: WatchParts) {
    this.#parts = parts
    this.#loose = new LoosePins(20 * parts.mostTools)
  }

  /** Why nobody may call the tool; undefined where they may. */
  held(serverId: string, name: string): string | undefined {
    const pin = this.#parts.pins.of(serverId, name)
    if (pin !== undefined) return pin.held && heldSentence(pin.held.reason, pin.held.at)
    return this.#loose.held(serverId, name)
  }

  /** What was read before this process began. */
  remember(serverId: string, items: readonly CatalogueItem[]): void {
    this.#read.add(serverId)
    this.#names.put(serverId, toolNames(items))
  }

  forget(serverId: string): void {
    this.#names.put(serverId, [])
    this.#loose.forget(serverId)
  }

  /** Servers that were read before there were pins: what they had then is their first reading. */
  async begin(
    upstreams: Iterable<Upstream>,
    itemsOf: (serverId: string) => readonly CatalogueItem[],
  ): Promise<void> {
    const { pins } = this.#parts
    for (const upstream of upstreams) {
      if (pins.all(upstream.id).size > 0) continue
      const round = this.#round(upstream, { isLive: false, isFirst: true, isLocked: false })
      this.#judgeItems(itemsOf(upstream.id), round)
    }
    await pins.save()
  }

  /** A reading of the gateway's own. Gives whether what is held, or approved, is not what it was. */
  async reading(upstream: Upstream, items: readonly CatalogueItem[]): Promise<boolean> {
    const { pins } = this.#parts
    const { id } = upstream
    const isFirst = !(await pins.wasRead(id))
    const isNews = (await pins.refresh(id)).length > 0
    if (!this.#read.has(id)) this.#loose.forget(id)
    this.remember(id, items)
    const isLocked = isFirst && this.#hasLock(id)
    const round = this.#round(upstream, { isLive: false, isFirst, isLocked })
    this.#judgeItems(items, round)
    await pins.save()
    return isNews || round.hasNews
  }

  /** Tools in a list on its way to a client. */
  seen(upstream: Upstream, tools: readonly ListedTool[]): Pick<Round, 'hasNews' | 'isWorthReading'> {
    const isLocked = !this.#read.has(upstream.id) && this.#hasLock(upstream.id)
    const round = this.#round(upstream, { isLive: true, isFirst: !this.#read.has(upstream.id), isLocked })
    for (const { name, raw, definition } of tools) {
      if (isDeeper(definition, deepest)) this.#holdUnreadable(name, round)
      else {
        const text = raw.toString('utf8')
        this.#judge({ name, text, definition, hash: definitionHash(text, definition) }, round)
      }
    }
    return round
  }

  /** As a tool of the server sees the others, of which only those count that somebody may know. */
  neighbours(serverId: string, counts?: (serverId: string) => boolean): Neighbours {
    return this.#names.around(serverId, counts)
  }

  #hasLock(serverId: string): boolean {
    return [...this.#parts.pins.all(serverId).values()].some(({ approved }) =>
      approved?.by.startsWith(lockfile),
    )
  }

  #round(upstream: Upstream, about: Pick<Round, 'isLive' | 'isFirst' | 'isLocked'>): Round {
    const neighbours = this.#names.around(upstream.id)
    return { ...about, upstream, neighbours, left: mostChanges, hasNews: false, isWorthReading: false }
  }

  #judgeItems(items: readonly CatalogueItem[], round: Round): void {
    for (const { kind, name, definition: text, hash } of items) {
      const definition: unknown = kind === 'tool' ? JSON.parse(text) : undefined
      if (isObject(definition)) this.#judge({ name, text, definition, hash }, round)
    }
  }

  #judge(tool: Judged, round: Round): void {
    const { pins } = this.#parts
    const { id } = round.upstream
    const pin = pins.of(id, tool.name)
    const isKept =
      pin !== undefined || (isStorable(tool.name) && pins.all(id).size < 2 * this.#parts.mostTools)
    // What a lockfile may not have is not noted before the server was read: only then it is known.
    if (!isKept || (round.isLive && round.isLocked && pin === undefined)) this.#judgeLoosely(tool, round)
    else this.#settle(tool, { pin, round })
  }

  #settle(tool: Judged, { pin, round }: { pin: Pin | undefined; round: Round }): void {
    const { approved, held } = pin ?? {}
    const isApproved = approved?.hash === tool.hash
    if (held !== undefined && round.isLive) {
      // Only a reading of its own shows the gateway that a server has gone back to what was approved.
      if (isApproved) round.isWorthReading = true
      return
    }
    if (held !== undefined && sticky.has(held.reason) && !(held.reason === 'lock' && isApproved)) {
      const waiting = isApproved ? undefined : tool
      if (held.waiting?.hash !== waiting?.hash)
        this.#note(round, { name: tool.name, approved, held: { ...held, waiting } })
      return
    }
    this.#follow(this.#verdict(tool, { pin, round }), tool, { pin, round })
  }

  #follow(verdict: Verdict, tool: Judged, { pin, round }: { pin: Pin | undefined; round: Round }): void {
    const { approved, held } = pin ?? {}
    const { name, hash, text } = tool
    const at = this.#parts.clock.now()
    if (verdict.is === 'accepted')
      return this.#note(round, { name, approved: { hash, text, by: verdict.by, at } })
    if (verdict.is === 'held') {
      if (held?.reason === verdict.reason && held.waiting?.hash === hash) return
      return this.#note(round, {
        name,
        approved,
        held: { reason: verdict.reason, at: held?.at ?? at, waiting: { hash, text } },
      })
    }
    // To somebody else a server of one process for each caller may still show what was held.
    const isShared = !isPerUser(round.upstream)
    if (held !== undefined && isShared) this.#note(round, { name, approved })
  }

  #verdict(tool: Judged, { pin, round }: { pin: Pin | undefined; round: Round }): Verdict {
    const { isLive, isFirst, isLocked, neighbours, upstream } = round
    const approved = pin?.approved
    return judge(
      // What others read in another way is not less than was approved.
      { hash: tool.hash, definition: tool.definition, isLive: isLive && oddityOf(tool.text) === undefined },
      {
        policy: upstream.policy,
        approved: approved && { hash: approved.hash, definition: asDefinition(approved.text) },
        isFirst,
        isLocked,
        hasGraveFindings: () => graveFindings(tool, neighbours).length > 0,
        mayCompare: () => round.left-- > 0,
      },
    )
  }

  /** What is nested too deeply to be compared is not kept either. */
  #holdUnreadable(name: string, round: Round): void {
    const pin = this.#parts.pins.of(round.upstream.id, name)
    if (pin?.held !== undefined || !isStorable(name)) return
    this.#note(round, {
      name,
      approved: pin?.approved,
      held: { reason: 'finding', at: this.#parts.clock.now() },
    })
  }

  #judgeLoosely(tool: Judged, round: Round): void {
    const { id, policy } = round.upstream
    const isUnstorable = !isStorable(tool.name)
    const reason = (): HoldReason | undefined => {
      if (isUnstorable || graveFindings(tool, round.neighbours).length > 0) return 'finding'
      if (round.isLocked) return 'lock'
      return policy.newTools === 'hold' ? 'new' : undefined
    }
    const at = this.#parts.clock.now()
    if (this.#loose.see(id, { name: tool.name, hash: tool.hash, at }, reason)) round.hasNews = true
  }

  #note(round: Round, pin: Pin): void {
    round.hasNews = true
    this.#parts.pins.note(round.upstream.id, pin)
  }
}

function isStorable(name: string): boolean {
  return name.length <= longestName && name.isWellFormed() && !name.includes('\0') && name !== '__proto__'
}

function isPerUser({ transport }: Upstream): boolean {
  return transport.kind === 'stdio' && transport.instance === 'per-user'
}

function asDefinition(text: string): JsonObject {
  const value: unknown = JSON.parse(text)
  return isObject(value) ? value : {}
}

function toolNames(items: readonly CatalogueItem[]): string[] {
  return items.filter(({ kind }) => kind === 'tool').map(({ name }) => name)
}
