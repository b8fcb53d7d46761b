import type { Kysely, Transaction } from 'kysely'
import type { Tables } from '../database/index.ts'
import type { Announcements } from '../foundation/announcements.ts'
import { fail } from '../foundation/errors.ts'
import { oneAtATime } from '../foundation/one-at-a-time.ts'
import type { Caller } from '../foundation/route.ts'
import { checkAuthRights } from './auth-rights.ts'
import { type ChangeParts, type Changes, type NameGuard, openChanges, removeServer } from './changes.ts'
import { asInput, compose, type ServerInput } from './compose.ts'
import { checkGroup, checkTransportRights, managed, visible } from './rights.ts'
import type { SealPlace } from './sealing.ts'
import { countServers, insertServer, readServers, updateServer } from './table.ts'
import type { Upstream } from './upstream.ts'

/** The MCP servers behind the gateway. */
export type Register = Changes & {
  /** From memory, at once. The object stays the same until the server changes. */
  find(group: string, name: string): Upstream | undefined
  /** In order of group and name. */
  list(): Iterable<Upstream>
  /** The server, for a caller who may use or manage it. Throws `access.not_found`. */
  visible(caller: Caller, group: string, name: string): Upstream
  /** The server, for a caller who may change it. Throws `access.not_found` and `identity.forbidden`. */
  managed(caller: Caller, group: string, name: string): Upstream
  /** A server as `create` would make it, by the same rights and rules, but not stored: to be probed. */
  draft(caller: Caller, input: ServerInput, secrets: SealPlace['secrets']): Upstream
  /** Throws `identity.forbidden` when this caller may not have the gateway start or reach the server anew. */
  checkRun(caller: Caller, server: Upstream): void
  /** For rooms that name things in groups too: called inside the transaction that would register a server, and throws to keep it from that. */
  guardName(guard: NameGuard): void
  readonly manifest: ManifestVerbs
  /** Reads everything anew and announces `upstream.changed` for each server that is not what it was. */
  refresh(): Promise<void>
}

/** For the manifest, which owns the transaction, the audit and the refresh after it, and lets only admins in. */
export type ManifestVerbs = {
  read(database: Kysely<Tables>): Promise<Upstream[]>
  /** What the server would become; `previous` itself when nothing changes. Throws what is wrong with the input. */
  compose(input: ServerInput, secrets: SealPlace['secrets'], previous: Upstream | undefined): Upstream
  /** The server as people would write it: references, placeholders and plain texts, never a secret. */
  show(server: Upstream): ServerInput
  /** Stores what `compose` made. Its group must be there. */
  put(tx: Transaction<Tables>, server: Upstream): Promise<void>
  remove(tx: Transaction<Tables>, server: Upstream): Promise<void>
}

export type RegisterParts = Omit<ChangeParts, 'checkName'> & { readonly announcements: Announcements }

export async function openRegister(parts: RegisterParts): Promise<Register> {
  const { database, access, announcements } = parts
  let servers = byPlace(await readServers(database.kysely))
  const find: Register['find'] = (group, name) => servers.get(`${group}/${name}`)
  const refresh = oneAtATime(async () => {
    const before = servers
    servers = keepingUnchanged(before, await readServers(database.kysely))
    for (const serverId of changedIds(before, servers))
      announcements.announce({ topic: 'upstream.changed', serverId })
  })
  access.guardRemoval(refuseWhileUsed)
  const guards: NameGuard[] = []
  const checkName: NameGuard = async (tx, place) => {
    for (const guard of guards) await guard(tx, place)
  }
  return {
    find,
    list: () => servers.values(),
    visible: (caller, group, name) => visible(access, caller, find(group, name)),
    managed: (caller, group, name) => managed(access, caller, find(group, name)),
    draft(caller, input, secrets) {
      checkGroup(access, caller, input.group)
      checkTransportRights(caller, input.transport)
      const next = compose(parts, { input, secrets, previous: undefined })
      checkAuthRights(parts.sealing, caller, { next })
      return next
    },
    checkRun: (caller, { transport }) => checkTransportRights(caller, transport, transport),
    guardName: guard => void guards.push(guard),
    ...openChanges({ ...parts, checkName }, refresh),
    manifest: {
      read: readServers,
      compose: (input, secrets, previous) => compose(parts, { input, secrets, previous }),
      show: server => asInput(parts.sealing, server),
      async put(tx, server) {
        if (server.version > 1) return updateServer(tx, server)
        await checkName(tx, server)
        await insertServer(tx, server)
      },
      remove: (tx, server) => removeServer(access, tx, server),
    },
    refresh,
  }
}

type Servers = ReadonlyMap<string, Upstream>

function byPlace(servers: readonly Upstream[]): Servers {
  return new Map(servers.map(server => [`${server.group}/${server.name}`, server]))
}

/** Others remember what they made from a server by its object, so one that did not change stays the same object. */
function keepingUnchanged(before: Servers, read: readonly Upstream[]): Servers {
  const after = read.map(server => {
    const known = before.get(`${server.group}/${server.name}`)
    return known?.id === server.id && known.version === server.version ? known : server
  })
  return byPlace(after)
}

function changedIds(before: Servers, after: Servers): Set<string> {
  const changed = new Set<string>()
  for (const [place, server] of before) if (after.get(place) !== server) changed.add(server.id)
  for (const [place, server] of after) if (before.get(place) !== server) changed.add(server.id)
  return changed
}

async function refuseWhileUsed(tx: Transaction<Tables>, group: { id: string; name: string }): Promise<void> {
  const count = await countServers(tx, group.id)
  if (count > 0)
    fail('http.conflict', {
      why: `The group ${group.name} still has ${count === 1 ? 'a server' : `${count} servers`}.`,
      fix: 'Remove its servers first: gatehouse server remove <group/server>.',
    })
}
