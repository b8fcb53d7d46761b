import type { From } from '../credentials/credential-table.ts'

/** What the gateway registered itself as, for one server at one issuer. */
export type ClientPlace = { readonly serverId: string; readonly issuer: string; readonly redirectUri: string }

export type KeptClient = ClientPlace & {
  readonly clientId: string
  readonly sealed: string
  readonly expiresAt: number | null
  readonly usedAt: number
}

/** The one of this place; or the one of this name, wherever people came back to when it was made. */
export async function readClient(
  from: From,
  place: Pick<ClientPlace, 'serverId' | 'issuer'> & ({ redirectUri: string } | { clientId: string }),
): Promise<KeptClient | undefined> {
  const query = from
    .selectFrom('upstream_clients')
    .selectAll()
    .where('server_id', '=', place.serverId)
    .where('issuer', '=', place.issuer)
  const row =
    'clientId' in place
      ? await query.where('client_id', '=', place.clientId).executeTakeFirst()
      : await query.where('redirect_uri', '=', place.redirectUri).executeTakeFirst()
  return row && keptOf(row)
}

/** False where another process was first: then theirs is the one. */
export async function keepClient(
  from: From,
  { serverId, issuer, redirectUri, clientId, sealed, expiresAt, usedAt }: KeptClient,
): Promise<boolean> {
  const { numInsertedOrUpdatedRows = 0n } = await from
    .insertInto('upstream_clients')
    .values({
      server_id: serverId,
      issuer,
      redirect_uri: redirectUri,
      client_id: clientId,
      sealed,
      expires_at: expiresAt,
      created_at: usedAt,
      used_at: usedAt,
    })
    .onConflict(conflict => conflict.columns(['server_id', 'issuer', 'redirect_uri']).doNothing())
    .executeTakeFirst()
  return numInsertedOrUpdatedRows > 0n
}

export async function noteUse(from: From, client: KeptClient, now: number): Promise<void> {
  await from
    .updateTable('upstream_clients')
    .set({ used_at: now })
    .where('server_id', '=', client.serverId)
    .where('issuer', '=', client.issuer)
    .where('client_id', '=', client.clientId)
    .execute()
}

/** False when somebody else was first. */
export async function forgetClient(
  from: From,
  { serverId, issuer, clientId }: Pick<KeptClient, 'serverId' | 'issuer' | 'clientId'>,
): Promise<boolean> {
  const { numDeletedRows } = await from
    .deleteFrom('upstream_clients')
    .where('server_id', '=', serverId)
    .where('issuer', '=', issuer)
    .where('client_id', '=', clientId)
    .executeTakeFirst()
  return numDeletedRows > 0n
}

export type Use = {
  /** As it is now; null where there is no such server any more. */
  readonly serverVersion: number | null
  /** Somebody's account there was connected with it. */
  readonly isConnected: boolean
}

/** All of them, with what they are for. */
export async function clientsInUse(from: From): Promise<(KeptClient & Use)[]> {
  const rows = await from
    .selectFrom('upstream_clients as client')
    .leftJoin('servers', 'servers.id', 'client.server_id')
    .selectAll('client')
    .select('servers.version as server_version')
    .select(({ exists, selectFrom }) =>
      exists(
        selectFrom('upstream_credentials as credential')
          .select('credential.id')
          .whereRef('credential.server_id', '=', 'client.server_id')
          .whereRef('credential.issuer', '=', 'client.issuer')
          .whereRef('credential.client_id', '=', 'client.client_id'),
      ).as('is_connected'),
    )
    .execute()
  return rows.map(row => ({
    ...keptOf(row),
    serverVersion: row.server_version,
    isConnected: Boolean(row.is_connected),
  }))
}

type Row = {
  readonly server_id: string
  readonly issuer: string
  readonly redirect_uri: string
  readonly client_id: string
  readonly sealed: string
  readonly expires_at: number | null
  readonly used_at: number
}

function keptOf(row: Row): KeptClient {
  return {
    serverId: row.server_id,
    issuer: row.issuer,
    redirectUri: row.redirect_uri,
    clientId: row.client_id,
    sealed: row.sealed,
    expiresAt: row.expires_at,
    usedAt: row.used_at,
  }
}
