/** The SQL of the authorization server. `from` is the database or a transaction. */
import type { Insertable, Selectable, Updateable } from 'kysely'
import type { Tables } from '../../database/index.ts'
import type { Account, From, User } from '../table.ts'

export type { From } from '../table.ts'

export type ArtifactRow = Selectable<Tables['oauth_artifacts']>
export type GrantRow = Selectable<Tables['oauth_grants']>
export type ClientRow = Selectable<Tables['oauth_clients']>
export type KeyRow = Selectable<Tables['oauth_keys']>

export async function putArtifact(from: From, row: Insertable<Tables['oauth_artifacts']>): Promise<void> {
  const { model: _, hash: __, consumed_at: ___, ...again } = row
  await from
    .insertInto('oauth_artifacts')
    .values(row)
    .onConflict(conflict => conflict.columns(['model', 'hash']).doUpdateSet(again))
    .execute()
}

export function artifact(from: From, model: string, hash: string): Promise<ArtifactRow | undefined> {
  return from
    .selectFrom('oauth_artifacts')
    .selectAll()
    .where('model', '=', model)
    .where('hash', '=', hash)
    .executeTakeFirst()
}

export function artifactByUid(from: From, model: string, uidHash: string): Promise<ArtifactRow | undefined> {
  return from
    .selectFrom('oauth_artifacts')
    .selectAll()
    .where('model', '=', model)
    .where('uid_hash', '=', uidHash)
    .executeTakeFirst()
}

/** Of all who ask for the same, in whatever process, one hears yes. */
export async function consumeArtifact(from: From, model: string, hash: string, at: number): Promise<boolean> {
  const { numUpdatedRows } = await from
    .updateTable('oauth_artifacts')
    .set({ consumed_at: at })
    .where('model', '=', model)
    .where('hash', '=', hash)
    .where('consumed_at', 'is', null)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

export async function updateArtifact(
  from: From,
  key: Pick<ArtifactRow, 'model' | 'hash'>,
  set: Updateable<Tables['oauth_artifacts']>,
): Promise<void> {
  await from
    .updateTable('oauth_artifacts')
    .set(set)
    .where('model', '=', key.model)
    .where('hash', '=', key.hash)
    .execute()
}

export async function deleteArtifact(from: From, model: string, hash: string): Promise<void> {
  await from.deleteFrom('oauth_artifacts').where('model', '=', model).where('hash', '=', hash).execute()
}

export async function deleteOldArtifacts(from: From, now: number): Promise<void> {
  await from.deleteFrom('oauth_artifacts').where('expires_at', '<=', now).execute()
  await from.deleteFrom('oauth_grants').where('expires_at', '<=', now).execute()
}

export async function putGrant(from: From, row: Insertable<Tables['oauth_grants']>): Promise<void> {
  const { id: _, created_at: __, ...again } = row
  await from
    .insertInto('oauth_grants')
    .values(row)
    .onConflict(conflict => conflict.column('id').doUpdateSet(again))
    .execute()
}

export function grantById(from: From, id: string): Promise<GrantRow | undefined> {
  return from.selectFrom('oauth_grants').selectAll().where('id', '=', id).executeTakeFirst()
}

export type ListedGrant = GrantRow & Pick<User, 'email'>

/** Newest first; of one person, or of everybody. */
export function grants(from: From, userId?: string): Promise<ListedGrant[]> {
  const all = from
    .selectFrom('oauth_grants')
    .innerJoin('users', 'users.id', 'oauth_grants.user_id')
    .selectAll('oauth_grants')
    .select('users.email')
    .orderBy('oauth_grants.id', 'desc')
  return (userId === undefined ? all : all.where('oauth_grants.user_id', '=', userId)).execute()
}

/** With everything that hangs on it. Was it still there? */
export async function deleteGrant(tx: From, id: string): Promise<boolean> {
  const { numDeletedRows } = await tx.deleteFrom('oauth_grants').where('id', '=', id).executeTakeFirst()
  return numDeletedRows > 0n
}

export async function deleteGrantsOfClient(tx: From, clientId: string): Promise<void> {
  await tx.deleteFrom('oauth_grants').where('client_id', '=', clientId).execute()
  await tx.deleteFrom('oauth_consents').where('client_id', '=', clientId).execute()
}

export async function markGrantsUsed(from: From, ids: readonly string[], at: number): Promise<void> {
  await from.updateTable('oauth_grants').set({ used_at: at }).where('id', 'in', ids).execute()
}

export type TokenRow = Pick<ArtifactRow, 'payload' | 'expires_at'> &
  Pick<GrantRow, 'id' | 'client_id' | 'client_name' | 'user_id'> &
  Pick<User, 'email' | 'role' | 'disabled_at' | 'provider_id'>

/** An access token with the grant it hangs on and the person who gave it. */
export function accessToken(from: From, hash: string): Promise<TokenRow | undefined> {
  return from
    .selectFrom('oauth_artifacts as token')
    .innerJoin('oauth_grants as grant', 'grant.id', 'token.grant_id')
    .innerJoin('users', 'users.id', 'grant.user_id')
    .select(['token.payload', 'token.expires_at'])
    .select(['grant.id', 'grant.client_id', 'grant.client_name', 'grant.user_id'])
    .select(['users.email', 'users.role', 'users.disabled_at', 'users.provider_id'])
    .where('token.model', '=', 'AccessToken')
    .where('token.hash', '=', hash)
    .executeTakeFirst()
}

export type AccountTokenRow = Pick<ArtifactRow, 'hash' | 'payload' | 'expires_at'> &
  Pick<
    Account,
    'id' | 'name' | 'disabled_at' | 'owner_disabled_at' | 'owner_provider_id' | 'credentials_json'
  >

/** An access token of a virtual account. */
export function accountToken(from: From, hash: string): Promise<AccountTokenRow | undefined> {
  return from
    .selectFrom('oauth_artifacts as token')
    .innerJoin('virtual_accounts as account', 'account.id', 'token.account_id')
    .leftJoin('users as owner', 'owner.id', 'account.owner_id')
    .select(['token.hash', 'token.payload', 'token.expires_at'])
    .select(['account.id', 'account.name', 'account.disabled_at', 'account.credentials_json'])
    .select(['owner.disabled_at as owner_disabled_at', 'owner.provider_id as owner_provider_id'])
    .where('token.model', '=', 'ClientCredentials')
    .where('token.hash', '=', hash)
    .executeTakeFirst()
}

export async function hasConsent(from: From, userId: string, hash: string): Promise<boolean> {
  const row = await from
    .selectFrom('oauth_consents')
    .select('created_at')
    .where('user_id', '=', userId)
    .where('hash', '=', hash)
    .executeTakeFirst()
  return row !== undefined
}

export async function putConsent(tx: From, row: Insertable<Tables['oauth_consents']>): Promise<void> {
  await tx
    .insertInto('oauth_consents')
    .values(row)
    .onConflict(conflict => conflict.doNothing())
    .execute()
}

export async function deleteConsents(tx: From, userId: string, clientId: string): Promise<void> {
  await tx
    .deleteFrom('oauth_consents')
    .where('user_id', '=', userId)
    .where('client_id', '=', clientId)
    .execute()
}

export function clients(from: From): Promise<ClientRow[]> {
  return from.selectFrom('oauth_clients').selectAll().orderBy('id').execute()
}

export function clientById(from: From, id: string): Promise<ClientRow | undefined> {
  return from.selectFrom('oauth_clients').selectAll().where('id', '=', id).executeTakeFirst()
}

export async function putClient(from: From, row: Insertable<Tables['oauth_clients']>): Promise<void> {
  const { id: _, created_at: __, used_at: ___, registered_by: ____, ...again } = row
  await from
    .insertInto('oauth_clients')
    .values(row)
    .onConflict(conflict => conflict.column('id').doUpdateSet(again))
    .execute()
}

export async function deleteClient(tx: From, id: string): Promise<boolean> {
  const { numDeletedRows } = await tx.deleteFrom('oauth_clients').where('id', '=', id).executeTakeFirst()
  return numDeletedRows > 0n
}

export async function markClientUsed(from: From, id: string, at: number): Promise<void> {
  await from
    .updateTable('oauth_clients')
    .set({ used_at: at })
    .where('id', '=', id)
    .where('used_at', 'is', null)
    .execute()
}

/** Those that registered themselves before then, and never got a token. */
export async function deleteUnusedClients(from: From, before: number): Promise<void> {
  await from
    .deleteFrom('oauth_clients')
    .where('registered_by', '=', 'itself')
    .where('used_at', 'is', null)
    .where('created_at', '<=', before)
    .execute()
}

export async function countUnusedClients(from: From): Promise<number> {
  const row = await from
    .selectFrom('oauth_clients')
    .select(of => of.fn.countAll<number>().as('count'))
    .where('registered_by', '=', 'itself')
    .where('used_at', 'is', null)
    .executeTakeFirst()
  return Number(row?.count ?? 0)
}

/** Newest first. */
export function keys(from: From): Promise<KeyRow[]> {
  return from.selectFrom('oauth_keys').selectAll().orderBy('created_at', 'desc').orderBy('id').execute()
}

export async function insertKey(tx: From, row: Insertable<Tables['oauth_keys']>): Promise<void> {
  await tx.insertInto('oauth_keys').values(row).execute()
}

export async function retireKeys(tx: From, at: number): Promise<void> {
  await tx.updateTable('oauth_keys').set({ retired_at: at }).where('retired_at', 'is', null).execute()
}

export async function deleteKeysRetiredBefore(tx: From, before: number): Promise<void> {
  await tx.deleteFrom('oauth_keys').where('retired_at', '<=', before).execute()
}
