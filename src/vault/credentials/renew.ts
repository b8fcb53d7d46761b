/** Renewing a credential: one at a time in all processes, and never at the price of the one that is good. */
import { type AuditRecord, ownEvent } from '../../audit/index.ts'
import type { Database } from '../../database/index.ts'
import type { Clock } from '../../foundation/clock.ts'
import { GatewayError } from '../../foundation/errors.ts'
import { takeTurns, untilWritten } from '../../foundation/take-turns.ts'
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
  readonly credential: Credential
  /** Asks for what takes its place. Throws `RefusedGrant`, `vault.provider_trouble` and `vault.connect_needed`. */
  again(content: Content): Promise<Got>
  /** What a refusal is. */
  readonly refusedAs?: Trouble
}

/** What was got, and what else of the credential is another now. */
export type Got = {
  readonly tokens: Tokens
  /** Where it was got with what a sign-in left. */
  readonly signedInAt?: number | undefined
  readonly about?: Partial<Pick<Credential, 'issuer' | 'resource' | 'clientId' | 'scopes' | 'expiresAt'>>
}

/**
 * The credential after somebody renewed it, here or in another process. Throws `vault.connect_needed` when it cannot be
 * renewed any more, and `vault.provider_trouble` when it cannot be now.
 */
export function renew(parts: RenewParts, renewing: Renewing): Promise<Stored> {
  const { database, clock } = parts
  const { upstream, credential } = renewing
  return takeTurns<Stored>({
    clock,
    async read() {
      const stored = (await credentialById(database.kysely, credential.id)) ?? gone(upstream)
      const { trouble } = stored.credential
      if (trouble !== null && credential.trouble === null) throw connectNeeded(upstream, trouble)
      return stored
    },
    isNews: ({ credential: { version } }) => version !== credential.version,
    lease: lease => leaseCredential(database.kysely, credential, lease),
    renew: (stored, lease) => renewLeased(parts, renewing, stored, lease),
    tired: () =>
      new GatewayError('vault.provider_trouble', {
        why: 'Another process has been renewing it for too long.',
      }),
  })
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
    const got = await renewing.again(content)
    const renewed = renewedBy(parts, { credential, content, got })
    const over = { seen: credential.version, lease }
    const isKept = await untilWritten(clock, () => renewCredential(database.kysely, renewed, over))
    // Written although it did not answer, or connected anew meanwhile: what is there now is at least as new.
    if (!isKept) return (await credentialById(database.kysely, credential.id)) ?? gone(renewing.upstream)
    return renewed
  } catch (error) {
    const trouble = troubleOf(error, renewing.refusedAs)
    if (trouble === undefined) {
      await releaseLease(database.kysely, credential.id, lease)
      throw error
    }
    const isNoted = await noteTrouble(parts, renewing, { trouble, now: clock.now(), lease })
    const present = isNoted ? undefined : await credentialById(database.kysely, credential.id)
    // Whose lease has run out says nothing about what somebody else got since.
    if (present !== undefined && present.credential.trouble === null) return present
    throw connectNeeded(renewing.upstream, trouble)
  }
}

function gone(upstream: Upstream): never {
  throw connectNeeded(upstream, 'none')
}

function troubleOf(error: unknown, refusedAs: Trouble = 'refused'): Trouble | undefined {
  if (isUnknownClient(error)) return 'client'
  return error instanceof RefusedGrant ? refusedAs : undefined
}

/** Marks it once, whoever finds out; with one event. */
export async function noteTrouble(
  { database, audit }: Pick<RenewParts, 'database' | 'audit'>,
  { upstream, credential }: Pick<Renewing, 'upstream' | 'credential'>,
  marking: { readonly trouble: Trouble; readonly now: number; readonly lease?: string },
): Promise<boolean> {
  return database.change(async tx => {
    if (!(await markTrouble(tx, credential, marking))) return false
    await audit.recorded(
      ownEvent({
        action: 'vault.connection_broken',
        target: `${upstream.group}/${upstream.name}`,
        detail: { connection: credential.id, owner: credential.owner, reason: marking.trouble },
      }),
    )
    return true
  })
}

type Refreshing = Pick<Renewing, 'upstream' | 'credential'> & { readonly settings: OAuthSettings }

/** By the refresh token (RFC 6749, 6). */
export async function refreshed(
  { oauth }: Pick<RenewParts, 'oauth'>,
  { upstream, settings, credential }: Refreshing,
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

type Renewal = { readonly credential: Credential; readonly content: Content; readonly got: Got }

/** A refresh that gives no new refresh token leaves the old one good (RFC 6749, 6). */
function renewedBy({ seals, clock }: RenewParts, { credential, content, got }: Renewal): Stored {
  const now = clock.now()
  const { tokens, about } = got
  const next: Credential = {
    ...credential,
    scopes: tokens.scopes ?? credential.scopes,
    account: tokens.account ?? credential.account,
    expiresAt: tokens.expiresAt,
    ...about,
    trouble: null,
    version: credential.version + 1,
    refreshedAt: now,
    updatedAt: now,
  }
  const kept: Content = {
    ...content,
    access: tokens.access,
    ...(tokens.refresh && { refresh: tokens.refresh }),
    signedInAt: got.signedInAt,
  }
  return { credential: next, sealed: seals.seal(JSON.stringify(kept), placeOf(next)) }
}

/** Throws `vault.unsealable`. */
export function contentOf(seals: Sealer, { credential, sealed }: Stored): Content {
  return contentSchema.parse(JSON.parse(seals.open(sealed, placeOf(credential))))
}
