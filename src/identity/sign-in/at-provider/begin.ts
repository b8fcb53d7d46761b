/** The way to an identity provider: what is asked there, and what has to come back. */
import {
  buildAuthorizationUrl,
  type Configuration,
  calculatePKCECodeChallenge,
  randomNonce,
  randomPKCECodeVerifier,
} from 'openid-client'
import { z } from 'zod'
import { hasTeams } from '../../providers/claims.ts'
import type { IdentityProvider } from '../../providers/provider.ts'
import type { SignInRoom } from '../enter.ts'

export const flowKind = 'sign-in at a provider'
const goodSeconds = 10 * 60
/** Nobody is let in on the word that they signed in there longer ago than a session of ours lasts. */
const oldestSeconds = 12 * 3600

export const underWay = z.object({
  provider: z.string(),
  /** The browser that began. */
  mark: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  redirectUri: z.string(),
  onTo: z.string(),
  isAgain: z.boolean(),
  begunAt: z.number(),
})

export type Beginning = {
  readonly mark: string
  /** The origin the browser has in its address line. */
  readonly origin: string
  /** The path of ours it goes on to. */
  readonly onTo: string
  /** Must they show there once more that it is them? */
  readonly isAgain: boolean
}

/** Where the browser goes. */
export async function begin(
  { flows, clock }: Pick<SignInRoom, 'flows' | 'clock'>,
  provider: IdentityProvider,
  client: Configuration,
  { origin, ...rest }: Beginning,
): Promise<string> {
  const [nonce, verifier] = [randomNonce(), randomPKCECodeVerifier()]
  const redirectUri = `${origin}/sign-in/callback`
  const flow = { ...rest, provider: provider.id, nonce, verifier, redirectUri, begunAt: clock.now() }
  const state = await flows.begin(flowKind, flow, { seconds: goodSeconds })
  const url = buildAuthorizationUrl(client, {
    redirect_uri: redirectUri,
    scope: scopeOf(provider, client),
    state,
    nonce,
    code_challenge: await calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    max_age: rest.isAgain ? '0' : String(oldestSeconds),
    ...(rest.isAgain ? { prompt: 'login' } : {}),
  })
  return url.href
}

function scopeOf(provider: IdentityProvider, client: Configuration): string {
  const { scopes_supported: supported } = client.serverMetadata()
  const { onBehalf } = provider
  const further = hasTeams(provider) && supported?.includes('groups') ? ['groups'] : []
  // Without it some give nothing to renew with; where it is not known, asking for it is an error (OpenID Connect Core, 11).
  const lasting = onBehalf !== undefined && supported?.includes('offline_access') ? ['offline_access'] : []
  const wanted = ['openid', 'email', 'profile', ...further, ...lasting, ...(onBehalf?.scopes ?? [])]
  return [...new Set(wanted)].join(' ')
}
