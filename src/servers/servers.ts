/** What MCP addresses stand for, and what is behind each: found at once, from memory. */
import type { Kysely, Transaction } from 'kysely'
import type { Access } from '../access/index.ts'
import type { AuditRecord } from '../audit/index.ts'
import type { Database, Tables } from '../database/index.ts'
import type { Announcements } from '../foundation/announcements.ts'
import { fail } from '../foundation/errors.ts'
import { oneAtATime } from '../foundation/one-at-a-time.ts'
import type { Caller, Route } from '../foundation/route.ts'
import {
  type Catalogue,
  definitionHash,
  offersOf,
  type Register,
  type Upstream,
  type UsableTool,
} from '../upstreams/index.ts'
import { type Changes, composeNow, openChanges } from './changes.ts'
import { Composition } from './composition.ts'
import { composeEverything, itemsOf, mayUseItem, type Part } from './everything.ts'
import { openVirtualVerbs, type VirtualVerbs } from './manifest.ts'
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
  readonly catalogue: Pick<Catalogue, 'items' | 'tool' | 'trouble' | 'facts'>
}

export type Servers = Changes & {
  /** A server of the gateway, real or virtual. Virtual servers are there once they are published. */
  find(group: string, name: string): Addressed | undefined
  /** All that the caller may use, as one server. */
  everything(caller: Caller): ComposedServer
  virtuals(): Iterable<StoredVirtual>
  /** The tools of virtual servers that the caller may use. */
  tools(caller: Caller): UsableTool[]
  readonly manifest: VirtualVerbs
  readonly routes: readonly Route[]
  /** Reads everything anew; announces `upstream.changed` for each virtual server that is not what it was. */
  refresh(): Promise<void>
}

const empty = new Composition([], [], [])

export async function openServers(parts: ServersParts): Promise<Servers> {
  const { database, access, announcements, register } = parts
  let stored = byPlace(await readVirtuals(database.kysely))
  const look = openLook(parts)
  const everything = new WeakMap<Caller, ComposedServer>()
  let served = new Map<string, ComposedServer>()
  const serveAll = () => {
    const published = [...stored].filter(([, each]) => each.published)
    served = new Map(published.map(([place, each]) => [place, serve(parts, look, each)]))
  }
  serveAll()
  const refresh = oneAtATime(async () => {
    const before = stored
    stored = byPlace(await readVirtuals(database.kysely))
    serveAll()
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
  const known = { ...parts, find: (place: string) => stored.get(place) }
  return {
    find,
    everything(caller) {
      const known = everything.get(caller)
      if (known !== undefined) return known
      const made = everythingOf(parts, look, { caller, virtuals: () => served.values() })
      everything.set(caller, made)
      return made
    },
    virtuals: () => stored.values(),
    tools: caller => [...served.values()].flatMap(server => usableTools(parts, caller, server)),
    ...changes,
    manifest: openVirtualVerbs(known),
    routes: virtualRoutes({ ...known, changes, list: () => stored.values() }),
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

type Look = (make: () => Composition) => Pick<ComposedServer, 'composition' | 'unread'>

/** Compositions are made when they are asked for, and again once something has changed that they may be made of. */
function openLook({ announcements, catalogue }: ServersParts): Look {
  let age = 0
  for (const topic of ['upstream.changed', 'catalogue.read', 'access.changed'] as const)
    announcements.listen(topic, () => void age++)
  return make => {
    let made: { readonly composition: Composition; readonly age: number } | undefined
    const composition = () => {
      if (made?.age !== age) made = { composition: make(), age }
      return made.composition
    }
    const unread = () => composition().sources.filter(({ id }) => catalogue.facts(id) === undefined)
    return { composition, unread }
  }
}

function serve(parts: ServersParts, look: Look, virtual: StoredVirtual): ComposedServer {
  const { id, group, name, description, version, published } = virtual
  const definition = published?.definition
  const compose = () => (definition ? composeNow(parts, virtual, definition).composition : empty)
  return {
    ...{ id, group, name, description, version, policy: anyTool },
    instructions: definition?.instructions,
    ...look(compose),
  }
}

const everythingSays =
  'The tools of several servers stand here under one address. Where search_tools is among them, there are more than are listed: search for what you want to do, then call what fits with call_tool.'

type Reach = { readonly caller: Caller; virtuals(): Iterable<ComposedServer> }

function everythingOf(parts: ServersParts, look: Look, { caller, virtuals }: Reach): ComposedServer {
  const { access, register, catalogue } = parts
  const mayUse = ({ group, name, policy }: Served) =>
    access.clear(caller, 'server.use', { group, server: name, policy }).allowed
  const real = () => [...register.list()].filter(mayUse)
  const made = look(() => {
    const virtual = [...virtuals()].filter(mayUse)
    const all = [...real().map(upstream => partOf(parts, upstream)), ...virtual.map(partOfVirtual)]
    return composeEverything(all, item => mayUseItem(parts, caller, item))
  })
  const unread = () => real().filter(({ id }) => catalogue.facts(id) === undefined)
  return {
    ...{ id: everythingId, group: '', name: '', description: '', version: 1, policy: anyTool },
    instructions: everythingSays,
    composition: made.composition,
    unread,
  }
}

function usableTools(parts: ServersParts, caller: Caller, server: ComposedServer): UsableTool[] {
  const items = server.composition().of('tool')
  return items
    .filter(item => mayUseItem(parts, caller, item))
    .map(({ name, definition: text }) => {
      const definition: unknown = JSON.parse(text)
      const hash = definitionHash(text, definition)
      return { server: `${server.group}/${server.name}`, name, hash, definition }
    })
}

function partOf({ catalogue }: ServersParts, upstream: Upstream): Part {
  const place = `${upstream.group}/${upstream.name}`
  const trouble = catalogue.trouble(upstream.id)
  return {
    place,
    items: itemsOf(upstream, catalogue),
    missing: trouble === undefined ? [] : [{ server: place, why: trouble, reason: 'trouble' }],
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
