/** Decisions as they would be, were groups and policies others than those in force. */
import type { Kysely } from 'kysely'
import type { Tables } from '../database/index.ts'
import type { Grant } from './decide.ts'
import type { SchemaOf } from './policies/find.ts'
import { openJudge } from './policies/judge.ts'
import type { Policy } from './policies/policy.ts'
import { readPolicies } from './policies/table.ts'
import { type Snapshot, takeSnapshot } from './snapshot.ts'
import { type Group, readGroups } from './table.ts'

export type Draft = Pick<Snapshot, 'clear'> & {
  /** Names of groups. */
  readonly groups: ReadonlySet<string>
  /** Gives up what Cedar holds of it. */
  close(): void
}

export type Supposition = {
  /** A further grant, in the group of this name. */
  readonly grant?: { readonly group: string; readonly grant: Grant } | undefined
  /** Policies that are gone. */
  readonly without?: readonly string[] | undefined
}

type Held = { readonly groups: readonly Group[]; readonly policies: readonly Policy[] }

/** What holds now, but for this. */
export function suppose(held: Held, { grant, without = [] }: Supposition, schemaOf: SchemaOf): Draft {
  const groups = held.groups.map(group =>
    group.name === grant?.group ? { ...group, grants: [...group.grants, grant.grant] } : group,
  )
  const policies = held.policies.filter(({ name }) => !without.includes(name))
  return openDraft({ groups, policies }, schemaOf)
}

/** What would hold if the database, or this transaction of it, were read now. */
export async function readDraft(database: Kysely<Tables>, schemaOf: SchemaOf): Promise<Draft> {
  const groups = await readGroups(database)
  return openDraft({ groups, policies: await readPolicies(database) }, schemaOf)
}

function openDraft({ groups, policies }: Held, schemaOf: SchemaOf): Draft {
  const judge = openJudge(policies, schemaOf)
  const { clear } = takeSnapshot(groups, judge)
  return { clear, groups: new Set(groups.map(({ name }) => name)), close: judge.close }
}
