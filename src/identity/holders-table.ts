import type { From } from './table.ts'

export async function holderRows(from: From, ids: readonly string[]) {
  const wanted = [...ids, '']
  const users = await from
    .selectFrom('users')
    .select(['id', 'email', 'disabled_at'])
    .where('id', 'in', wanted)
    .execute()
  const accounts = await from
    .selectFrom('virtual_accounts')
    .leftJoin('users', 'users.id', 'virtual_accounts.owner_id')
    .select([
      'virtual_accounts.id',
      'virtual_accounts.name',
      'virtual_accounts.disabled_at',
      'virtual_accounts.owner_id',
    ])
    .select('users.disabled_at as owner_disabled_at')
    .where('virtual_accounts.id', 'in', wanted)
    .execute()
  return { users, accounts }
}
