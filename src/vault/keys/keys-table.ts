import type { Kysely, Selectable, Transaction } from 'kysely'
import type { Tables } from '../../database/index.ts'

export type From = Kysely<Tables> | Transaction<Tables>
export type KeyRow = Selectable<Tables['vault_keys']>

/** In the order they were made. */
export function keyRows(from: From): Promise<KeyRow[]> {
  return from.selectFrom('vault_keys').selectAll().orderBy('created_at').orderBy('id').execute()
}

/** Keeps the row, new or changed. */
export async function putKeyRow(from: From, row: KeyRow): Promise<void> {
  const { id: _, ...again } = row
  await from
    .insertInto('vault_keys')
    .values(row)
    .onConflict(conflict => conflict.column('id').doUpdateSet(again))
    .execute()
}
