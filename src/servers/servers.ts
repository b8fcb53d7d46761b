/** What MCP addresses stand for, and what is behind each: found at once, from memory. */
import type { Kysely, Transaction } from 'kysely'
import type { Access } from '../access/index.ts'
import type { AuditRecord } from '../audit/index.ts'
import type { Database, Tables } from '../database/index.ts'
import type { Announcements } from '../foundation/announcements.ts'
import { fail } from '../foundation/errors.ts'
import { oneAtATime } from '../foundation/one-at-a-time.ts'
import type { Caller, Route } from '../foundation/route.ts'
import { type Catalogue, offersOf, type Register, type UsableTool } from '../upstreams/index.ts'
import { type Changes, openChanges } from './changes.ts'
import { mayUse } from './judge-call.ts'
import { openVirtualVerbs, type VirtualVerbs } from './manifest.ts'
import { offersWithVirtual } from './policy-offers.ts'
import { virtualRoutes } from './routes.ts'
import { everythingOf, openLook, serve, usableTools } from './serve.ts'
import type { Addressed, ComposedServer } from './served.ts'
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
  /** Every server that the caller may use, real and virtual, by `group/server`. */
  usable(caller: Caller): string[]
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

export async function openServers(parts: ServersParts): Promise<Servers> {
  const { database, access, announcements, register } = parts
  let stored = byPlace(await readVirtuals(database.kysely))
  const look = openLook(parts, announcements)
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
    usable: caller =>
      [...register.list(), ...served.values()]
        .filter(server => mayUse(access, caller, server))
        .map(({ group, name }) => `${group}/${name}`)
        .toSorted(),
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

async function refuseWhileUsed(tx: Transaction<Tables>, group: { id: string; name: string }): Promise<void> {
  const used = (await readVirtuals(tx as Kysely<Tables>)).filter(each => each.group === group.name)
  if (used.length > 0)
    fail('http.conflict', {
      why: `The group ${group.name} still has the virtual ${used.length === 1 ? 'server' : 'servers'} ${used.map(({ name }) => name).join(', ')}.`,
      fix: 'Remove them first: gatehouse virtual remove <group/server>.',
    })
}
