/** The SQL of signing in: sessions of browsers, and what they are in the midst of. */
import type { Insertable, Selectable, Updateable } from 'kysely'
import type { Tables } from '../database/index.ts'
import { deleteTokensOfProvider, deleteTokensOfUser } from './provider-tokens/provider-tokens-table.ts'
import type { From, User } from './table.ts'

export type { From } from './table.ts'

export type SessionRow = Selectable<Tables['browser_sessions']> &
  Pick<User, 'email' | 'role' | 'disabled_at'> & {
    /** The name of the identity provider. */
    provider: string | null
    provider_removed_at: number | null
    user_provider_id: string | null
  }

function selectSessions(from: From) {
  return from
    .selectFrom('browser_sessions')
    .innerJoin('users', 'users.id', 'browser_sessions.user_id')
    .leftJoin('identity_providers as provider', 'provider.id', 'browser_sessions.provider_id')
    .selectAll('browser_sessions')
    .select(['users.email', 'users.role', 'users.disabled_at', 'users.provider_id as user_provider_id'])
    .select(['provider.name as provider', 'provider.removed_at as provider_removed_at'])
}

export function sessionByHash(from: From, hash: string): Promise<SessionRow | undefined> {
  return selectSessions(from).where('hash', '=', hash).executeTakeFirst()
}

export function sessionsOf(from: From, userId: string): Promise<SessionRow[]> {
  return selectSessions(from).where('user_id', '=', userId).orderBy('browser_sessions.id').execute()
}

/** Every session of people who signed in at a provider. */
export function sessionsAtProvider(from: From, providerId: string): Promise<SessionRow[]> {
  return selectSessions(from).where('browser_sessions.provider_id', '=', providerId).execute()
}

export async function idTokenSealed(from: From, id: string): Promise<string | null> {
  const row = await from
    .selectFrom('browser_sessions')
    .select('id_token_sealed')
    .where('id', '=', id)
    .executeTakeFirst()
  return row?.id_token_sealed ?? null
}

export async function insertSession(from: From, row: Insertable<Tables['browser_sessions']>): Promise<void> {
  await from.insertInto('browser_sessions').values(row).execute()
}

export async function updateSession(
  from: From,
  id: string,
  set: Updateable<Tables['browser_sessions']>,
): Promise<void> {
  await from.updateTable('browser_sessions').set(set).where('id', '=', id).execute()
}

export async function deleteSession(from: From, id: string): Promise<void> {
  await from.deleteFrom('browser_sessions').where('id', '=', id).execute()
}

/** Everywhere: what identity providers gave for them goes too. */
export async function deleteSessionsOf(from: From, userId: string): Promise<void> {
  await deleteTokensOfUser(from, userId)
  await from.deleteFrom('browser_sessions').where('user_id', '=', userId).execute()
}

export async function deleteSessionsOfProvider(from: From, providerId: string): Promise<void> {
  await deleteTokensOfProvider(from, providerId)
  await from.deleteFrom('browser_sessions').where('provider_id', '=', providerId).execute()
}

/** One that idled is still there to be ended, where what came in it is kept. */
export async function deleteOldSessions(from: From, now: number, idleSince: number): Promise<void> {
  const kept = from.selectFrom('provider_tokens').select('session_id')
  await from
    .deleteFrom('browser_sessions')
    .where(row =>
      row.or([
        row('expires_at', '<=', now),
        row.and([row('seen_at', '<=', idleSince), row('id', 'not in', kept)]),
      ]),
    )
    .execute()
}

export type NoticeRow = Selectable<Tables['notices']>

/** The newest first. */
export function noticesOf(from: From, userId: string): Promise<NoticeRow[]> {
  return from
    .selectFrom('notices')
    .selectAll()
    .where('user_id', '=', userId)
    .orderBy('id', 'desc')
    .limit(20)
    .execute()
}

export async function insertNotice(from: From, row: Insertable<Tables['notices']>): Promise<void> {
  await from.insertInto('notices').values(row).execute()
}

export async function deleteNotice(from: From, userId: string, id: string): Promise<void> {
  await from.deleteFrom('notices').where('user_id', '=', userId).where('id', '=', id).execute()
}

export function flowByHash(from: From, hash: string): Promise<Selectable<Tables['flows']> | undefined> {
  return from.selectFrom('flows').selectAll().where('hash', '=', hash).executeTakeFirst()
}

export async function insertFlow(from: From, row: Insertable<Tables['flows']>): Promise<void> {
  await from.insertInto('flows').values(row).execute()
}

/** Was it not there yet? Of several who ask at once, one hears yes. */
export async function insertFlowOnce(from: From, row: Insertable<Tables['flows']>): Promise<boolean> {
  const { numInsertedOrUpdatedRows = 0n } = await from
    .insertInto('flows')
    .values(row)
    .onConflict(conflict => conflict.column('hash').doNothing())
    .executeTakeFirst()
  return numInsertedOrUpdatedRows > 0n
}

/** Was it still there? Of several who ask at once, one hears yes. */
export async function deleteFlow(from: From, hash: string): Promise<boolean> {
  const { numDeletedRows } = await from.deleteFrom('flows').where('hash', '=', hash).executeTakeFirst()
  return numDeletedRows > 0n
}

export async function deleteOldFlows(from: From, now: number): Promise<void> {
  await from.deleteFrom('flows').where('expires_at', '<=', now).execute()
}
