/** JWTs of identity providers, as bearer tokens. */
import { hash } from 'node:crypto'
import { errors, jwtVerify } from 'jose'
import type { Clock } from '../../../foundation/clock.ts'
import { newId } from '../../../foundation/id.ts'
import type { Known, Verifier } from '../../identify.ts'
import { frozen, refused, userCaller } from '../../load.ts'
import type { Rejection } from '../../principal.ts'
import type { From } from '../../table.ts'
import { userById } from '../../table.ts'
import type { Admitted, Via } from '../admit.ts'
import type { IdentityProvider } from '../provider.ts'
import type { Providers } from '../store.ts'
import { type Admits, admitsOf, objectionTo } from './admits.ts'
import { KeyRing, type RingParts } from './key-ring.ts'
import { ProviderTrouble } from './metadata.ts'
import { isJwt, readToken, type TokenFacts } from './token-facts.ts'

/** Clocks differ. */
const toleranceSeconds = 30

export type JwtParts = RingParts & {
  readonly kysely: From
  readonly clock: Clock
  readonly providers: Pick<Providers, 'byIssuer'>
  origin(): string
  admit(provider: IdentityProvider, claims: TokenFacts['payload'], via: Via): Promise<Admitted>
}

/** What stays of a token that was found good: enough to ask again whether it still is. */
type Good = {
  readonly facts: TokenFacts
  readonly tokenId: string
  readonly expiresAt: number
  readonly userId: string
}

/** The provider is chosen by exactly the issuer that the token names, and the token is held to that provider's rules; no other is tried. */
export function jwtTokens(parts: JwtParts): Verifier {
  const rings = openRings(parts)
  return {
    takes: isJwt,
    async verify(token) {
      const facts = readToken(token)
      if (typeof facts === 'string') return refused(facts)
      const provider = parts.providers.byIssuer(facts.issuer)
      if (provider === undefined) return refused('The issuer of the token is not known here.')
      const admits = judged(parts, provider, facts)
      if (typeof admits === 'string') return refused(admits)
      const expiresAt = await checked(token, provider, { find: rings(provider).find, clock: parts.clock })
      if (typeof expiresAt !== 'number') return expiresAt
      const admitted = await parts.admit(provider, facts.payload, { via: 'bearer', requestId: newId() })
      if ('rejected' in admitted) return admitted
      const { payload: _, ...rest } = facts
      const tokenId = `${provider.name}:${facts.jti ?? hash('sha256', token, 'hex').slice(0, 32)}`
      return known(parts, admits, {
        facts: { ...rest, payload: {} },
        tokenId,
        expiresAt,
        userId: admitted.userId,
      })
    },
  }
}

function judged({ origin }: JwtParts, provider: IdentityProvider, facts: TokenFacts): Admits | string {
  return objectionTo(provider, facts) ?? admitsOf({ provider, facts, origin: origin() })
}

/** Keys of what is configured now: another address of them is another ring. */
function openRings(parts: RingParts): (provider: IdentityProvider) => KeyRing {
  const rings = new Map<string, { readonly about: string; readonly ring: KeyRing }>()
  return provider => {
    const { id, issuer, endpoints, allowPrivateNetwork } = provider
    const about = JSON.stringify([issuer, endpoints.jwksUri, allowPrivateNetwork])
    const before = rings.get(id)
    if (before?.about === about) return before.ring
    const ring = new KeyRing(provider, parts)
    rings.set(id, { about, ring })
    return ring
  }
}

type Checking = { readonly find: KeyRing['find']; readonly clock: Clock }

/** When it expires, once its signature and times are good. */
async function checked(
  token: string,
  provider: IdentityProvider,
  { find, clock }: Checking,
): Promise<number | Rejection> {
  try {
    const { payload } = await jwtVerify(token, find, {
      algorithms: [...provider.algorithms],
      issuer: provider.issuer,
      clockTolerance: toleranceSeconds,
      requiredClaims: ['exp', 'sub', 'iat'],
      currentDate: new Date(clock.now()),
    })
    return ((payload.exp ?? 0) + toleranceSeconds) * 1000
  } catch (error) {
    if (error instanceof ProviderTrouble) return { rejected: 'identity.unavailable', why: error.message }
    if (error instanceof errors.JOSEError) return refused(whyOf(error))
    throw error
  }
}

function whyOf(error: errors.JOSEError): string {
  if (error instanceof errors.JWTExpired) return 'The token has expired.'
  if (error instanceof errors.JWTClaimValidationFailed)
    return `The claim ${error.claim} of the token is not as it must be.`
  if (error instanceof errors.JWKSNoMatchingKey)
    return 'The token is signed with a key that its issuer does not show.'
  if (error instanceof errors.JWKSMultipleMatchingKeys)
    return 'The token does not say with which key it is signed.'
  return 'The signature of the token is not good.'
}

async function known(parts: JwtParts, admits: Admits, good: Good): Promise<Known | Rejection> {
  const { kysely } = parts
  const { tokenId, expiresAt, userId, facts } = good
  const user = await userById(kysely, userId)
  if (user === undefined) return refused('The token stands for nobody.')
  if (user.disabled_at !== null) return refused('The user of the token is disabled.')
  return {
    principal: frozen(await userCaller(kysely, user, tokenId)),
    expiresAt,
    admits,
    async again() {
      const provider = parts.providers.byIssuer(facts.issuer)
      if (provider === undefined) return refused('The issuer of the token is not known here any more.')
      const judgement = judged(parts, provider, facts)
      return typeof judgement === 'string' ? refused(judgement) : known(parts, judgement, good)
    },
  }
}
