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
import { type Draft, readDraft, type Supposition, suppose } from './draft.ts'
import type { Explanation } from './explanation.ts'
import { putGroup, putOwnGrants, readGroupInputs, readOwnGrants } from './manifest.ts'
import type { SchemaOf } from './policies/find.ts'
import { openPolicies, type Policies } from './policies/open.ts'
import { groupRoutes } from './routes.ts'
import type { GroupInput } from './scope.ts'
import { manages, managesAll } from './snapshot.ts'
import { openStanding, type Standing } from './standing.ts'
import {
  deleteGroup,
  deleteServerFromGrants,
  deleteSubject,
  type Group,
  readGroup,
  renameSubject,
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
  /** The same decision, with everything that had a say in it. */
  explain(caller: Caller, action: Action, target: Target, circumstances?: () => Circumstances): Explanation
  /** How it would be decided, were this so. Close it. */
  suppose(supposition: Supposition): Draft
  /** How it would be decided if the database, or this transaction of it, held. Close it. */
  readDraft(database: Kysely<Tables>, schemaOf: SchemaOf): Promise<Draft>
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
  /** Policies as the manifest has them, and what they are checked against. */
  readonly policies: Pick<Policies, 'check' | 'checkNow' | 'readInputs' | 'put' | 'remove' | 'describeTools'>
  readonly routes: readonly Route[]
  /** Reads everything anew; decisions follow from then on. */
  refresh(): Promise<void>
}

export type AccessParts = {
  readonly database: Database
  readonly audit: AuditRecord
  readonly announcements: Announcements
  readonly identity: Pick<Identity, 'onRemoval' | 'readDeclared'>
  readonly log: Log
}

export async function openAccess(parts: AccessParts): Promise<Access> {
  const { database, audit, announcements, log } = parts
  const guards: RemovalGuard[] = []
  const standing = await openStanding(database, target => policies.inputSchema(target))
  const refresh = oneAtATime(async () => {
    await standing.read()
    announcements.announce({ topic: 'access.changed' })
    log.debug({ groups: standing.snapshot().groups.size }, 'access refreshed')
  })
  const policies = openPolicies({
    ...parts,
    refresh,
    groups: () => standing.snapshot().groups.keys(),
    present: standing.policies,
  })
  parts.identity.onRemoval({ ...namer(policies), refresh })
  const removeGroup: Access['removeGroup'] = async (tx, name) => {
    const group = await readGroup(tx, name)
    if (group === undefined) return fail('access.not_found')
    for (const guard of guards) await guard(tx, { id: group.id, name })
    await policies.keepGroup(tx, name)
    await deleteGroup(tx, group.id)
  }
  const find = (name: string) => standing.snapshot().groups.get(name)
  const rules = {
    isManager(caller: Caller, name: string) {
      const group = find(name)
      return group === undefined ? managesAll(caller) : manages(caller, group)
    },
    sees(caller: Caller, name: string) {
      const group = find(name)
      return group !== undefined && standing.snapshot().sees(caller, group)
    },
    group: find,
    groups: () => standing.snapshot().groups.values(),
  }
  const changes: Changes = openChanges({ database, audit, refresh, removeGroup })
  return {
    ...rules,
    ...decisions(standing, policies.inputSchema),
    readDraft,
    guardRemoval: guard => void guards.push(guard),
    readGroups: readGroupInputs,
    putGroup,
    removeGroup,
    readOwnGrants,
    putOwnGrants,
    async forgetServer(tx, group, server) {
      await policies.keepServer(tx, group, server)
      await deleteServerFromGrants(tx, group, server)
    },
    policies,
    routes: [...groupRoutes(rules, changes), ...policies.routes],
    refresh,
  }
}

/** Grants know subjects by name; policies must not name one that goes. */
function namer(policies: Pick<Policies, 'keepSubject'>) {
  return {
    async forget(tx: Kysely<Tables>, subject: string): Promise<void> {
      await policies.keepSubject(tx, subject)
      await deleteSubject(tx, subject)
    },
    async rename(tx: Kysely<Tables>, from: string, to: string): Promise<void> {
      await policies.keepSubject(tx, from)
      await renameSubject(tx, from, to)
    },
  }
}

function decisions(standing: Standing, schemaOf: SchemaOf): Pick<Access, 'clear' | 'explain' | 'suppose'> {
  return {
    clear: (caller, action, target, circumstances) =>
      standing.snapshot().clear(caller, action, target, circumstances),
    explain: (caller, action, target, circumstances) =>
      standing.snapshot().explain(caller, action, target, circumstances),
    suppose(supposition) {
      const groups = [...standing.snapshot().groups.values()]
      return suppose({ groups, policies: standing.policies() }, supposition, schemaOf)
    },
  }
}
