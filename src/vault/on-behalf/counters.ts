/** Where what a caller's identity provider gave for them is shown: the places that a server's settings allow, and no other. */
import type { IdentityProvider, Providers } from '../../identity/index.ts'
import type { Upstream } from '../../upstreams/index.ts'
import type { Texts } from '../auth-types/auth-type.ts'
import type { Authority, Target } from '../oauth/discover.ts'
import { type OAuth, targetOf } from '../oauth/open.ts'
import type { OAuthSettings } from '../oauth/settings.ts'
import type { Expected, Tokens } from '../oauth/token-request.ts'

/** A token endpoint, and who the gateway is there. */
export type Counter = {
  readonly authority: Authority
  readonly clientId: string
  /** Throws `RefusedGrant` and `vault.provider_trouble`. */
  ask(parameters: Texts, expected?: Expected): Promise<Tokens>
}

export type Counters = {
  /** The identity provider itself, where the gateway is the client that signs people in, unless the settings name another. */
  provider(settings: OAuthSettings): Promise<Counter>
  /** The authorization server that the settings name. */
  configured(settings: OAuthSettings): Promise<Counter>
  /** The one that the server names. It is shown nothing but what is made for it. */
  ofServer(settings: OAuthSettings): Promise<Counter>
}

type Parts = { readonly oauth: OAuth; readonly providers: Pick<Providers, 'clientSecret'> }
type About = { readonly upstream: Upstream; readonly provider: IdentityProvider }

export function openCounters(parts: Parts, { upstream, provider }: About): Counters {
  const { oauth } = parts
  const at = async (key: object, target: Target): Promise<Counter> => {
    const authority = { ...(await oauth.authorityAt(key, target)), ...said(target.settings) }
    return counter(parts, { upstream, target, authority })
  }
  return {
    provider: async settings => at(provider, await providerTarget(parts, provider, settings)),
    configured(settings) {
      const { allowPrivateNetwork } = targetOf(upstream, settings)
      const url = settings.issuer ?? settings.tokenUrl ?? ''
      return at(upstream, { url, allowPrivateNetwork, settings, isAuthority: true })
    },
    async ofServer(settings) {
      const authority = await oauth.authority(upstream, settings)
      return counter(parts, { upstream, target: targetOf(upstream, settings), authority })
    },
  }
}

/** What is asked for is the server's to say, and is not kept with what is known of the place. */
function said({ resource, scopes = [] }: OAuthSettings): Pick<Authority, 'resource' | 'scopes'> {
  return { resource: resource === false ? undefined : resource, scopes }
}

async function providerTarget(
  { providers }: Parts,
  provider: IdentityProvider,
  settings: OAuthSettings,
): Promise<Target> {
  const { issuer, endpoints, allowPrivateNetwork, clientId } = provider
  const own = settings.clientId !== undefined
  const clientSecret = own ? settings.clientSecret : (await providers.clientSecret(provider))?.reveal()
  return {
    url: issuer,
    allowPrivateNetwork,
    settings: {
      ...settings,
      issuer,
      tokenUrl: endpoints.tokenEndpoint,
      clientId: settings.clientId ?? clientId,
      clientSecret,
    },
    isAuthority: true,
  }
}

type Place = { readonly upstream: Upstream; readonly target: Target; readonly authority: Authority }

async function counter({ oauth }: Parts, { upstream, target, authority }: Place): Promise<Counter> {
  const client = await oauth.client(upstream, target.settings, authority)
  return {
    authority,
    clientId: client.id,
    ask: (parameters, expected) => oauth.tokens({ target, authority, client }, parameters, expected),
  }
}
