import type { Database } from '../database/index.ts'
import type { SchemaOf } from './policies/find.ts'
import { openJudge } from './policies/judge.ts'
import type { Policy } from './policies/policy.ts'
import { readPolicies } from './policies/table.ts'
import { type Snapshot, takeSnapshot } from './snapshot.ts'
import { readGroups } from './table.ts'

/** What holds now: all that is decided by, as it was last read. */
export type Standing = {
  snapshot(): Snapshot
  /** In order of name. */
  policies(): readonly Policy[]
  /** Reads it anew. What it cannot read leaves everything as it was. */
  read(): Promise<void>
}

export async function openStanding({ kysely }: Database, schemaOf: SchemaOf): Promise<Standing> {
  let policies = await readPolicies(kysely)
  let judge = openJudge(policies, schemaOf)
  let snapshot = takeSnapshot(await readGroups(kysely), judge)
  return {
    snapshot: () => snapshot,
    policies: () => policies,
    async read() {
      const groups = await readGroups(kysely)
      const stored = await readPolicies(kysely)
      const before = judge
      // What did not change is not parsed again.
      judge = isSame(policies, stored) ? before : openJudge(stored, schemaOf)
      policies = stored
      snapshot = takeSnapshot(groups, judge)
      if (judge !== before) before.close()
    },
  }
}

function isSame(before: readonly Policy[], after: readonly Policy[]): boolean {
  const versions = (all: readonly Policy[]) => all.map(({ id, version }) => `${id} ${version}`).join()
  return versions(before) === versions(after)
}
