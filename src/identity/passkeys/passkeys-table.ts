/** The SQL of passkeys. */
import type { Insertable, Selectable } from 'kysely'
import type { Tables } from '../../database/index.ts'
import type { From } from '../table.ts'

export type Passkey = Selectable<Tables['passkeys']>

export function passkeysOf(from: From, userId: string): Promise<Passkey[]> {
  return from.selectFrom('passkeys').selectAll().where('user_id', '=', userId).orderBy('created_at').execute()
}

export function passkeyById(from: From, id: string): Promise<Passkey | undefined> {
  return from.selectFrom('passkeys').selectAll().where('id', '=', id).executeTakeFirst()
}

export async function hasPasskeys(from: From): Promise<boolean> {
  return (await from.selectFrom('passkeys').select('id').limit(1).executeTakeFirst()) !== undefined
}

/** False when there is one of this id already. */
export async function insertPasskey(tx: From, row: Insertable<Tables['passkeys']>): Promise<boolean> {
  const { numInsertedOrUpdatedRows = 0n } = await tx
    .insertInto('passkeys')
    .values(row)
    .onConflict(conflict => conflict.column('id').doNothing())
    .executeTakeFirst()
  return numInsertedOrUpdatedRows > 0n
}

/** Notes a use. False when somebody else noted one since the counter was read. */
export async function notePasskeyUse(
  tx: From,
  { id, counter: before }: Pick<Passkey, 'id' | 'counter'>,
  { counter, at }: { counter: number; at: number },
): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('passkeys')
    .set({ counter, used_at: at })
    .where('id', '=', id)
    .where('counter', '=', before)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

export async function renamePasskey(tx: From, id: string, name: string): Promise<void> {
  await tx.updateTable('passkeys').set({ name }).where('id', '=', id).execute()
}

export async function deletePasskey(tx: From, id: string): Promise<void> {
  await tx.deleteFrom('passkeys').where('id', '=', id).execute()
}
