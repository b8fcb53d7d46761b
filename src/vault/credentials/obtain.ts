/** What the gateway gets by itself at an authorization server, as itself. */
import { newId } from '../../foundation/id.ts'
import { RefusedGrant } from '../oauth/client.ts'
import { targetOf } from '../oauth/open.ts'
import { type Credential, placeOf } from './credential.ts'
import { putCredential, type Stored } from './credential-table.ts'
import type { Opened } from './custody.ts'
import { boundTo } from './fits.ts'
import { connectNeeded, gatewayRefused } from './needed.ts'
import type { RenewParts } from './renew.ts'

export async function obtain(parts: RenewParts, opened: Opened, owner: string): Promise<Stored> {
  const { upstream, stored: way } = opened
  const { oauth, clock, seals, database } = parts
  const settings = way.oauth
  if (settings === undefined) throw connectNeeded(upstream, 'none')
  const authority = await oauth.authority(upstream, settings)
  const client = await oauth.client(upstream, settings, authority)
  const scope = authority.scopes.join(' ')
  const parameters = { ...way.grant, ...(scope !== '' && { scope }) }
  const known = { target: targetOf(upstream, settings), authority, client }
  const tokens = await oauth.tokens(known, parameters).catch((error: unknown) => {
    if (error instanceof RefusedGrant) throw gatewayRefused(upstream, error.reason)
    throw error
  })
  const now = clock.now()
  const credential: Credential = {
    id: newId(now),
    serverId: upstream.id,
    owner,
    kind: 'tokens',
    issuer: authority.issuer,
    resource: authority.resource ?? null,
    clientId: client.id,
    boundTo: boundTo(opened),
    scopes: tokens.scopes ?? authority.scopes,
    account: tokens.account ?? null,
    expiresAt: tokens.expiresAt,
    // It asks again instead: a refresh token of a client is of no use (RFC 6749, 4.4.3).
    isRefreshable: false,
    trouble: null,
    version: 1,
    refreshedAt: now,
    createdAt: now,
    updatedAt: now,
  }
  const stored = {
    credential,
    sealed: seals.seal(JSON.stringify({ access: tokens.access }), placeOf(credential)),
  }
  await putCredential(database.kysely, stored)
  return stored
}
