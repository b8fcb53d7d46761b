/** Renewing a credential: one at a time in all processes, and never at the price of the one that is good. */
import { setTimeout as rest } from 'node:timers/promises'
import { type AuditRecord, ownEvent } from '../../audit/index.ts'
import type { Database } from '../../database/index.ts'
import type { Clock } from '../../foundation/clock.ts'
import { GatewayError } from '../../foundation/errors.ts'
import { newHandle } from '../../foundation/id.ts'
import type { Upstream } from '../../upstreams/index.ts'
import { isUnknownClient, RefusedGrant } from '../oauth/client.ts'
import type { OAuth } from '../oauth/open.ts'
import { targetOf } from '../oauth/open.ts'
import type { OAuthSettings } from '../oauth/settings.ts'
import type { Tokens } from '../oauth/token-request.ts'
import type { Sealer } from '../seal.ts'
import { type Content, type Credential, contentSchema, placeOf, type Trouble } from './credential.ts'
import {
  credentialById,
  leaseCredential,
  markTrouble,
  releaseLease,
  renewCredential,
  type Stored,
} from './credential-table.ts'
import { connectNeeded } from './needed.ts'

export type RenewParts = {
  readonly database: Database
  readonly audit: AuditRecord
  readonly seals: Sealer
  readonly clock: Clock
  readonly oauth: OAuth
}

export type Renewing = {
  readonly upstream: Upstream
  readonly settings: OAuthSettings
  readonly credential: Credential
}

/** As long as a request for tokens may take twice, and then some. */
const leaseMilliseconds = 25_000
const patienceMilliseconds = 30_000
const lookMilliseconds = 150

/**
 * The credential after somebody renewed it, here or in another process. Throws `vault.connect_needed` when it cannot be
 * renewed any more, and `vault.provider_trouble` when it cannot be now.
 */
export async function renew(parts: RenewParts, renewing: Renewing): Promise<Stored> {
  const { database, clock } = parts
  const { upstream, credential } = renewing
  const until = clock.elapsed() + patienceMilliseconds
  const lease = newHandle()
  for (;;) {
    const stored = await credentialById(database.kysely, credential.id)
    if (stored === undefined) throw connectNeeded(upstream, 'none')
    const { version, trouble } = stored.credential
    if (trouble !== null) throw connectNeeded(upstream, trouble)
    if (version !== credential.version) return stored
    const now = clock.now()
    const until_ = { lease, now, until: now + leaseMilliseconds }
    if (await leaseCredential(database.kysely, credential, until_))
      return renewLeased(parts, renewing, stored, lease)
    if (clock.elapsed() > until)
      throw new GatewayError('vault.provider_trouble', {
        why: 'Another process has been renewing it for too long.',
      })
    await rest(lookMilliseconds)
  }
}

async function renewLeased(
  parts: RenewParts,
  renewing: Renewing,
  stored: Stored,
  lease: string,
): Promise<Stored> {
  const { database, seals, clock } = parts
  const { credential } = stored
  try {
    const content = contentOf(seals, stored)
    const tokens = await refreshed(parts, renewing, content)
    const renewed = renewedBy(parts, { credential, content, tokens })
    const isKept = await renewCredential(database.kysely, renewed, { seen: credential.version, lease })
    // Connected anew meanwhile: what is there now is newer than this.
    if (!isKept) return (await credentialById(database.kysely, credential.id)) ?? gone(renewing.upstream)
    return renewed
  } catch (error) {
    const trouble = troubleOf(error)
    if (trouble === undefined) {
      await releaseLease(database.kysely, credential.id, lease)
      throw error
    }
    await noteTrouble(parts, renewing, trouble, clock.now())
    throw connectNeeded(renewing.upstream, trouble)
  }
}

function gone(upstream: Upstream): never {
  throw connectNeeded(upstream, 'none')
}

function troubleOf(error: unknown): Trouble | undefined {
  if (isUnknownClient(error)) return 'client'
  return error instanceof RefusedGrant ? 'refused' : undefined
}

/** Marks it once, whoever finds out; with one event. */
export async function noteTrouble(
  { database, audit }: Pick<RenewParts, 'database' | 'audit'>,
  { upstream, credential }: Pick<Renewing, 'upstream' | 'credential'>,
  trouble: Trouble,
  now: number,
): Promise<void> {
  await database.change(async tx => {
    if (!(await markTrouble(tx, credential, { trouble, now }))) return
    await audit.recorded(
      ownEvent({
        action: 'vault.connection_broken',
        target: `${upstream.group}/${upstream.name}`,
        detail: { connection: credential.id, owner: credential.owner, reason: trouble },
      }),
    )
  })
}

async function refreshed(
  { oauth }: RenewParts,
  { upstream, settings, credential }: Renewing,
  { refresh }: Content,
): Promise<Tokens> {
  const authority = await oauth.authority(upstream, settings)
  // A refresh token is shown to nobody but who issued it.
  if (authority.issuer !== credential.issuer) throw connectNeeded(upstream, 'moved')
  const client = await oauth.client(upstream, settings, authority, credential.clientId ?? undefined)
  if (client.id !== credential.clientId) throw new RefusedGrant('invalid_client')
  if (refresh === undefined) throw new RefusedGrant('invalid_grant')
  const known = { target: targetOf(upstream, settings), authority, client }
  const parameters = { grant_type: 'refresh_token', refresh_token: refresh }
  try {
    return await oauth.tokens(known, parameters)
  } catch (error) {
    if (error instanceof RefusedGrant || !isLost(error)) throw error
    // The answer was lost, and with it perhaps the only token that is good now: many give it again to who asks at once.
    return oauth.tokens(known, parameters)
  }
}

function isLost(error: unknown): boolean {
  return error instanceof GatewayError && error.code === 'vault.provider_trouble'
}

type Renewal = { readonly credential: Credential; readonly content: Content; readonly tokens: Tokens }

/** A refresh that gives no new refresh token leaves the old one good (RFC 6749, 6). */
function renewedBy({ seals, clock }: RenewParts, { credential, content, tokens }: Renewal): Stored {
  const now = clock.now()
  const next: Credential = {
    ...credential,
    scopes: tokens.scopes ?? credential.scopes,
    account: tokens.account ?? credential.account,
    expiresAt: tokens.expiresAt,
    trouble: null,
    version: credential.version + 1,
    refreshedAt: now,
    updatedAt: now,
  }
  const kept: Content = {
    ...content,
    access: tokens.access,
    ...(tokens.refresh && { refresh: tokens.refresh }),
  }
  return { credential: next, sealed: seals.seal(JSON.stringify(kept), placeOf(next)) }
}

/** Throws `vault.unsealable`. */
export function contentOf(seals: Sealer, { credential, sealed }: Stored): Content {
  return contentSchema.parse(JSON.parse(seals.open(sealed, placeOf(credential))))
}
