/** Signatures and times of JWTs of identity providers, whatever the tokens are for. */
import { errors, jwtVerify } from 'jose'
import type { Clock } from '../../../foundation/clock.ts'
import { refused } from '../../load.ts'
import type { Rejection } from '../../principal.ts'
import type { IdentityProvider } from '../provider.ts'
import { KeyRing, type RingParts } from './key-ring.ts'
import { ProviderTrouble } from './metadata.ts'

/** Clocks differ. */
const toleranceSeconds = 30

export type Signatures = {
  /** When the token expires, once its signature and times are good. */
  check(token: string, provider: IdentityProvider): Promise<number | Rejection>
}

/** One ring of keys for each provider, however many kinds of its tokens are taken. */
export function openSignatures(parts: RingParts & { readonly clock: Clock }): Signatures {
  const rings = openRings(parts)
  return {
    check: (token, provider) => checked(token, provider, { find: rings(provider).find, clock: parts.clock }),
  }
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
