/** A sign-in at a provider, renewed without its person (OpenID Connect Core, 12). */
import { type Configuration, ResponseBodyError, refreshTokenGrant } from 'openid-client'
import type { Given } from '../../provider-tokens/kept.ts'
import type { Renewed } from '../../provider-tokens/open.ts'
import type { IdentityProvider } from '../../providers/provider.ts'
import { trouble } from './client.ts'
import { asked, givenBy } from './finish.ts'

type At = { readonly provider: IdentityProvider; readonly client: Configuration; readonly now: number }

/** Throws `identity.provider_trouble` for everything that is no answer. */
export function refresh(given: Given, { provider, client, now }: At): Promise<Renewed> {
  return asked(provider, async () => {
    const { refresh: token = '', subject } = given
    const tokens = await refreshTokenGrant(client, token).catch(refused)
    if (tokens === 'refused') return tokens
    const claims = tokens.claims()
    if (claims !== undefined && claims.sub !== subject)
      trouble(provider, 'It renewed the sign-in of somebody else.')
    const next = givenBy(tokens, claims ?? { sub: subject, exp: 0 }, now)
    // What is not given anew stays as it was.
    return {
      ...next,
      refresh: next.refresh ?? token,
      // An ID token that is over, and no other: there will be none without a sign-in.
      ...(claims === undefined && { id: good(given, now), idUntil: given.idUntil, givesNoId: true }),
    }
  })
}

function good({ id, idUntil }: Given, now: number): string | undefined {
  return (idUntil ?? 0) > now ? id : undefined
}

function refused(error: unknown): 'refused' {
  if (error instanceof ResponseBodyError && error.error === 'invalid_grant') return 'refused'
  throw error
}
