/** The SQL of what identity providers gave for people who signed in. */
import type { Insertable, Selectable } from 'kysely'
import type { Tables } from '../../database/index.ts'
import type { Lease } from '../../foundation/take-turns.ts'
import type { From } from '../table.ts'

export type TokensRow = Selectable<Tables['provider_tokens']>
export type Whose = { readonly userId: string; readonly providerId: string }

export function tokensOf(from: From, { userId, providerId }: Whose): Promise<TokensRow | undefined> {
  return from
    .selectFrom('provider_tokens')
    .selectAll()
    .where('user_id', '=', userId)
    .where('provider_id', '=', providerId)
    .executeTakeFirst()
}

/** Takes the place of those of the sign-in before. */
export async function putTokens(from: From, row: Insertable<Tables['provider_tokens']>): Promise<void> {
  const { user_id: _, provider_id: __, ...set } = row
  await from
    .insertInto('provider_tokens')
    .values(row)
    .onConflict(conflict => conflict.columns(['user_id', 'provider_id']).doUpdateSet(set))
    .execute()
}

/** Only if they are still what was seen, and the lease is still this one: false when they are not. */
export async function renewTokens(
  from: From,
  row: TokensRow,
  { sealed, now, lease }: { readonly sealed: string; readonly now: number; readonly lease: string },
): Promise<boolean> {
  const { numUpdatedRows } = await from
    .updateTable('provider_tokens')
    .set({ sealed, version: row.version + 1, updated_at: now, lease: null, lease_until: null })
    .where('user_id', '=', row.user_id)
    .where('provider_id', '=', row.provider_id)
    .where('version', '=', row.version)
    .where('lease', '=', lease)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** One renews at a time, in all processes: false where somebody else does, or has. */
export async function leaseTokens(from: From, row: TokensRow, lease: Lease): Promise<boolean> {
  const { numUpdatedRows } = await from
    .updateTable('provider_tokens')
    .set({ lease: lease.lease, lease_until: lease.until })
    .where('user_id', '=', row.user_id)
    .where('provider_id', '=', row.provider_id)
    .where('version', '=', row.version)
    .where(where => where.or([where('lease_until', 'is', null), where('lease_until', '<', lease.now)]))
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

export async function releaseTokens(from: From, lease: string): Promise<void> {
  await from
    .updateTable('provider_tokens')
    .set({ lease: null, lease_until: null })
    .where('lease', '=', lease)
    .execute()
}

/** The browser got another session in place of the one in which they came. */
export async function moveTokens(from: From, before: string, sessionId: string): Promise<void> {
  await from
    .updateTable('provider_tokens')
    .set({ session_id: sessionId })
    .where('session_id', '=', before)
    .execute()
}

/** Those that came in a session, and those of its person that came in one that is not open any more. */
export async function deleteTokensOfSession(
  from: From,
  sessionId: string,
  { now, idleSince }: { readonly now: number; readonly idleSince: number },
): Promise<void> {
  const person = from.selectFrom('browser_sessions').select('user_id').where('id', '=', sessionId)
  const open = from
    .selectFrom('browser_sessions')
    .select('id')
    .where('expires_at', '>', now)
    .where('seen_at', '>', idleSince)
  await from
    .deleteFrom('provider_tokens')
    .where(row =>
      row.or([
        row('session_id', '=', sessionId),
        row.and([
          row('user_id', 'in', person),
          row('session_id', 'not in', open),
          // One that idled is as old as that; who signs in at this moment has a session that is not seen yet.
          row('signed_in_at', '<=', idleSince),
        ]),
      ]),
    )
    .execute()
}

export async function deleteTokensOfUser(from: From, userId: string): Promise<void> {
  await from.deleteFrom('provider_tokens').where('user_id', '=', userId).execute()
}

export async function deleteTokensOfProvider(from: From, providerId: string): Promise<void> {
  await from.deleteFrom('provider_tokens').where('provider_id', '=', providerId).execute()
}

/** Those of one session at the provider, or all that somebody has from there. */
export async function deleteTokensAt(
  from: From,
  providerId: string,
  by: { readonly providerSession: string } | { readonly userId: string },
): Promise<void> {
  const tokens = from.deleteFrom('provider_tokens').where('provider_id', '=', providerId)
  if ('userId' in by) await tokens.where('user_id', '=', by.userId).execute()
  else await tokens.where('provider_session', '=', by.providerSession).execute()
}

/** Nobody has signed in with them for so long that they are of no use. */
export async function deleteOldTokens(from: From, before: number): Promise<void> {
  await from.deleteFrom('provider_tokens').where('updated_at', '<', before).execute()
}
