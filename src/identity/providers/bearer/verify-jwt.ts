/** JWTs of identity providers, as bearer tokens. */
import { hash } from 'node:crypto'
import type { Clock } from '../../../foundation/clock.ts'
import { newId } from '../../../foundation/id.ts'
import { type Known, otherKey, type Verifier } from '../../identify.ts'
import { frozen, refused, userCaller } from '../../load.ts'
import type { Rejection } from '../../principal.ts'
import type { From } from '../../table.ts'
import { userById } from '../../table.ts'
import type { Admitted, Via } from '../admit.ts'
import type { IdentityProvider } from '../provider.ts'
import type { Providers } from '../store.ts'
import { type Admits, admitsOf, objectionTo } from './admits.ts'
import type { RingParts } from './key-ring.ts'
import type { Signatures } from './signatures.ts'
import { isJwt, readToken, type TokenFacts } from './token-facts.ts'

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
  readonly issuedAt: number
  readonly expiresAt: number
  readonly userId: string
  readonly providerId: string
}

/** The provider is chosen by exactly the issuer that the token names, and the token is held to that provider's rules; no other is tried. */
export function jwtTokens(parts: JwtParts, signatures: Signatures): Verifier {
  return {
    takes: isJwt,
    async verify(token, key) {
      const facts = readToken(token)
      if (typeof facts === 'string') return refused(facts)
      const foreign = otherKey(facts.boundTo, key)
      if (foreign !== undefined) return foreign
      const provider = parts.providers.byIssuer(facts.issuer)
      if (provider === undefined) return refused('The issuer of the token is not known here.')
      const admits = judged(parts, provider, facts)
      if (typeof admits === 'string') return refused(admits)
      const expiresAt = await signatures.check(token, provider)
      if (typeof expiresAt !== 'number') return expiresAt
      const admitted = await parts.admit(provider, facts.payload, { via: 'bearer', requestId: newId() })
      if ('rejected' in admitted) return admitted
      const { payload: _, ...rest } = facts
      const tokenId = `${provider.name}:${facts.jti ?? hash('sha256', token, 'hex').slice(0, 32)}`
      return known(parts, admits, {
        facts: { ...rest, payload: {} },
        tokenId,
        issuedAt: Number(facts.payload.iat) * 1000,
        expiresAt,
        userId: admitted.userId,
        providerId: provider.id,
      })
    },
  }
}

function judged({ origin }: JwtParts, provider: IdentityProvider, facts: TokenFacts): Admits | string {
  return objectionTo(provider, facts) ?? admitsOf({ provider, facts, origin: origin() })
}

async function known(parts: JwtParts, admits: Admits, good: Good): Promise<Known | Rejection> {
  const { kysely } = parts
  const { tokenId, expiresAt, userId, providerId, facts } = good
  const user = await userById(kysely, userId)
  if (user === undefined) return refused('The token stands for nobody.')
  if (user.disabled_at !== null) return refused('The user of the token is disabled.')
  return {
    principal: frozen(await userCaller(kysely, user, tokenId)),
    expiresAt,
    admits,
    ground: { by: 'provider', id: providerId, use: 'bearer' },
    // What is bound to the key of its holder is worth nothing to anybody else.
    ...(facts.boundTo === undefined
      ? { presents: { issuer: facts.issuer, audiences: facts.audiences, issuedAt: good.issuedAt, expiresAt } }
      : { boundTo: facts.boundTo }),
    async again() {
      const provider = parts.providers.byIssuer(facts.issuer)
      if (provider === undefined) return refused('The issuer of the token is not known here any more.')
      const judgement = judged(parts, provider, facts)
      return typeof judgement === 'string' ? refused(judgement) : known(parts, judgement, good)
    },
  }
}
