/** What MCP addresses stand for, and what is behind each: found at once, from memory. */
import type { Kysely, Transaction } from 'kysely'
import type { Access } from '../access/index.ts'
import type { AuditRecord } from '../audit/index.ts'
import type { Database, Tables } from '../database/index.ts'
import type { Announcements } from '../foundation/announcements.ts'
import { fail } from '../foundation/errors.ts'
import { oneAtATime } from '../foundation/one-at-a-time.ts'
import type { Caller, Route } from '../foundation/route.ts'
import { type Catalogue, offersOf, type Register, type Upstream } from '../upstreams/index.ts'
import { type Changes, composeNow, openChanges } from './changes.ts'
import { Composition } from './composition.ts'
import { composeEverything, itemsOf, mayUseItem, type Part } from './everything.ts'
import type { OfferParts } from './offers.ts'
import { offersWithVirtual } from './policy-offers.ts'
import { virtualRoutes } from './routes.ts'
import { type Addressed, anyTool, type ComposedServer, everythingId, type Served } from './served.ts'
import { readVirtual, readVirtuals, type StoredVirtual } from './table.ts'

export type ServersParts = {
  readonly database: Database
  readonly access: Access
  readonly audit: AuditRecord
  readonly announcements: Announcements
  readonly register: Register
  readonly catalogue: Catalogue
}

export type Servers = Changes & {
  /** A server of the gateway, real or virtual. Virtual servers are there once they are published. */
  find(group: string, name: string): Addressed | undefined
  /** All that the caller may use, as one server. */
  everything(caller: Caller): ComposedServer
  virtuals(): Iterable<StoredVirtual>
  readonly routes: readonly Route[]
  /** Reads everything anew; announces `upstream.changed` for each virtual server that is not what it was. */
  refresh(): Promise<void>
}

const empty = new Composition([], [], [])

export async function openServers(parts: ServersParts): Promise<Servers> {
  const { database, access, announcements, register } = parts
  let stored = byPlace(await readVirtuals(database.kysely))
  let served = new Map<string, ComposedServer>()
  let everything = new WeakMap<Caller, ComposedServer>()
  const forget = () => {
    served = new Map(
      [...stored].flatMap(([place, each]) => (each.published ? [[place, serve(parts, each)] as const] : [])),
    )
    everything = new WeakMap()
  }
  forget()
  for (const topic of ['upstream.changed', 'catalogue.read', 'access.changed'] as const)
    announcements.listen(topic, forget)
  const refresh = oneAtATime(async () => {
    const before = stored
    stored = byPlace(await readVirtuals(database.kysely))
    forget()
    for (const serverId of changedIds(before, stored))
      announcements.announce({ topic: 'upstream.changed', serverId })
  })
  const find = (group: string, name: string) => register.find(group, name) ?? served.get(`${group}/${name}`)
  access.guardRemoval(refuseWhileUsed)
  access.policies.describeTools(offersWithVirtual(offersOf(parts), { find, list: () => stored.values() }))
  register.guardName(async (tx, { group, name }) => {
    if (await readVirtual(tx, { group, name }))
      fail('http.conflict', { why: `The group ${group} already has a virtual server ${name}.` })
  })
  const changes = openChanges(parts, async () => {
    await access.refresh()
    await refresh()
  })
  return {
    find,
    everything(caller) {
      const known = everything.get(caller)
      if (known !== undefined) return known
      const made = everythingOf(parts, served, caller)
      everything.set(caller, made)
      return made
    },
    virtuals: () => stored.values(),
    ...changes,
    routes: virtualRoutes({
      ...parts,
      changes,
      find: place => stored.get(place),
      list: () => stored.values(),
    }),
    refresh,
  }
}

function byPlace(virtuals: readonly StoredVirtual[]): ReadonlyMap<string, StoredVirtual> {
  return new Map(virtuals.map(each => [`${each.group}/${each.name}`, each]))
}

function changedIds(
  before: ReadonlyMap<string, StoredVirtual>,
  after: ReadonlyMap<string, StoredVirtual>,
): Set<string> {
  const versions = (virtuals: ReadonlyMap<string, StoredVirtual>) =>
    new Map([...virtuals.values()].map(({ id, version }) => [id, version]))
  const [old, now] = [versions(before), versions(after)]
  return new Set([...old.keys(), ...now.keys()].filter(id => old.get(id) !== now.get(id)))
}

/** What is needed to serve what is behind others. */
export type ServeParts = OfferParts & {
  readonly access: Pick<Access, 'clear'>
  readonly register: Pick<Register, 'find' | 'list'>
  readonly catalogue: Pick<Catalogue, 'items' | 'tool' | 'trouble' | 'facts'>
}

type Look = Pick<ComposedServer, 'composition' | 'unread'>

// Made when it is first asked for.
function look(parts: ServeParts, make: () => Composition): Look {
  let made: Composition | undefined
  const composition = () => {
    made ??= make()
    return made
  }
  const unread = () => composition().sources.filter(({ id }) => parts.catalogue.facts(id) === undefined)
  return { composition, unread }
}

export function serve(parts: ServeParts, virtual: StoredVirtual): ComposedServer {
  const { id, group, name, description, version, published } = virtual
  const definition = published?.definition
  const compose = () => (definition ? composeNow(parts, virtual, definition).composition : empty)
  return {
    ...{ id, group, name, description, version, policy: anyTool },
    instructions: definition?.instructions,
    ...look(parts, compose),
  }
}

export function everythingOf(
  parts: ServeParts,
  served: ReadonlyMap<string, ComposedServer>,
  caller: Caller,
): ComposedServer {
  const { access, register, catalogue } = parts
  const mayUse = ({ group, name, policy }: Served) =>
    access.clear(caller, 'server.use', { group, server: name, policy }).allowed
  const real = [...register.list()].filter(mayUse)
  const virtual = [...served.values()].filter(mayUse)
  const made = look(parts, () => {
    const all = [...real.map(upstream => partOf(parts, upstream)), ...virtual.map(partOfVirtual)]
    return composeEverything(all, item => mayUseItem(parts, caller, item))
  })
  const unread = () => real.filter(({ id }) => catalogue.facts(id) === undefined)
  return {
    ...{ id: everythingId, group: '', name: '', description: '', version: 1, policy: anyTool },
    instructions: undefined,
    composition: made.composition,
    unread,
  }
}

function partOf({ catalogue }: ServeParts, upstream: Upstream): Part {
  const place = `${upstream.group}/${upstream.name}`
  const trouble = catalogue.trouble(upstream.id)
  return {
    place,
    items: itemsOf(upstream, catalogue),
    missing: trouble === undefined ? [] : [{ server: place, why: trouble }],
  }
}

function partOfVirtual({ group, name, composition }: ComposedServer): Part {
  return { place: `${group}/${name}`, items: composition().items, missing: [] }
}

async function refuseWhileUsed(tx: Transaction<Tables>, group: { id: string; name: string }): Promise<void> {
  const used = (await readVirtuals(tx as Kysely<Tables>)).filter(each => each.group === group.name)
  if (used.length > 0)
    fail('http.conflict', {
      why: `The group ${group.name} still has the virtual ${used.length === 1 ? 'server' : 'servers'} ${used.map(({ name }) => name).join(', ')}.`,
      fix: 'Remove them first: gatehouse virtual remove <group/server>.',
    })
}
