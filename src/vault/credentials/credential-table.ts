import type { Kysely, Selectable } from 'kysely'
import type { Tables } from '../../database/index.ts'
import { type Credential, troubles } from './credential.ts'

export type From = Kysely<Tables>
type Row = Selectable<Tables['upstream_credentials']>

export type Stored = { readonly credential: Credential; readonly sealed: string }

export async function credentialOf(
  from: From,
  { serverId, owner }: Pick<Credential, 'serverId' | 'owner'>,
): Promise<Stored | undefined> {
  const row = await from
    .selectFrom('upstream_credentials')
    .selectAll()
    .where('server_id', '=', serverId)
    .where('owner', '=', owner)
    .executeTakeFirst()
  return row && storedOf(row)
}

export async function credentialById(from: From, id: string): Promise<Stored | undefined> {
  const row = await from
    .selectFrom('upstream_credentials')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst()
  return row && storedOf(row)
}

/** Those of an owner, or of a server, or all; the newest first. */
export async function credentials(
  from: From,
  { owners, serverIds }: { owners?: readonly string[]; serverIds?: readonly string[] },
): Promise<Credential[]> {
  let query = from.selectFrom('upstream_credentials').selectAll().orderBy('created_at', 'desc').orderBy('id')
  if (owners !== undefined) query = query.where('owner', 'in', [...owners, ''])
  if (serverIds !== undefined) query = query.where('server_id', 'in', [...serverIds, ''])
  return (await query.limit(10_000).execute()).map(row => storedOf(row).credential)
}

/** Takes the place of what the owner had at the server before. */
export async function putCredential(from: From, { credential, sealed }: Stored): Promise<void> {
  const { serverId, owner } = credential
  await from
    .deleteFrom('upstream_credentials')
    .where('server_id', '=', serverId)
    .where('owner', '=', owner)
    .execute()
  await from
    .insertInto('upstream_credentials')
    .values({
      id: credential.id,
      server_id: serverId,
      owner,
      kind: credential.kind,
      ...columns(credential),
      sealed,
      created_at: credential.createdAt,
      lease: null,
      lease_until: null,
    })
    .execute()
}

/** Makes room for one that is got by the gateway itself, where there is none or only one for elsewhere. */
export async function makeRoom(from: From, { credential, sealed }: Stored): Promise<void> {
  const { id, serverId, owner, kind, createdAt, boundTo } = credential
  await from
    .deleteFrom('upstream_credentials')
    .where('server_id', '=', serverId)
    .where('owner', '=', owner)
    .where('bound_to', '<>', boundTo)
    .execute()
  await from
    .insertInto('upstream_credentials')
    .values({
      ...{ id, server_id: serverId, owner, kind, ...columns(credential), sealed, created_at: createdAt },
      lease: null,
      lease_until: null,
    })
    .onConflict(conflict => conflict.columns(['server_id', 'owner']).doNothing())
    .execute()
}

/** Only if it is still what was seen, and the lease is still this one: false when it is not. */
export async function renewCredential(
  from: From,
  { credential, sealed }: Stored,
  { seen, lease }: { seen: number; lease: string },
): Promise<boolean> {
  const { numUpdatedRows } = await from
    .updateTable('upstream_credentials')
    .set({ ...columns(credential), sealed, lease: null, lease_until: null })
    .where('id', '=', credential.id)
    .where('version', '=', seen)
    .where('lease', '=', lease)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** One renews at a time, in all processes: false where somebody else does, or has. */
export async function leaseCredential(
  from: From,
  { id, version }: Pick<Credential, 'id' | 'version'>,
  { lease, now, until }: { lease: string; now: number; until: number },
): Promise<boolean> {
  const { numUpdatedRows } = await from
    .updateTable('upstream_credentials')
    .set({ lease, lease_until: until })
    .where('id', '=', id)
    .where('version', '=', version)
    .where(where => where.or([where('lease_until', 'is', null), where('lease_until', '<', now)]))
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

export async function releaseLease(from: From, id: string, lease: string): Promise<void> {
  await from
    .updateTable('upstream_credentials')
    .set({ lease: null, lease_until: null })
    .where('id', '=', id)
    .where('lease', '=', lease)
    .execute()
}

/** False when it is not what was seen any more, has that trouble already, or somebody else has the lease. */
export async function markTrouble(
  from: From,
  { id, version }: Pick<Credential, 'id' | 'version'>,
  {
    trouble,
    now,
    lease,
  }: { trouble: NonNullable<Credential['trouble']>; now: number; lease?: string | undefined },
): Promise<boolean> {
  const { numUpdatedRows } = await from
    .updateTable('upstream_credentials')
    .$if(lease !== undefined, query => query.where('lease', '=', lease ?? ''))
    .set({ trouble, updated_at: now, version: version + 1, lease: null, lease_until: null })
    .where('id', '=', id)
    .where('version', '=', version)
    .where('trouble', 'is', null)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** The trouble may be over. Whoever is first makes it so; to others it is another by then. */
export async function forgiveTrouble(
  from: From,
  { id, version }: Pick<Credential, 'id' | 'version'>,
): Promise<void> {
  await from
    .updateTable('upstream_credentials')
    .set({ trouble: null, version: version + 1 })
    .where('id', '=', id)
    .where('version', '=', version)
    .execute()
}

/** What was removed; undefined when somebody else was first. */
export async function deleteCredential(from: From, id: string): Promise<Stored | undefined> {
  const row = await from
    .deleteFrom('upstream_credentials')
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirst()
  return row && storedOf(row)
}

/** Only if it is still what was seen: what somebody got meanwhile is another. */
export async function deleteSeen(
  from: From,
  { id, version }: Pick<Credential, 'id' | 'version'>,
): Promise<void> {
  await from.deleteFrom('upstream_credentials').where('id', '=', id).where('version', '=', version).execute()
}

/** Of a team that is no more: whoever gets its name next is another. */
export async function deleteOfOwner(from: From, owner: string): Promise<void> {
  await from.deleteFrom('upstream_credentials').where('owner', '=', owner).execute()
}

export async function ownersOfCredentials(from: From): Promise<string[]> {
  const rows = await from.selectFrom('upstream_credentials').select('owner').distinct().execute()
  return rows.map(({ owner }) => owner)
}

function columns(credential: Credential) {
  return {
    issuer: credential.issuer,
    resource: credential.resource,
    client_id: credential.clientId,
    bound_to: credential.boundTo,
    scope: credential.scopes.join(' '),
    account: credential.account,
    expires_at: credential.expiresAt,
    is_refreshable: credential.isRefreshable ? 1 : 0,
    trouble: credential.trouble,
    version: credential.version,
    refreshed_at: credential.refreshedAt,
    updated_at: credential.updatedAt,
  }
}

function storedOf(row: Row): Stored {
  const credential: Credential = {
    id: row.id,
    serverId: row.server_id,
    owner: row.owner,
    kind: row.kind,
    issuer: row.issuer,
    resource: row.resource,
    clientId: row.client_id,
    boundTo: row.bound_to,
    scopes: row.scope.split(' ').filter(scope => scope !== ''),
    account: row.account,
    expiresAt: row.expires_at,
    isRefreshable: row.is_refreshable === 1,
    trouble: troubles.find(each => each === row.trouble) ?? null,
    version: row.version,
    refreshedAt: row.refreshed_at,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
  return { credential, sealed: row.sealed }
}
