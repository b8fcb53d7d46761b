import type { From } from '../credentials/credential-table.ts'

/** What the gateway registered itself as, for one server at one issuer. */
export type ClientPlace = { readonly serverId: string; readonly issuer: string; readonly redirectUri: string }

export async function readClient(
  from: From,
  { serverId, issuer, redirectUri }: ClientPlace,
): Promise<{ sealed: string; expiresAt: number | null } | undefined> {
  const row = await from
    .selectFrom('upstream_clients')
    .select(['sealed', 'expires_at'])
    .where('server_id', '=', serverId)
    .where('issuer', '=', issuer)
    .where('redirect_uri', '=', redirectUri)
    .executeTakeFirst()
  return row && { sealed: row.sealed, expiresAt: row.expires_at }
}

/** False where another process was first: then theirs is the one. */
export async function keepClient(
  from: From,
  { serverId, issuer, redirectUri }: ClientPlace,
  kept: { clientId: string; sealed: string; expiresAt: number | null; now: number },
): Promise<boolean> {
  const { numInsertedOrUpdatedRows = 0n } = await from
    .insertInto('upstream_clients')
    .values({
      server_id: serverId,
      issuer,
      redirect_uri: redirectUri,
      client_id: kept.clientId,
      sealed: kept.sealed,
      expires_at: kept.expiresAt,
      created_at: kept.now,
    })
    .onConflict(conflict => conflict.columns(['server_id', 'issuer', 'redirect_uri']).doNothing())
    .executeTakeFirst()
  return numInsertedOrUpdatedRows > 0n
}

export async function forgetClient(
  from: From,
  { serverId, issuer, clientId }: Pick<ClientPlace, 'serverId' | 'issuer'> & { clientId: string },
): Promise<void> {
  await from
    .deleteFrom('upstream_clients')
    .where('server_id', '=', serverId)
    .where('issuer', '=', issuer)
    .where('client_id', '=', clientId)
    .execute()
}
