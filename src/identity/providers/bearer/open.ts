import type { Verifier } from '../../identify.ts'
import type { AssertionParts, Assertions } from './assertions.ts'
import { isJwt } from './token-facts.ts'
import type { JwtParts } from './verify-jwt.ts'

export type Jwts = {
  /** As bearer tokens. */
  readonly bearer: Verifier
  /** As what a token is asked for with. */
  readonly assertions: Assertions
}

/** JWTs of identity providers. What checks them is loaded when the first one comes: most commands see none. */
export function openJwts(parts: JwtParts & AssertionParts): Jwts {
  let loading: Promise<Jwts> | undefined
  const loaded = () => {
    loading ??= load(parts)
    return loading
  }
  return {
    bearer: { takes: isJwt, verify: async (token, key) => (await loaded()).bearer.verify(token, key) },
    assertions: {
      read: async assertion => (await loaded()).assertions.read(assertion),
      check: async (assertion, wanted) => (await loaded()).assertions.check(assertion, wanted),
    },
  }
}

async function load(parts: JwtParts & AssertionParts): Promise<Jwts> {
  const { openSignatures } = await import('./signatures.ts')
  const { jwtTokens } = await import('./verify-jwt.ts')
  const { openAssertions } = await import('./assertions.ts')
  const signatures = openSignatures(parts)
  return { bearer: jwtTokens(parts, signatures), assertions: openAssertions(parts, signatures) }
}
