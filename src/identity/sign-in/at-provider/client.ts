/** The gateway as a client of one identity provider (OpenID Connect Core, code flow with PKCE). */
import {
  allowInsecureRequests,
  ClientSecretBasic,
  ClientSecretPost,
  Configuration,
  clockTolerance,
  customFetch,
  enableNonRepudiationChecks,
  None,
  type ServerMetadata,
} from 'openid-client'
import { guardedFetch } from '../../../egress/index.ts'
import type { Clock } from '../../../foundation/clock.ts'
import { fail } from '../../../foundation/errors.ts'
import { isLoopback } from '../../../foundation/guards.ts'
import type { JsonObject } from '../../../foundation/json.ts'
import { ProviderTrouble, readMetadata } from '../../providers/bearer/metadata.ts'
import type { IdentityProvider } from '../../providers/provider.ts'
import type { Providers } from '../../providers/store.ts'

/** Metadata and keys are read anew after this long. */
const freshMilliseconds = 10 * 60_000
const answerBytes = 262_144
const totalMilliseconds = 5000
const toleranceSeconds = 30

export type Clients = {
  /** Throws `identity.provider_trouble` when what the provider says of itself cannot be read, or will not do. */
  of(provider: IdentityProvider): Promise<Configuration>
}

type Parts = { readonly providers: Pick<Providers, 'clientSecret'>; readonly clock: Clock }
type Held = { readonly version: number; readonly madeAt: number; readonly made: Promise<Configuration> }

export function openClients(parts: Parts): Clients {
  const held = new Map<string, Held>()
  return {
    of(provider) {
      const now = parts.clock.elapsed()
      const before = held.get(provider.id)
      const isGood = before?.version === provider.version && now - before.madeAt < freshMilliseconds
      if (before !== undefined && isGood) return before.made
      const made = makeClient(provider, parts).catch(error => {
        if (held.get(provider.id)?.made === made) held.delete(provider.id)
        throw error
      })
      held.set(provider.id, { version: provider.version, madeAt: now, made })
      return made
    },
  }
}

async function makeClient(provider: IdentityProvider, { providers }: Parts): Promise<Configuration> {
  const { allowPrivateNetwork, clientId } = provider
  if (clientId === undefined || !provider.use.signIn) fail('identity.provider_unknown')
  const metadata = await metadataOf(provider)
  const secret = (await providers.clientSecret(provider))?.reveal()
  const own = { [clockTolerance]: toleranceSeconds }
  const client = new Configuration(metadata, clientId, own, authentication(metadata, secret))
  const send = guardedFetch({ allowPrivateNetwork, totalMilliseconds, answerBytes })
  client[customFetch] = (url, { body = null, signal = null, ...rest }) => send(url, { ...rest, body, signal })
  // The guarded fetch decides whether plain http is allowed: to loopback, where the provider says so.
  if (allowPrivateNetwork) allowInsecureRequests(client)
  enableNonRepudiationChecks(client)
  return client
}

function authentication({ token_endpoint_auth_methods_supported: methods }: ServerMetadata, secret?: string) {
  if (secret === undefined) return None()
  const isByPost = methods?.includes('client_secret_post') && !methods.includes('client_secret_basic')
  return isByPost ? ClientSecretPost(secret) : ClientSecretBasic(secret)
}

async function metadataOf(provider: IdentityProvider): Promise<ServerMetadata> {
  const { issuer, endpoints, algorithms } = provider
  const { authorizationEndpoint, tokenEndpoint, jwksUri, endSessionEndpoint } = endpoints
  const isByHand = authorizationEndpoint !== undefined && tokenEndpoint !== undefined && jwksUri !== undefined
  const { end_session_endpoint: exit = endSessionEndpoint, ...told } = isByHand ? {} : await toldBy(provider)
  const metadata: ServerMetadata = {
    ...told,
    issuer,
    id_token_signing_alg_values_supported: [...algorithms],
    ...(authorizationEndpoint && { authorization_endpoint: authorizationEndpoint }),
    ...(tokenEndpoint && { token_endpoint: tokenEndpoint }),
    ...(jwksUri && { jwks_uri: jwksUri }),
    ...(mayLead(exit, provider) && { end_session_endpoint: exit }),
  }
  for (const name of ['authorization_endpoint', 'token_endpoint', 'jwks_uri'] as const)
    if (!mayLead(metadata[name], provider))
      trouble(provider, `Its ${name} is missing, or is no https address.`)
  return metadata
}

async function toldBy(provider: IdentityProvider): Promise<JsonObject> {
  try {
    return await readMetadata(provider)
  } catch (error) {
    if (error instanceof ProviderTrouble) return trouble(provider, error.message)
    throw error
  }
}

/** May a browser, or we, be led there? */
function mayLead(address: unknown, { allowPrivateNetwork }: IdentityProvider): address is string {
  const url = typeof address === 'string' ? URL.parse(address) : null
  if (url === null) return false
  return (
    url.protocol === 'https:' || (url.protocol === 'http:' && allowPrivateNetwork && isLoopback(url.hostname))
  )
}

export function trouble({ title }: Pick<IdentityProvider, 'title'>, internal: string): never {
  return fail('identity.provider_trouble', { why: `${title} does not answer as it should.`, internal })
}
