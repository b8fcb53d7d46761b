import type { Verifier } from '../../identify.ts'
import { isJwt } from './token-facts.ts'
import type { JwtParts } from './verify-jwt.ts'

/** JWTs of identity providers as bearer tokens. What checks them is loaded when the first one comes: most commands see none. */
export function openJwtTokens(parts: JwtParts): Verifier {
  let loading: Promise<Verifier> | undefined
  const verifier = () => {
    loading ??= import('./verify-jwt.ts').then(({ jwtTokens }) => jwtTokens(parts))
    return loading
  }
  return { takes: isJwt, verify: async token => (await verifier()).verify(token) }
}
