/** The tokens of people at their identity providers, for rooms that call servers with them. */
import { type AuditRecord, ownEvent } from '../../audit/index.ts'
import type { Database } from '../../database/index.ts'
import type { Clock } from '../../foundation/clock.ts'
import { GatewayError } from '../../foundation/errors.ts'
import { Secret } from '../../foundation/secret.ts'
import { takeTurns, untilWritten } from '../../foundation/take-turns.ts'
import type { Seals } from '../flows.ts'
import type { IdentityProvider } from '../providers/provider.ts'
import { type Given, openGiven, sealGiven } from './kept.ts'
import {
  leaseTokens,
  releaseTokens,
  renewTokens,
  type TokensRow,
  tokensOf,
  type Whose,
} from './provider-tokens-table.ts'

export type GivenKind = 'id' | 'access'

export type SignedInAt = {
  /** When they last signed in there; milliseconds since 1970. */
  readonly at: number
  /** Is there a token that is good, or can be renewed? Nobody is asked. */
  readonly isUsable: boolean
}

/** A token, and of which sign-in it is. */
export type KeptToken = { readonly token: Secret; readonly signedInAt: number }

export type ProviderTokens = {
  /**
   * The token of a person who signed in at the provider, renewed where it has to be; undefined where they have to sign in again.
   * Throws `identity.provider_trouble` and `vault.unsealable`.
   */
  of(userId: string, provider: IdentityProvider, kind: GivenKind): Promise<KeptToken | undefined>
  /** Undefined for somebody who never signed in there, or signed out. */
  signedIn(userId: string, provider: IdentityProvider, kind: GivenKind): Promise<SignedInAt | undefined>
}

/** The provider refuses to renew: what it says otherwise is thrown. */
export type Renewed = Given | 'refused'

type Parts = {
  readonly database: Database
  readonly audit: AuditRecord
  readonly clock: Clock
  readonly seals: Seals
  /** Asks the provider. Throws `identity.provider_trouble`. */
  refresh(provider: IdentityProvider, given: Given): Promise<Renewed>
}

/** What may have ended when it arrives is not sent. */
const marginMilliseconds = 10_000

export function openProviderTokens(parts: Parts): ProviderTokens {
  const { database, seals, clock } = parts
  const renewing = new Map<string, Promise<TokensRow | undefined>>()
  const good = (given: Given, kind: GivenKind) => goodToken(given, kind, clock.now())
  return {
    async of(userId, provider, kind) {
      const whose = { userId, providerId: provider.id }
      const row = await tokensOf(database.kysely, whose)
      if (row === undefined) return undefined
      const given = await openGiven(seals, row)
      const token = good(given, kind)
      if (token !== undefined) return { token: new Secret(token), signedInAt: row.signed_in_at }
      if (!mayRenew(given, kind)) return undefined
      const key = `${userId} ${provider.id}`
      const running =
        renewing.get(key) ?? renew(parts, { whose, row, provider }).finally(() => renewing.delete(key))
      renewing.set(key, running)
      const now = await running
      if (now === undefined) return undefined
      const renewed = good(await openGiven(seals, now), kind)
      return renewed === undefined ? undefined : { token: new Secret(renewed), signedInAt: now.signed_in_at }
    },
    async signedIn(userId, { id: providerId }, kind) {
      const row = await tokensOf(database.kysely, { userId, providerId })
      if (row === undefined) return undefined
      const given = await openGiven(seals, row)
      const isUsable = good(given, kind) !== undefined || mayRenew(given, kind)
      return { at: row.signed_in_at, isUsable }
    },
  }
}

function goodToken(given: Given, kind: GivenKind, now: number): string | undefined {
  const until = (kind === 'id' ? given.idUntil : given.accessUntil) ?? Number.POSITIVE_INFINITY
  return until - marginMilliseconds > now ? given[kind] : undefined
}

function mayRenew({ refresh, givesNoId = false }: Given, kind: GivenKind): boolean {
  return refresh !== undefined && !(kind === 'id' && givesNoId)
}

type Renewing = { readonly whose: Whose; readonly row: TokensRow; readonly provider: IdentityProvider }

/** One at a time in all processes: a refresh token is often good for one use. */
function renew(parts: Parts, { whose, row, provider }: Renewing): Promise<TokensRow | undefined> {
  const { database, clock } = parts
  const { kysely } = database
  return takeTurns<TokensRow | undefined>({
    clock,
    read: () => tokensOf(kysely, whose),
    // Who signed out meanwhile has none.
    isNews: present => present?.version !== row.version,
    lease: lease => leaseTokens(kysely, row, lease),
    async renew(_, lease) {
      try {
        return await renewLeased(parts, provider, { row, lease })
      } catch (error) {
        await releaseTokens(kysely, lease)
        throw error
      }
    },
    tired: () =>
      new GatewayError('identity.provider_trouble', {
        why: 'Another process has been renewing the sign-in for too long.',
      }),
  })
}

async function renewLeased(
  parts: Parts,
  provider: IdentityProvider,
  { row, lease }: { readonly row: TokensRow; readonly lease: string },
): Promise<TokensRow | undefined> {
  const { database, audit, clock, seals } = parts
  const given = await openGiven(seals, row)
  const renewed = await parts.refresh(provider, given)
  const { refresh: _, ...ended } = given
  const whose = { userId: row.user_id, providerId: row.provider_id }
  const sealed = await sealGiven(seals, whose, renewed === 'refused' ? ended : renewed)
  const written = { sealed, now: clock.now(), lease }
  // It may be the only refresh token that is good now.
  if (renewed !== 'refused') await untilWritten(clock, () => renewTokens(database.kysely, row, written))
  else
    await database.change(async tx => {
      if (await renewTokens(tx, row, written)) await audit.recorded(refusedEvent(provider, row.user_id))
    })
  // Whoever signed in again meanwhile has newer ones.
  return tokensOf(database.kysely, whose)
}

function refusedEvent({ name }: IdentityProvider, user: string) {
  return ownEvent({
    action: 'identity.sign_in_ended',
    target: `identity-provider:${name}`,
    detail: { user, reason: 'refused' },
  })
}
