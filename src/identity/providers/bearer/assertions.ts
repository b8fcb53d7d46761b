/** JWTs of identity providers as what a token is asked for with: of workloads, and ID-JAGs (RFC 7523, RFC 8693). */
import type { Clock } from '../../../foundation/clock.ts'
import type { JsonObject } from '../../../foundation/json.ts'
import type { Flows } from '../../flows.ts'
import { refused } from '../../load.ts'
import type { Rejection } from '../../principal.ts'
import type { IdentityProvider } from '../provider.ts'
import type { Providers } from '../store.ts'
import type { Signatures } from './signatures.ts'
import { readToken, type TokenFacts } from './token-facts.ts'

export type AssertionParts = {
  readonly clock: Clock
  readonly providers: Pick<Providers, 'byIssuer'>
  readonly flows: Pick<Flows, 'once'>
}

export type Wanted = {
  readonly as: 'workload' | 'idJag'
  /** Whom it may be for; one that is for anybody else besides is refused. */
  readonly audiences: readonly string[]
  /** May it come more than once? */
  readonly mayRepeat?: boolean
}

export type Asserted = {
  readonly provider: IdentityProvider
  readonly claims: JsonObject
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

export type Assertions = {
  /** What it says of itself, before anybody has checked it. */
  read(assertion: string): Promise<Pick<TokenFacts, 'issuer' | 'typ' | 'payload'> | undefined>
  /** Checks everything, and uses it up. */
  check(assertion: string, wanted: Wanted): Promise<Asserted | Rejection>
}

export const idJagType = 'oauth-id-jag+jwt'
/** An ID-JAG is for the moment; what is good for longer is something else. */
const longestIdJagSeconds = 3600

export function openAssertions(parts: AssertionParts, signatures: Signatures): Assertions {
  return {
    async read(assertion) {
      const facts = readToken(assertion)
      return typeof facts === 'string' ? undefined : facts
    },
    check: (assertion, wanted) => check(parts, signatures, { assertion, wanted }),
  }
}

type Asked = { readonly assertion: string; readonly wanted: Wanted }

async function check(
  { providers, flows, clock }: AssertionParts,
  signatures: Signatures,
  { assertion, wanted }: Asked,
): Promise<Asserted | Rejection> {
  const facts = readToken(assertion)
  if (typeof facts === 'string') return refused(facts)
  const provider = providers.byIssuer(facts.issuer)
  if (provider === undefined) return refused('The issuer of the assertion is not known here.')
  const why = objectionTo(provider, facts, wanted)
  if (why !== undefined) return refused(why)
  const expiresAt = await signatures.check(assertion, provider)
  if (typeof expiresAt !== 'number') return expiresAt
  const { jti } = facts.payload
  if (typeof jti === 'string' && wanted.mayRepeat !== true) {
    const seconds = Math.max(1, Math.ceil((expiresAt - clock.now()) / 1000))
    const isNew = await flows.once('assertion', JSON.stringify([facts.issuer, jti]), { seconds })
    if (!isNew) return refused('The assertion was used before.')
  }
  return { provider, claims: facts.payload, expiresAt }
}

function objectionTo(provider: IdentityProvider, facts: TokenFacts, wanted: Wanted): string | undefined {
  const { use, algorithms, name } = provider
  if (wanted.as === 'workload' && use.workloads !== true) return `${name} is not allowed workloads.`
  if (wanted.as === 'idJag' && use.idJag !== true) return `${name} is not allowed ID-JAGs.`
  if (!algorithms.includes(facts.alg))
    return 'The assertion is signed by an algorithm its issuer does not use.'
  if (facts.otherKind !== undefined) return `It is ${facts.otherKind}, and no assertion.`
  if (facts.boundTo !== undefined) return 'An assertion that is bound to a key is for its holder alone.'
  if (!facts.audiences.every(audience => wanted.audiences.includes(audience)))
    return 'The assertion is for somebody else.'
  return wanted.as === 'idJag' ? objectionToIdJag(facts) : objectionToWorkload(facts)
}

function objectionToIdJag({ typ, audiences, payload }: TokenFacts): string | undefined {
  if (typ !== idJagType) return `An ID-JAG has the type ${idJagType}.`
  if (audiences.length !== 1) return 'An ID-JAG is for one audience.'
  if (typeof payload.jti !== 'string' || payload.jti === '') return 'An ID-JAG has a jti.'
  const { iat, exp } = payload
  const isShort = typeof iat === 'number' && typeof exp === 'number' && exp - iat <= longestIdJagSeconds
  return isShort ? undefined : `An ID-JAG is good for ${longestIdJagSeconds} seconds at most.`
}

/** What has a type of its own is for something else. */
function objectionToWorkload({ typ }: TokenFacts): string | undefined {
  return typ === undefined || typ === 'jwt' || typ === 'at+jwt'
    ? undefined
    : 'It is another kind of token than those of workloads.'
}
