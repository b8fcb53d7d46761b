import type { Kysely, Transaction } from 'kysely'
import type { Tables } from '../../database/index.ts'
import { newId } from '../../foundation/id.ts'
import type { Policy, PolicyInput } from './policy.ts'

type Reader = Kysely<Tables>
type Writer = Transaction<Tables>

/** In order of name. */
export async function readPolicies(database: Reader): Promise<Policy[]> {
  const rows = await database.selectFrom('policies').selectAll().orderBy('name').execute()
  return rows.map(({ created_at, updated_at, ...row }) => ({
    ...row,
    createdAt: created_at,
    updatedAt: updated_at,
  }))
}

export async function insertPolicy(tx: Writer, policy: PolicyInput): Promise<void> {
  const now = Date.now()
  await tx
    .insertInto('policies')
    .values({ id: newId(), ...columns(policy), version: 1, created_at: now, updated_at: now })
    .execute()
}

export async function updatePolicy(tx: Writer, policy: PolicyInput): Promise<void> {
  await tx
    .updateTable('policies')
    .set(row => ({ ...columns(policy), version: row('version', '+', 1), updated_at: Date.now() }))
    .where('name', '=', policy.name)
    .execute()
}

export async function deletePolicy(tx: Writer, name: string): Promise<boolean> {
  const { numDeletedRows } = await tx.deleteFrom('policies').where('name', '=', name).executeTakeFirst()
  return numDeletedRows > 0n
}

function columns({ name, mode, description, text }: PolicyInput) {
  return { name, mode, description, text }
}
