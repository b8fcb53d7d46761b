/** The one place where oidc-provider is put together. What it decides is in the files it is given. */
import {
  type Adapter,
  type Configuration,
  errors,
  interactionPolicy,
  Provider,
  type TokenEndpointGrantContext,
} from 'oidc-provider'
import { checkDpopReplay, validateDpop } from 'oidc-provider/lib/helpers/grants.js'
import type { Clock } from '../foundation/clock.ts'
import { newId } from '../foundation/id.ts'
import { type Jwk, newToken, type OAuthStore, proofAlgorithms } from '../identity/index.ts'
import { adapterFor } from './adapter.ts'
import { completeClient, kindOf, wrongWithAssertion } from './client-rules.ts'
import { type ErrorPage, showError } from './error-page.ts'
import { type ConsentRules, existingGrant } from './existing-grant.ts'
import { registerGrants } from './grants/index.ts'
import { knowAccounts } from './grants/know-accounts.ts'
import { onceOnly } from './one-use.ts'
import { type ResourceParts, resourceOf } from './resources.ts'
import { knownScopes, scopesSupported } from './scopes.ts'
import { visit } from './visit.ts'

export type ProviderParts = ResourceParts &
  ConsentRules & {
    readonly store: OAuthStore
    readonly clock: Clock
    readonly isSecure: boolean
    /** Makes the nonces of proofs; 32 bytes. */
    readonly nonceKey: Buffer
    /** The way to documents about clients, and to their keys. */
    readonly fetchDocument: (input: string | URL | Request, init?: RequestInit) => Promise<Response>
    readonly showPage: ErrorPage
    readonly settings: {
      readonly registration: 'open' | 'off'
      readonly clientMetadata: 'open' | 'off'
      readonly clientMetadataDomains: readonly string[]
      readonly accessTokenSeconds: number
      readonly refreshIdleDays: number
      readonly refreshDays: number
    }
  }

const day = 86_400
export const routes = {
  authorization: '/oauth/authorize',
  token: '/oauth/token',
  registration: '/oauth/register',
  revocation: '/oauth/revoke',
  introspection: '/oauth/introspect',
  jwks: '/oauth/jwks',
  end_session: '/oauth/end-session',
} as const

/** Builds the server for an issuer and its keys, the newest first. */
export function buildProvider(issuer: string, keys: readonly Jwk[], parts: ProviderParts): Provider {
  /** Its own handling of codes and refresh tokens, under our rule for both. */
  class OneUseProvider extends Provider {
    // A method and no field, for the library calls it while it is constructed.
    override registerGrantType<Params extends object>(
      name: string,
      handle: (ctx: TokenEndpointGrantContext<Params>) => Promise<void> | void,
      ...more: [Names?, Names?]
    ): void {
      const rule = oneUse[name]
      const handler: typeof handle =
        rule === undefined ? handle : onceOnly({ ...parts, errors }, rule, async ctx => handle(ctx))
      super.registerGrantType(name, handler, ...more)
    }
  }
  const provider = new OneUseProvider(issuer, configurationOf(keys, parts))
  // Host and scheme are written by us before it sees a request.
  provider.proxy = true
  nameTokens(provider)
  registerGrants({ ...parts, errors, helpers: { checkDpopReplay, validateDpop } }, provider)
  knowAccounts(provider, parts.store.machines)
  distrustDocuments(provider)
  return provider
}

type Names = string | readonly string[] | ReadonlySet<string>

const oneUse: Readonly<Record<string, Parameters<typeof onceOnly>[1]>> = {
  authorization_code: { model: 'AuthorizationCode', param: 'code' },
  refresh_token: { model: 'RefreshToken', param: 'refresh_token' },
}

/** Whatever is wrong with the document of a client: it is no client (draft-ietf-oauth-client-id-metadata-document, 4). */
function distrustDocuments({ Client }: Provider): void {
  const find = Client.find.bind(Client)
  Object.assign(Client, {
    async find(id: string) {
      try {
        return await find(id)
      } catch (error) {
        const isOurs = kindOf(id) === 'document' && error instanceof errors.OIDCProviderError
        throw isOurs
          ? new errors.InvalidClient(error.error_description ?? error.message, error.error_detail)
          : error
      }
    },
  })
}

/** Every secret it hands out has the form of our tokens, so that it is recognised where it should not be. */
function nameTokens(provider: Provider): void {
  const named = [
    [provider.AccessToken, () => newToken('oat')],
    [provider.ClientCredentials, () => newToken('oat')],
    [provider.RefreshToken, () => newToken('ort')],
    [provider.AuthorizationCode, () => newToken('oac')],
    [provider.RegistrationAccessToken, () => newToken('org')],
    [provider.Grant, () => newId()],
  ] as const
  for (const [model, generateTokenId] of named) Object.assign(model.prototype, { generateTokenId })
  // What the library decides along with the name of an access token.
  for (const { prototype } of [provider.AccessToken, provider.ClientCredentials])
    Object.defineProperty(prototype, 'format', { value: 'opaque' })
}

function configurationOf(keys: readonly Jwk[], parts: ProviderParts): Configuration {
  const { settings, isSecure } = parts
  const prefix = isSecure ? '__Secure-' : ''
  const cookie = { httpOnly: true, sameSite: 'lax', secure: isSecure, signed: false } as const
  return {
    adapter: (model: string): Adapter => adapterFor(parts.store, model),
    jwks: { keys: keys.map(key => ({ ...key, kty: String(key.kty) })) },
    routes,
    scopes: ['openid', 'offline_access'],
    claims: { openid: ['sub'] },
    responseTypes: ['code'],
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    clientDefaults: { grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'] },
    clientBasedCORS: () => true,
    cookies: {
      names: {
        session: isSecure ? '__Host-gatehouse_oauth' : 'gatehouse_oauth',
        interaction: `${prefix}gatehouse_interaction`,
        resume: `${prefix}gatehouse_resume`,
      },
      long: cookie,
      short: cookie,
    },
    enabledJWA: { clientAuthSigningAlgValues: [...signing], dPoPSigningAlgValues: [...proofAlgorithms] },
    assertJwtClientAuthClaimsAndHeader: async (_, claims) => {
      const why = wrongWithAssertion(claims)
      if (why !== undefined) throw new errors.InvalidClientAuth(why)
    },
    extraTokenClaims: async () => actorOf(visit().about.held?.act),
    pkce: { required: () => true },
    allowOmittingSingleRegisteredRedirectUri: false,
    findAccount: async (_, id) => {
      const person = await parts.store.grants.person(id)
      return person && { accountId: person.id, claims: async () => ({ sub: person.id }) }
    },
    issueRefreshToken: async (_, client) => client.grantTypeAllowed('refresh_token'),
    expiresWithSession: async () => false,
    rotateRefreshToken: true,
    revokeGrantPolicy: () => true,
    loadExistingGrant: ctx => existingGrant(parts, ctx),
    interactions: {
      url: async (_, { uid }) => `/oauth/interaction/${uid}`,
      policy: policy(),
    },
    ttl: ttl(settings),
    features: features(parts),
    extraClientMetadata: {
      properties: ['gatehouse'],
      validator(_, __, ___, metadata) {
        const wrong = completeClient(metadata)
        if (wrong?.isRedirect) throw new errors.CustomOIDCProviderError('invalid_redirect_uri', wrong.what)
        if (wrong !== undefined) throw new errors.InvalidClientMetadata(wrong.what)
      },
    },
    renderError: (ctx, out) => showError(parts.showPage, ctx, out),
    fetch: parts.fetchDocument,
    discovery: { service_documentation: undefined },
  }
}

/** By which clients sign that they are who they say. */
const signing = ['RS256', 'PS256', 'ES256', 'Ed25519', 'EdDSA'] as const

function actorOf(act: unknown): { act: unknown } | undefined {
  return act === undefined ? undefined : { act }
}

/** Consent is ours: `existingGrant` says whether a person must be asked, and answers that they were. */
function policy() {
  const base = interactionPolicy.base()
  base.get('consent')?.checks.remove('native_client_prompt')
  return base
}

function ttl({
  accessTokenSeconds,
  refreshIdleDays,
  refreshDays,
}: ProviderParts['settings']): Configuration['ttl'] {
  const seconds = (days: number) => Math.floor(days * day)
  return {
    AccessToken: () => accessTokenSeconds,
    AuthorizationCode: () => 60,
    IdToken: () => 3600,
    Interaction: () => 1800,
    Session: () => 43_200,
    Grant: () => visit().about.grantSeconds ?? seconds(refreshDays),
    RefreshToken(_, token) {
      const left =
        Number(token.iiat ?? Date.now() / 1000) + seconds(refreshDays) - Math.floor(Date.now() / 1000)
      return Math.max(1, Math.min(seconds(refreshIdleDays), Math.floor(left)))
    },
  }
}

function features(parts: ProviderParts): Configuration['features'] {
  const { settings } = parts
  return {
    devInteractions: { enabled: false },
    // A nonce is asked for where the clock of a client is off, and good for minutes in every process.
    dPoP: { enabled: true, nonceSecret: parts.nonceKey },
    pushedAuthorizationRequests: { enabled: false },
    userinfo: { enabled: false },
    rpInitiatedLogout: { enabled: false },
    clientCredentials: { enabled: false },
    revocation: {
      enabled: true,
      // RFC 7009, 2.1: what is another's is not touched, and not told of.
      allowedPolicy: async (_, client, token) => token.clientId === client.clientId,
    },
    introspection: {
      enabled: true,
      allowedPolicy: async (_, client, token) => token.clientId === client.clientId,
    },
    registration: {
      enabled: settings.registration === 'open',
      idFactory: () => `dcr_${newId()}`,
      secretFactory: async () => newToken('ocs'),
    },
    registrationManagement: {
      enabled: settings.registration === 'open',
      rotateRegistrationAccessToken: true,
    },
    clientIdMetadataDocument: {
      enabled: settings.clientMetadata === 'open',
      ack: 'draft-02',
      allowFetch: async (_, id) => {
        const { clientMetadataDomains: allowed } = settings
        return allowed.length === 0 || allowed.includes(URL.parse(id)?.hostname ?? '')
      },
      cacheDuration: { min: 60, max: 86_400 },
    },
    resourceIndicators: {
      enabled: true,
      // A client of 2025-03-26 names no server, for it knows one authorization for everything at an origin.
      defaultResource: async (_, __, oneOf) => {
        if (oneOf !== undefined) throw new errors.InvalidTarget('exactly one resource is named')
        return parts.addresses.origin()
      },
      useGrantedResource: async () => true,
      getResourceServerInfo(ctx, indicator) {
        const named: unknown = ctx.oidc.params?.resource
        const resource = Array.isArray(named) ? undefined : resourceOf(parts, indicator)
        if (resource === undefined)
          throw new errors.InvalidTarget(
            'the resource is no MCP address of this gateway, or there are several',
          )
        const granted = ctx.oidc.entities.Grant?.getResourceScope(indicator) ?? ''
        const asked = `${String(ctx.oidc.params?.scope ?? '')} ${granted}`.split(' ')
        const isNarrowable = resource.server === undefined
        const scope = [...new Set([...scopesSupported, ...knownScopes(asked, isNarrowable)])].join(' ')
        return { scope, audience: indicator, accessTokenFormat: 'opaque' }
      },
    },
  }
}
