/** The SQL of this room. `from` is the database or a transaction. */
import type { Insertable, Kysely, Selectable, Updateable } from 'kysely'
import type { Tables } from '../database/index.ts'

export type From = Kysely<Tables>
export type User = Selectable<Tables['users']>
export type Team = Selectable<Tables['teams']>
export type Account = Selectable<Tables['virtual_accounts']> & {
  owner_email: string | null
  owner_disabled_at: number | null
  owner_provider_id: string | null
}
export type Token = Selectable<Tables['tokens']> & {
  user_email: string | null
  user_role: User['role'] | null
  user_disabled_at: number | null
  user_provider_id: string | null
  account_name: string | null
  account_owner_id: string | null
  account_disabled_at: number | null
  account_credentials_json: string | null
  owner_disabled_at: number | null
  owner_provider_id: string | null
}

export function users(from: From): Promise<User[]> {
  return from.selectFrom('users').selectAll().orderBy('email').execute()
}

export function userByEmail(from: From, email: string): Promise<User | undefined> {
  return from.selectFrom('users').selectAll().where('email', '=', email).executeTakeFirst()
}

export function userById(from: From, id: string): Promise<User | undefined> {
  return from.selectFrom('users').selectAll().where('id', '=', id).executeTakeFirst()
}

export async function insertUser(tx: From, user: Insertable<Tables['users']>): Promise<void> {
  await tx.insertInto('users').values(user).execute()
}

export async function updateUser(tx: From, id: string, set: Updateable<Tables['users']>): Promise<void> {
  await tx.updateTable('users').set(set).where('id', '=', id).execute()
}

export async function deleteUser(tx: From, id: string): Promise<void> {
  await tx.deleteFrom('users').where('id', '=', id).execute()
}

export function admins(from: From): Promise<User[]> {
  return from.selectFrom('users').selectAll().where('role', '=', 'admin').execute()
}

export function teams(from: From): Promise<Team[]> {
  return from.selectFrom('teams').selectAll().orderBy('name').execute()
}

export function teamByName(from: From, name: string): Promise<Team | undefined> {
  return from.selectFrom('teams').selectAll().where('name', '=', name).executeTakeFirst()
}

export async function insertTeam(tx: From, team: Insertable<Tables['teams']>): Promise<void> {
  await tx.insertInto('teams').values(team).execute()
}

export async function deleteTeam(tx: From, id: string): Promise<void> {
  await tx.deleteFrom('teams').where('id', '=', id).execute()
}

export type Membership = {
  readonly team: string
  readonly email: string
  readonly provider_id: string | null
  readonly given_by: Tables['team_members']['given_by']
}

/** Who is in which team, by name of both, sorted. */
export function memberships(from: From): Promise<Membership[]> {
  return from
    .selectFrom('team_members')
    .innerJoin('teams', 'teams.id', 'team_members.team_id')
    .innerJoin('users', 'users.id', 'team_members.user_id')
    .select(['teams.name as team', 'users.email as email', 'users.provider_id', 'given_by'])
    .orderBy('teams.name')
    .orderBy('users.email')
    .execute()
}

export async function teamNamesOf(from: From, userId: string): Promise<string[]> {
  const rows = await from
    .selectFrom('team_members')
    .innerJoin('teams', 'teams.id', 'team_members.team_id')
    .select('teams.name')
    .where('team_members.user_id', '=', userId)
    .orderBy('teams.name')
    .execute()
  return rows.map(row => row.name)
}

/** Who gave a membership, the weakest first: what a stronger one gave, a weaker one does not take. */
const strengths = ['claims', 'scim', 'hand'] as const

/** Adding a member twice is adding them once, as whoever is stronger gave it. */
export async function insertMember(
  tx: From,
  teamId: string,
  userId: string,
  givenBy: Tables['team_members']['given_by'] = 'hand',
): Promise<void> {
  const weaker = strengths.slice(0, strengths.indexOf(givenBy))
  await tx
    .insertInto('team_members')
    .values({ team_id: teamId, user_id: userId, given_by: givenBy })
    .onConflict(conflict =>
      weaker.length === 0
        ? conflict.doNothing()
        : conflict
            .columns(['team_id', 'user_id'])
            .doUpdateSet({ given_by: givenBy })
            .where('team_members.given_by', 'in', weaker),
    )
    .execute()
}

export async function deleteMember(tx: From, teamId: string, userId: string): Promise<boolean> {
  const result = await tx
    .deleteFrom('team_members')
    .where('team_id', '=', teamId)
    .where('user_id', '=', userId)
    .executeTakeFirst()
  return result.numDeletedRows > 0n
}

function selectAccounts(from: From) {
  return from
    .selectFrom('virtual_accounts')
    .leftJoin('users as owner', 'owner.id', 'virtual_accounts.owner_id')
    .selectAll('virtual_accounts')
    .select([
      'owner.email as owner_email',
      'owner.disabled_at as owner_disabled_at',
      'owner.provider_id as owner_provider_id',
    ])
}

export function accounts(from: From): Promise<Account[]> {
  return selectAccounts(from).orderBy('virtual_accounts.name').execute()
}

export function accountByName(from: From, name: string): Promise<Account | undefined> {
  return selectAccounts(from).where('virtual_accounts.name', '=', name).executeTakeFirst()
}

export function accountsOfOwner(from: From, userId: string): Promise<Account[]> {
  return selectAccounts(from)
    .where('virtual_accounts.owner_id', '=', userId)
    .orderBy('virtual_accounts.name')
    .execute()
}

export async function insertAccount(
  tx: From,
  account: Insertable<Tables['virtual_accounts']>,
): Promise<void> {
  await tx.insertInto('virtual_accounts').values(account).execute()
}

export async function updateAccount(
  tx: From,
  id: string,
  set: Updateable<Tables['virtual_accounts']>,
): Promise<void> {
  await tx.updateTable('virtual_accounts').set(set).where('id', '=', id).execute()
}

export async function deleteAccount(tx: From, id: string): Promise<void> {
  await tx.deleteFrom('virtual_accounts').where('id', '=', id).execute()
}

function selectTokens(from: From) {
  return from
    .selectFrom('tokens')
    .leftJoin('users', 'users.id', 'tokens.user_id')
    .leftJoin('virtual_accounts as account', 'account.id', 'tokens.account_id')
    .leftJoin('users as owner', 'owner.id', 'account.owner_id')
    .selectAll('tokens')
    .select([
      'users.email as user_email',
      'users.role as user_role',
      'users.disabled_at as user_disabled_at',
      'users.provider_id as user_provider_id',
      'account.name as account_name',
      'account.owner_id as account_owner_id',
      'account.disabled_at as account_disabled_at',
      'account.credentials_json as account_credentials_json',
      'owner.disabled_at as owner_disabled_at',
      'owner.provider_id as owner_provider_id',
    ])
}

export function tokens(from: From): Promise<Token[]> {
  return selectTokens(from).orderBy('tokens.created_at', 'desc').orderBy('tokens.id').execute()
}

export function tokenById(from: From, id: string): Promise<Token | undefined> {
  return selectTokens(from).where('tokens.id', '=', id).executeTakeFirst()
}

export function tokenByHash(from: From, hash: string): Promise<Token | undefined> {
  return selectTokens(from).where('tokens.hash', '=', hash).executeTakeFirst()
}

export async function insertToken(tx: From, token: Insertable<Tables['tokens']>): Promise<void> {
  await tx.insertInto('tokens').values(token).execute()
}

/** The token it takes the place of. */
export function tokenReplacedBy(from: From, id: string): Promise<Token | undefined> {
  return selectTokens(from).where('tokens.replaced_by', '=', id).executeTakeFirst()
}

export async function updateToken(tx: From, id: string, set: Updateable<Tables['tokens']>): Promise<void> {
  await tx.updateTable('tokens').set(set).where('id', '=', id).execute()
}

/** Tokens that nobody revoked or replaced, and that expire in this time. Not those that were made for not much longer: they are meant to. */
export function tokensExpiring(from: From, after: number, until: number): Promise<Token[]> {
  return selectTokens(from)
    .where('tokens.expires_at', '>', after)
    .where('tokens.expires_at', '<=', until)
    .where(row => row(row('tokens.expires_at', '-', row.ref('tokens.created_at')), '>=', 2 * (until - after)))
    .where('tokens.revoked_at', 'is', null)
    .where('tokens.replaced_by', 'is', null)
    .orderBy('tokens.expires_at')
    .execute()
}

/** Notes a reminder; of several processes that do, one hears yes. */
export async function noteReminder(from: From, id: string, days: number): Promise<boolean> {
  const { numUpdatedRows } = await from
    .updateTable('tokens')
    .set({ reminded_days: days })
    .where('id', '=', id)
    .where(row => row.or([row('reminded_days', 'is', null), row('reminded_days', '>', days)]))
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

export async function revokeToken(tx: From, id: string, at: number): Promise<void> {
  await tx.updateTable('tokens').set({ revoked_at: at }).where('id', '=', id).execute()
}

const idsInOneStatement = 500

export async function markUsed(from: From, ids: readonly string[], at: number): Promise<void> {
  for (let start = 0; start < ids.length; start += idsInOneStatement) {
    const some = ids.slice(start, start + idsInOneStatement)
    await from.updateTable('tokens').set({ last_used_at: at }).where('id', 'in', some).execute()
  }
}

export async function fact(from: From, name: string): Promise<string | undefined> {
  const row = await from
    .selectFrom('instance_facts')
    .select('value')
    .where('name', '=', name)
    .executeTakeFirst()
  return row?.value
}

/** Writes a fact over the one before. */
export async function putFact(tx: From, name: string, value: string): Promise<void> {
  await tx
    .insertInto('instance_facts')
    .values({ name, value })
    .onConflict(conflict => conflict.column('name').doUpdateSet({ value }))
    .execute()
}

/** Writes a fact unless there is one, and returns the one there is. */
export async function firstFact(from: From, name: string, value: string): Promise<string> {
  await from
    .insertInto('instance_facts')
    .values({ name, value })
    .onConflict(conflict => conflict.column('name').doNothing())
    .execute()
  return (await fact(from, name)) ?? value
}

export async function deleteFact(tx: From, name: string): Promise<void> {
  await tx.deleteFrom('instance_facts').where('name', '=', name).execute()
}
