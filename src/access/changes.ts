import type { Transaction } from 'kysely'
import { type AuditRecord, changeEvent } from '../audit/index.ts'
import type { Database, Tables } from '../database/index.ts'
import { fail } from '../foundation/errors.ts'
import { canonical } from '../foundation/json.ts'
import type { Caller } from '../foundation/route.ts'
import type { Grant } from './decide.ts'
import { asGrantInput, normalGroup } from './manifest.ts'
import type { GrantInput, GroupInput } from './scope.ts'
import {
  deleteGrant,
  deleteManager,
  describeGroup,
  insertGrant,
  insertGroup,
  insertManager,
  readGroup,
  readGroups,
} from './table.ts'

/** Who changes something, in which request. */
export type By = { readonly caller: Caller; readonly requestId: string }

/** One change each: a transaction, an audit event in it, and a fresh snapshot after it. */
export type Changes = {
  createGroup(by: By, group: Pick<GroupInput, 'name' | 'description' | 'managers'>): Promise<void>
  describeGroup(by: By, group: string, description: string): Promise<void>
  removeGroup(by: By, group: string): Promise<void>
  addManager(by: By, group: string, subject: string): Promise<void>
  removeManager(by: By, group: string, subject: string): Promise<void>
  grant(by: By, group: string, grant: GrantInput): Promise<Grant>
  revoke(by: By, group: string, grantId: string): Promise<void>
}

type Parts = {
  readonly database: Database
  readonly audit: AuditRecord
  readonly refresh: () => Promise<void>
  readonly removeGroup: (tx: Transaction<Tables>, name: string) => Promise<void>
}

type Step<T> = { readonly action: string; readonly group: string; readonly detail?: unknown; work: Work<T> }
type Work<T> = (tx: Transaction<Tables>) => Promise<T>

export function openChanges({ database, audit, refresh, removeGroup }: Parts): Changes {
  async function change<T>(by: By, { action, group, detail = null, work }: Step<T>): Promise<T> {
    const result = await database.change(async tx => {
      const done = await work(tx)
      // Inside the transaction: what cannot be recorded does not happen.
      const event = { action: `access.${action}`, target: `group:${group}`, detail }
      await audit.recorded(changeEvent(by.caller, by.requestId, event))
      return done
    })
    await refresh()
    return result
  }
  return {
    createGroup: (by, group) =>
      change(by, { action: 'create_group', group: group.name, detail: group, work: tx => create(tx, group) }),
    describeGroup: (by, group, description) =>
      change(by, {
        action: 'update_group',
        group,
        detail: { description },
        work: async tx => describeGroup(tx, await groupId(tx, group), description),
      }),
    removeGroup: (by, group) =>
      change(by, { action: 'remove_group', group, work: tx => removeGroup(tx, group) }),
    addManager: (by, group, subject) =>
      change(by, {
        action: 'add_manager',
        group,
        detail: { subject },
        work: async tx => insertManager(tx, await groupId(tx, group), subject),
      }),
    removeManager: (by, group, subject) =>
      change(by, {
        action: 'remove_manager',
        group,
        detail: { subject },
        work: async tx => {
          if (!(await deleteManager(tx, await groupId(tx, group), subject)))
            fail('http.not_found', {
              why: `${subject} is no manager of this group.`,
              fix: 'List groups and their managers with: gatehouse group list.',
            })
        },
      }),
    grant: (by, group, grant) =>
      change(by, { action: 'grant', group, detail: grant, work: tx => addGrant(tx, group, grant) }),
    revoke: (by, group, id) =>
      change(by, {
        action: 'revoke',
        group,
        detail: { id },
        work: async tx => {
          if (!(await deleteGrant(tx, await groupId(tx, group), id)))
            fail('http.not_found', {
              why: 'There is no such grant in this group.',
              fix: `List them with: gatehouse group grants ${group}.`,
            })
        },
      }),
  }
}

async function create(tx: Transaction<Tables>, group: Parameters<Changes['createGroup']>[1]): Promise<void> {
  if ((await readGroup(tx, group.name)) !== undefined)
    fail('http.conflict', { why: `There is already a group ${group.name}.` })
  const id = await insertGroup(tx, { name: group.name, description: group.description })
  for (const subject of group.managers) await insertManager(tx, id, subject)
}

async function addGrant(tx: Transaction<Tables>, name: string, input: GrantInput): Promise<Grant> {
  const group = (await readGroups(tx)).find(candidate => candidate.name === name)
  if (group === undefined) return fail('access.not_found')
  const [wanted = input] = normalGroup({ name, description: '', managers: [], access: [input] }).access
  if (group.grants.some(grant => canonical(asGrantInput(grant)) === canonical(wanted)))
    fail('http.conflict', { why: 'This grant is already there.' })
  return insertGrant(tx, group.id, wanted)
}

async function groupId(tx: Transaction<Tables>, name: string): Promise<string> {
  return (await readGroup(tx, name))?.id ?? fail('access.not_found')
}
