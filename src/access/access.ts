import type { Kysely, Transaction } from 'kysely'
import type { AuditRecord } from '../audit/index.ts'
import type { Database, Tables } from '../database/index.ts'
import type { Announcements } from '../foundation/announcements.ts'
import { fail } from '../foundation/errors.ts'
import type { Log } from '../foundation/log.ts'
import { oneAtATime } from '../foundation/one-at-a-time.ts'
import type { Caller, Route } from '../foundation/route.ts'
import type { Identity } from '../identity/index.ts'
import type { Action } from './actions.ts'
import { type Changes, openChanges } from './changes.ts'
import type { Circumstances, Decision, Target } from './decide.ts'
import { putGroup, putOwnGrants, readGroupInputs, readOwnGrants } from './manifest.ts'
import { groupRoutes } from './routes.ts'
import type { GroupInput } from './scope.ts'
import { manages, managesAll, type Snapshot, sees, takeSnapshot } from './snapshot.ts'
import {
  deleteGroup,
  deleteServerFromGrants,
  deleteSubject,
  type Group,
  readGroup,
  readGroups,
} from './table.ts'

/** Throws to keep a group from being removed. */
export type RemovalGuard = (tx: Transaction<Tables>, group: { id: string; name: string }) => Promise<void>

/** May they? Answers at once, from memory, for every path through the gateway. */
export type Access = {
  /**
   * The decision about one action on one server. Unknown groups are decided like groups without grants. `circumstances` is only called
   * where something depends on them; without it the decision is about whether the thing may be shown.
   */
  clear(caller: Caller, action: Action, target: Target, circumstances?: () => Circumstances): Decision
  /** May the caller change the group: register servers, give access? Admins and the operator may everywhere. */
  isManager(caller: Caller, group: string): boolean
  /** May the caller know that the group exists? */
  sees(caller: Caller, group: string): boolean
  group(name: string): Group | undefined
  /** In order of name. */
  groups(): Iterable<Group>
  /** For rooms that keep things in groups: called inside the transaction that would remove one. */
  guardRemoval(guard: RemovalGuard): void
  /** Groups as the manifest has them, sorted. */
  readGroups(database: Kysely<Tables>): Promise<GroupInput[]>
  /** Makes the group exactly this, new or not. The caller of the transaction records and refreshes. */
  putGroup(tx: Transaction<Tables>, group: GroupInput): Promise<void>
  removeGroup(tx: Transaction<Tables>, name: string): Promise<void>
  /** The own grants of a virtual server of the group: besides the group's, and gone with it. */
  readOwnGrants: typeof readOwnGrants
  putOwnGrants: typeof putOwnGrants
  /** Takes a server that is being removed out of the grants that name it, so that a later one of its name inherits nothing. */
  forgetServer(tx: Transaction<Tables>, group: string, server: string): Promise<void>
  readonly routes: readonly Route[]
  /** Reads everything anew; decisions follow from then on. */
  refresh(): Promise<void>
}

export type AccessParts = {
  readonly database: Database
  readonly audit: AuditRecord
  readonly announcements: Announcements
  readonly identity: Pick<Identity, 'onRemoval'>
  readonly log: Log
}

export async function openAccess(parts: AccessParts): Promise<Access> {
  const { database, audit, announcements, log } = parts
  let snapshot: Snapshot = takeSnapshot(await readGroups(database.kysely))
  const guards: RemovalGuard[] = []
  const refresh = oneAtATime(async () => {
    snapshot = takeSnapshot(await readGroups(database.kysely))
    announcements.announce({ topic: 'access.changed' })
    log.debug({ groups: snapshot.groups.size }, 'access refreshed')
  })
  parts.identity.onRemoval({ forget: deleteSubject, refresh })
  const removeGroup: Access['removeGroup'] = async (tx, name) => {
    const group = await readGroup(tx, name)
    if (group === undefined) return fail('access.not_found')
    for (const guard of guards) await guard(tx, { id: group.id, name })
    await deleteGroup(tx, group.id)
  }
  const find = (name: string) => snapshot.groups.get(name)
  const rules = {
    isManager(caller: Caller, name: string) {
      const group = find(name)
      return group === undefined ? managesAll(caller) : manages(caller, group)
    },
    sees(caller: Caller, name: string) {
      const group = find(name)
      return group !== undefined && sees(caller, group)
    },
    group: find,
    groups: () => snapshot.groups.values(),
  }
  const changes: Changes = openChanges({ database, audit, refresh, removeGroup })
  return {
    ...rules,
    clear: (caller, action, target) => snapshot.clear(caller, action, target),
    guardRemoval: guard => void guards.push(guard),
    readGroups: readGroupInputs,
    putGroup,
    removeGroup,
    readOwnGrants,
    putOwnGrants,
    forgetServer: deleteServerFromGrants,
    routes: groupRoutes(rules, changes),
    refresh,
  }
}
