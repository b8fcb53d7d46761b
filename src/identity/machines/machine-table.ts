/** The SQL of virtual accounts as OAuth clients. `from` is the database or a transaction. */
import type { Insertable, Selectable, Updateable } from 'kysely'
import type { Tables } from '../../database/index.ts'
import type { From } from '../table.ts'

export type { From } from '../table.ts'

export type SecretRow = Selectable<Tables['account_secrets']>

/** Oldest first. */
export function secretsOf(from: From, accountId: string): Promise<SecretRow[]> {
  return from
    .selectFrom('account_secrets')
    .selectAll()
    .where('account_id', '=', accountId)
    .orderBy('created_at')
    .orderBy('id')
    .execute()
}

export function secretByHash(from: From, hash: string): Promise<SecretRow | undefined> {
  return from.selectFrom('account_secrets').selectAll().where('hash', '=', hash).executeTakeFirst()
}

export function secretById(from: From, id: string): Promise<SecretRow | undefined> {
  return from.selectFrom('account_secrets').selectAll().where('id', '=', id).executeTakeFirst()
}

export async function insertSecret(tx: From, row: Insertable<Tables['account_secrets']>): Promise<void> {
  await tx.insertInto('account_secrets').values(row).execute()
}

export async function updateSecret(
  from: From,
  id: string,
  set: Updateable<Tables['account_secrets']>,
): Promise<void> {
  await from.updateTable('account_secrets').set(set).where('id', '=', id).execute()
}

export async function deleteSecret(tx: From, id: string): Promise<void> {
  await tx.deleteFrom('account_secrets').where('id', '=', id).execute()
}

export async function deleteSecretsExpired(tx: From, accountId: string, now: number): Promise<void> {
  await tx
    .deleteFrom('account_secrets')
    .where('account_id', '=', accountId)
    .where('expires_at', '<=', now)
    .execute()
}
