/** Who the gateway is at an authorization server: registered there beforehand, by its own document, or by itself (MCP, in this order). */
import type { PrivateNetwork } from '../../foundation/egress.ts'
import type { JsonObject } from '../../foundation/json.ts'
import { ask, fetchFor, objectOf, privateFor, trouble } from './ask.ts'
import { type Authority, isAskable, type Target } from './discover.ts'
import { clientAuthentications } from './settings.ts'

export type Authentication = (typeof clientAuthentications)[number]

export type Client = {
  readonly id: string
  readonly secret: string | undefined
  /** PEM (PKCS #8) of the key it signs with. */
  readonly privateKey: string | undefined
  readonly keyId: string | undefined
  readonly authentication: Authentication
}

/** What a registration gave, as it is kept. */
export type Registration = {
  readonly clientId: string
  readonly secret?: string | undefined
  readonly authentication: Authentication
  /** Milliseconds since 1970; null for one that does not end. */
  readonly expiresAt: number | null
  /** Where its secret is shown. */
  readonly tokenOrigin?: string | undefined
  /** For changing and removing it (RFC 7592). */
  readonly managedAt?: string | undefined
  readonly managedWith?: string | undefined
  /** What of private networks that address may be in. */
  readonly managedWithin?: PrivateNetwork | undefined
}

/** The gateway as others see it. */
export type Self = {
  /** The one redirect URI for upstreams. */
  readonly redirectUri: string
  /** The address of the document about it; undefined where others cannot read it, for want of https. */
  readonly document: string | undefined
  readonly documentKey: { readonly pem: string; readonly keyId: string }
}

/** The client that was registered beforehand; undefined where there is none. */
export function configuredClient({ settings }: Target, authority: Authority): Client | undefined {
  const { clientId, clientSecret, privateKey, keyId } = settings
  if (clientId === undefined) return undefined
  const can: Authentication[] =
    privateKey !== undefined
      ? ['private_key_jwt']
      : clientSecret !== undefined
        ? ['client_secret_basic', 'client_secret_post']
        : ['none']
  const offered = authority.authentications
  const both = can.find(method => offered === undefined || offered.includes(method))
  return {
    id: clientId,
    secret: clientSecret,
    privateKey,
    keyId,
    authentication: settings.clientAuthentication ?? both ?? can[0] ?? 'none',
  }
}

/** The client that the gateway's own document describes, where the authorization server reads such (client id metadata documents). */
export function documentedClient(self: Self, authority: Authority): Client | undefined {
  const { document, documentKey } = self
  if (document === undefined || !authority.readsDocuments) return undefined
  const signs = authority.authentications?.includes('private_key_jwt') === true
  return {
    id: signs ? document : `${document}?public`,
    secret: undefined,
    privateKey: signs ? documentKey.pem : undefined,
    keyId: signs ? documentKey.keyId : undefined,
    authentication: signs ? 'private_key_jwt' : 'none',
  }
}

export function registeredClient({ clientId, secret, authentication }: Registration): Client {
  return { id: clientId, secret, privateKey: undefined, keyId: undefined, authentication }
}

/** Registers the gateway (RFC 7591). Throws `vault.provider_trouble`. */
export async function register(
  target: Target,
  authority: Authority,
  { redirectUri, now }: { redirectUri: string; now: number },
): Promise<Registration> {
  const { registrationEndpoint: url } = authority
  if (url === undefined)
    return trouble('The gateway cannot register itself there: set clientId, as an admin of it gives you one.')
  const offered = authority.authentications ?? ['client_secret_basic']
  const wanted = (['none', 'client_secret_basic', 'client_secret_post'] as const).find(method =>
    offered.includes(method),
  )
  const metadata = {
    client_name: 'Gatehouse',
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    application_type: redirectUri.startsWith('https:') ? 'web' : 'native',
    token_endpoint_auth_method: wanted ?? 'client_secret_basic',
    ...(authority.scopes.length > 0 && { scope: authority.scopes.join(' ') }),
  }
  const init = {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify(metadata),
  }
  const answer = await ask(fetchFor(target), url, init, 'registration endpoint')
  const body = await objectOf(answer)
  if (answer.status !== 201 && answer.status !== 200) return refused(answer.status, body)
  const registered = registrationOf(body ?? {}, { wanted: metadata.token_endpoint_auth_method, now })
  const tokenOrigin = new URL(authority.tokenEndpoint).origin
  return { ...registered, tokenOrigin, ...managementOf(target, body ?? {}) }
}

function refused(status: number, body: JsonObject | undefined): never {
  const code = typeof body?.error === 'string' && /^[\w.-]{1,64}$/.test(body.error) ? ` (${body.error})` : ''
  return trouble(`It does not let the gateway register itself: it answered ${status}${code}. Set clientId.`)
}

const visible = /^[\x20-\x7e]{1,2000}$/

function registrationOf(
  body: JsonObject,
  { wanted, now }: { wanted: Authentication; now: number },
): Registration {
  const { client_id: id, client_secret: secret, client_secret_expires_at: ends } = body
  const method = body.token_endpoint_auth_method ?? wanted
  const authentication = clientAuthentications.find(each => each === method)
  if (typeof id !== 'string' || !visible.test(id)) return trouble('Its registration gave no client_id.')
  if (secret !== undefined && (typeof secret !== 'string' || !visible.test(secret)))
    return trouble('Its registration gave a client_secret that cannot be sent.')
  if (authentication === undefined || authentication === 'private_key_jwt')
    return trouble('Its registration gave a way to authenticate that was not asked for.')
  return {
    clientId: id,
    secret,
    authentication:
      secret === undefined ? 'none' : authentication === 'none' ? 'client_secret_basic' : authentication,
    expiresAt: typeof ends === 'number' && ends * 1000 > now ? ends * 1000 : null,
  }
}

/** How to take it back. Whatever cannot be used is left out: the registration is as good without. */
function managementOf(target: Target, body: JsonObject): Partial<Registration> {
  const { registration_client_uri: at, registration_access_token: token } = body
  if (typeof at !== 'string' || !visible.test(at) || !isAskable(target, at)) return {}
  if (typeof token !== 'string' || !/^[\x21-\x7e]{1,8000}$/.test(token)) return {}
  return { managedAt: at, managedWith: token, managedWithin: privateFor(target, at) }
}

/** It knows the client no more: it was removed there, and has to be registered anew. */
export function isUnknownClient(error: unknown): boolean {
  return error instanceof RefusedGrant && error.reason === 'invalid_client'
}

/** The authorization server refused a request for tokens, in the words of RFC 6749, 5.2. */
export class RefusedGrant extends Error {
  readonly reason: string

  constructor(reason: string) {
    super(`refused: ${reason}`)
    this.reason = reason
  }
}
