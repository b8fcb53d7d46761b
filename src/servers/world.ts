/** All that calls are decided by, as a database has it at one moment. What servers offer, and what of it is held, is as it is now. */
import type { Kysely } from 'kysely'
import type { Access, Target } from '../access/index.ts'
import type { Tables } from '../database/index.ts'
import type { Caller } from '../foundation/route.ts'
import { type Catalogue, offersOf, type Register } from '../upstreams/index.ts'
import type { Item } from './composition.ts'
import { everythingPlace } from './explained.ts'
import { type Asked, judgeItem, judgeKnown, mayUse, targetOf, type Verdict } from './judge-call.ts'
import { offersWithVirtual } from './policy-offers.ts'
import { everythingOf, openLook, serve } from './serve.ts'
import { type Addressed, type ComposedServer, everythingId, isComposed } from './served.ts'
import { readVirtuals } from './table.ts'

export type { Asked } from './judge-call.ts'

export type WorldVerdict = Verdict & {
  /** What a virtual server has it from. */
  readonly item: Item | undefined
}

export type World = {
  /** The verdict about `group/server` or `/mcp`. */
  judge(place: string, asked: Asked): WorldVerdict
  /** Gives up what policies hold. */
  close(): void
}

export type WorldParts = {
  readonly access: Pick<Access, 'readDraft'>
  readonly register: Pick<Register, 'manifest'>
  readonly catalogue: Catalogue
}

/** `from` is the database, or a transaction that changes it; the world stays when that is undone. */
export async function readWorld(
  { access, register, catalogue }: WorldParts,
  from: Kysely<Tables>,
): Promise<World> {
  const upstreams = await register.manifest.read(from)
  const virtuals = await readVirtuals(from)
  const byPlace = new Map(upstreams.map(each => [`${each.group}/${each.name}`, each]))
  const behind = {
    find: (group: string, name: string) => byPlace.get(`${group}/${name}`),
    list: () => upstreams,
  }
  const served = new Map<string, ComposedServer>()
  const find = (group: string, name: string): Addressed | undefined =>
    behind.find(group, name) ?? served.get(`${group}/${name}`)
  const offers = offersWithVirtual(offersOf({ register: behind, catalogue }), { find, list: () => virtuals })
  const draft = await access.readDraft(from, (target: Target) => offers.inputSchema(target))
  const parts = { access: draft, register: behind, catalogue }
  const look = openLook(parts)
  for (const each of virtuals)
    if (each.published !== undefined) served.set(`${each.group}/${each.name}`, serve(parts, look, each))
  const all = new WeakMap<Caller, ComposedServer>()
  const everything = (caller: Caller) => {
    const made = all.get(caller) ?? everythingOf(parts, look, { caller, virtuals: () => served.values() })
    all.set(caller, made)
    return made
  }
  return {
    judge(place, asked) {
      const [group = '', name = ''] = place.split('/')
      return judgeIn(parts, place === everythingPlace ? everything(asked.caller) : find(group, name), asked)
    },
    close: draft.close,
  }
}

type Parts = { readonly access: Pick<Access, 'clear'>; readonly catalogue: Catalogue }

const gone = { code: 'access.not_found' } as const

function judgeIn(parts: Parts, served: Addressed | undefined, asked: Asked): WorldVerdict {
  const none = { target: undefined, item: undefined }
  if (served === undefined)
    return { ...none, decision: { allowed: false, reason: 'no such server' }, refusal: gone }
  if (!isComposed(served)) {
    const facts =
      asked.action === 'tool.call' ? parts.catalogue.tool(served.id, asked.subject ?? '') : undefined
    return { ...judgeKnown(parts, { upstream: served, facts }, asked), item: undefined }
  }
  const isUsable = mayUse(parts.access, asked.caller, served)
  if (isUsable && asked.subject !== undefined) return judgeItem(parts, served, asked)
  const decision =
    served.id === everythingId
      ? { allowed: true, reason: 'each thing is decided about by itself' }
      : parts.access.clear(asked.caller, 'server.use', targetOf(served))
  return { ...none, decision, refusal: isUsable ? undefined : gone }
}
