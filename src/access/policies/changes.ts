import type { Kysely, Transaction } from 'kysely'
import { type AuditRecord, changeEvent } from '../../audit/index.ts'
import type { Database, Tables } from '../../database/index.ts'
import { fail } from '../../foundation/errors.ts'
import { canonical } from '../../foundation/json.ts'
import type { Caller } from '../../foundation/route.ts'
import type { TypeAndId } from './cedar.ts'
import type { Checked } from './check.ts'
import { mostPolicies, type Policy, type PolicyInput } from './policy.ts'
import type { PolicyProblem } from './problem.ts'
import { reachOf } from './reach.ts'
import { readsOf } from './reads.ts'
import { partsOf } from './statement.ts'
import { deletePolicy, insertPolicy, readPolicies, updatePolicy } from './table.ts'

type By = { readonly caller: Caller; readonly requestId: string }

/** One change each: a transaction, an audit event in it, and a fresh snapshot after it. */
export type PolicyChanges = {
  /** Makes the policy exactly this, new or not. Throws `access.policy_invalid`. Gives what could not be checked. */
  put(by: By, policy: PolicyInput): Promise<readonly PolicyProblem[]>
  remove(by: By, name: string): Promise<void>
}

type Parts = {
  readonly database: Database
  readonly audit: AuditRecord
  readonly check: (text: string) => Promise<Checked>
  readonly refresh: () => Promise<void>
}

export function openPolicyChanges({ database, audit, check, refresh }: Parts): PolicyChanges {
  const record = (by: By, verb: string, name: string, detail: unknown = null) =>
    audit.recorded(
      changeEvent(by.caller, by.requestId, {
        action: `access.${verb}_policy`,
        target: `policy:${name}`,
        detail,
      }),
    )
  return {
    async put(by, policy) {
      const { problems, warnings } = await check(policy.text)
      if (problems.length > 0) refusePolicy(problems, warnings)
      await database.change(async tx => {
        const done = await putPolicy(tx, policy)
        if (done !== 'keep') await record(by, done, policy.name, policy)
      })
      await refresh()
      return warnings
    },
    async remove(by, name) {
      await database.change(async tx => {
        await removePolicy(tx, name)
        await record(by, 'remove', name)
      })
      await refresh()
    },
  }
}

export function refusePolicy(problems: readonly PolicyProblem[], warnings: readonly PolicyProblem[]): never {
  const lines = problems.slice(0, 20).map(({ line, column, why, fix }) => `${line}:${column}: ${why} ${fix}`)
  const more = problems.length > lines.length ? ['...'] : []
  return fail('access.policy_invalid', { why: [...lines, ...more].join('\n'), data: { problems, warnings } })
}

/** Makes the policy exactly this, new or not. Whoever has the transaction checked it, records and refreshes. */
export async function putPolicy(
  tx: Transaction<Tables>,
  policy: PolicyInput,
): Promise<'create' | 'update' | 'keep'> {
  const all = await readPolicies(tx)
  const present = all.find(({ name }) => name === policy.name)
  if (present === undefined) {
    if (all.length >= mostPolicies)
      fail('http.conflict', {
        why: `There are ${all.length} policies already, which is the most.`,
        fix: 'Put statements that belong together into one policy.',
      })
    await insertPolicy(tx, policy)
    return 'create'
  }
  if (canonical(asPolicyInput(present)) === canonical(policy)) return 'keep'
  await updatePolicy(tx, policy)
  return 'update'
}

export async function removePolicy(tx: Transaction<Tables>, name: string): Promise<void> {
  if (!(await deletePolicy(tx, name))) fail('access.policy_unknown', { why: `There is no policy ${name}.` })
}

export function asPolicyInput({ name, mode, description, text }: Policy): PolicyInput {
  return { name, mode, description, text }
}

/** Throws while a policy names it: whoever got the name next would be somebody else. */
export async function refuseWhileNamed(
  tx: Kysely<Tables>,
  what: string,
  isIt: (uid: TypeAndId) => boolean,
): Promise<void> {
  const naming = (await readPolicies(tx)).filter(({ text }) => namedIn(text).some(isIt))
  if (naming.length === 0) return
  const names = naming.map(({ name }) => name).join(', ')
  fail('http.conflict', {
    why: `${what} is named in the ${naming.length === 1 ? 'policy' : 'policies'} ${names}.`,
    fix: 'Change or remove that first: gatehouse policy list.',
  })
}

function namedIn(text: string): TypeAndId[] {
  const parts = partsOf(text) ?? []
  return parts.flatMap(({ json }) => [...reachOf(json).named, ...readsOf(json).entities])
}
