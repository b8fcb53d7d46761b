/** Who gives out tokens for an upstream: from its challenge to the metadata of its authorization server (MCP 2026-07-28, basic/authorization). */

import type { PrivateNetwork } from '../../foundation/egress.ts'
import { isLoopback } from '../../foundation/guards.ts'
import type { JsonObject } from '../../foundation/json.ts'
import { type Fetch, fetchFor, privateFor, type Reach, readDocument, trouble } from './ask.ts'
import { type Challenge, readChallenge } from './challenge.ts'
import type { OAuthSettings } from './settings.ts'

/** Where the credential of an upstream comes from, and what it is for. */
export type Authority = {
  /** Keys what was got there; nothing of one issuer is ever shown to another. */
  readonly issuer: string
  readonly authorizationEndpoint: string | undefined
  readonly tokenEndpoint: string
  readonly registrationEndpoint: string | undefined
  readonly revocationEndpoint: string | undefined
  /** What tokens are asked for (RFC 8707); undefined where that is not to be said. */
  readonly resource: string | undefined
  /** What to ask for: by configuration, else as the server says. */
  readonly scopes: readonly string[]
  readonly authentications: readonly string[] | undefined
  readonly algorithms: readonly string[] | undefined
  /** It says who it is in every answer (RFC 9207). */
  readonly saysIssuer: boolean
  /** It reads documents about clients. */
  readonly readsDocuments: boolean
  readonly scopesSupported: readonly string[]
}

export type Target = {
  readonly url: string
  readonly allowPrivateNetwork: PrivateNetwork
  readonly settings: OAuthSettings
  /** The address is that of an authorization server itself: nobody is asked who protects it, and no person is led there. */
  readonly isAuthority?: true
}

/** Finds it, or throws `vault.provider_trouble` with a sentence for whoever looks after the server. */
export async function discover(target: Target, challenge?: Challenge): Promise<Authority> {
  const { settings } = target
  const send = fetchFor(target)
  const byHand = settings.tokenUrl !== undefined
  const isKnown = target.isAuthority === true || (byHand && settings.issuer !== undefined)
  const protectedBy = isKnown ? noResource : await resourceOf(target, send, challenge)
  const issuer = settings.issuer ?? protectedBy.issuer
  const metadata = byHand ? undefined : await metadataOf(send, target, issuer)
  const authority = authorityOf(target, { issuer, metadata, protectedBy })
  checkEndpoints(target, authority)
  return authority
}

type Protection = {
  readonly issuer?: string | undefined
  readonly resource?: string | undefined
  readonly scopes?: readonly string[] | undefined
}

const noResource: Protection = {}

/** What the server says about who protects it. Some say nothing, as servers of revision 2025-03-26. */
async function resourceOf({ url, settings }: Target, send: Fetch, known?: Challenge): Promise<Protection> {
  const challenge = known ?? (await challengeOf(send, url))
  const isGuess = challenge?.metadata === undefined
  for (const address of placesOf(url, challenge)) {
    const document = await readDocument(send, address, { what: 'protected-resource metadata', isGuess })
    if (document === undefined) continue
    const { resource, authorization_servers: servers, scopes_supported: scopes } = document
    if (!isFor(resource, url)) trouble('Its protected-resource metadata are about another resource.')
    const issuers = stringsOf(servers) ?? []
    const issuer = settings.issuer ?? issuers[0]
    if (settings.issuer !== undefined && issuers.length > 0 && !issuers.includes(settings.issuer))
      trouble('It does not name the configured issuer among its authorization servers.')
    return { issuer, resource, scopes: challenge?.scopes ?? stringsOf(scopes) }
  }
  return challenge?.scopes === undefined ? noResource : { scopes: challenge.scopes }
}

const hello = {
  protocolVersion: '2025-11-25',
  capabilities: {},
  clientInfo: { name: 'gatehouse', version: '1' },
}

/** Some let everybody say hello, and want a token for what comes then. */
const firstWords = [
  { method: 'initialize', params: hello },
  { method: 'tools/list', params: {} },
].map(said => JSON.stringify({ jsonrpc: '2.0', id: 1, ...said }))

/** Asked without a token, the server says where one comes from. It may say nothing, and then the usual places are looked at. */
async function challengeOf(send: Fetch, url: string): Promise<Challenge | undefined> {
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }
  try {
    for (const body of firstWords) {
      const answer = await send(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(4000) })
      const challenge = readChallenge(answer.headers.get('www-authenticate'))
      if (challenge !== undefined) return challenge
    }
    return undefined
  } catch {
    return undefined
  }
}

function placesOf(url: string, challenge: Challenge | undefined): string[] {
  if (challenge?.metadata !== undefined) return [challenge.metadata]
  const { origin, pathname, search } = new URL(url)
  const path = pathname === '/' ? '' : pathname
  const root = `${origin}/.well-known/oauth-protected-resource`
  return [...new Set([`${root}${path}${search}`, root])]
}

/** The resource is the server's URL, or begins it (RFC 9728, 3.3; the way the SDKs compare). */
function isFor(resource: unknown, url: string): resource is string {
  const named = typeof resource === 'string' ? URL.parse(resource) : null
  const own = new URL(url)
  if (named === null || named.origin !== own.origin) return false
  const prefix = named.pathname.endsWith('/') ? named.pathname : `${named.pathname}/`
  return `${own.pathname}/`.startsWith(prefix)
}

/** Undefined for a server of revision 2025-03-26 that has no metadata: its endpoints are where that revision puts them. */
async function metadataOf(
  send: Fetch,
  target: Target,
  issuer: string | undefined,
): Promise<JsonObject | undefined> {
  const named = issuer ?? new URL(target.url).origin
  checkAddress(target, named, 'issuer')
  for (const address of wellKnown(named)) {
    const document = await readDocument(send, address, {
      what: 'authorization server metadata',
      isGuess: true,
    })
    if (document === undefined) continue
    // Letter by letter (RFC 8414, 3.3): metadata of somebody else would send our codes there.
    const isSame = document.issuer === named || (issuer === undefined && document.issuer === `${named}/`)
    if (!isSame) trouble('The metadata of its authorization server name another issuer.')
    const methods = stringsOf(document.code_challenge_methods_supported)
    const leadsPeople = target.isAuthority !== true && document.authorization_endpoint !== undefined
    if (leadsPeople && methods?.includes('S256') !== true)
      trouble('Its authorization server does not say that it takes PKCE with S256.')
    return document
  }
  return issuer === undefined ? undefined : trouble('Its authorization server has no metadata.')
}

function wellKnown(issuer: string): string[] {
  const { origin, pathname } = new URL(issuer)
  const path = pathname === '/' ? '' : pathname.replace(/\/$/, '')
  const inserted = ['oauth-authorization-server', 'openid-configuration'].map(
    name => `${origin}/.well-known/${name}${path}`,
  )
  return path === '' ? inserted : [...inserted, `${origin}${path}/.well-known/openid-configuration`]
}

type Found = {
  readonly issuer: string | undefined
  readonly metadata: JsonObject | undefined
  readonly protectedBy: Protection
}

function authorityOf({ url, settings }: Target, { issuer, metadata, protectedBy }: Found): Authority {
  const { origin } = new URL(url)
  const told = metadata ?? (settings.tokenUrl === undefined ? defaultsAt(origin) : {})
  const text = (name: string) => (typeof told[name] === 'string' ? told[name] : undefined)
  const token = settings.tokenUrl ?? text('token_endpoint')
  if (token === undefined) return trouble('Its authorization server has no token endpoint.')
  const { resource = protectedBy.resource ?? url } = settings
  return {
    issuer: text('issuer') ?? issuer ?? new URL(token).origin,
    authorizationEndpoint: settings.authorizationUrl ?? text('authorization_endpoint'),
    tokenEndpoint: token,
    registrationEndpoint: settings.registrationUrl ?? text('registration_endpoint'),
    revocationEndpoint: settings.revocationUrl ?? text('revocation_endpoint'),
    resource: resource === false ? undefined : resource,
    scopes: settings.scopes ?? protectedBy.scopes ?? [],
    authentications: stringsOf(told.token_endpoint_auth_methods_supported),
    algorithms: stringsOf(told.token_endpoint_auth_signing_alg_values_supported),
    saysIssuer: told.authorization_response_iss_parameter_supported === true,
    readsDocuments: told.client_id_metadata_document_supported === true,
    scopesSupported: stringsOf(told.scopes_supported) ?? [],
  }
}

/** Where revision 2025-03-26 expects them without metadata. */
function defaultsAt(origin: string): JsonObject {
  return {
    issuer: origin,
    authorization_endpoint: `${origin}/authorize`,
    token_endpoint: `${origin}/token`,
    registration_endpoint: `${origin}/register`,
  }
}

function checkEndpoints(target: Target, authority: Authority): void {
  const named = {
    'authorization endpoint': authority.authorizationEndpoint,
    'token endpoint': authority.tokenEndpoint,
    'registration endpoint': authority.registrationEndpoint,
    'revocation endpoint': authority.revocationEndpoint,
  }
  for (const [what, url] of Object.entries(named)) if (url !== undefined) checkAddress(target, url, what)
}

/** No browser and no request of ours is led anywhere else than to https; plain http only within this machine, where the server may be there too. */
function checkAddress(target: Target, address: string, what: string): void {
  if (!isAskable(target, address)) trouble(`The ${what} of its authorization server is no https address.`)
}

export function isAskable(target: Reach, address: string): boolean {
  const url = URL.parse(address)
  const isLocal =
    url?.protocol === 'http:' && privateFor(target, address) !== false && isLoopback(url.hostname)
  return url !== null && (url.protocol === 'https:' || isLocal) && url.username === '' && url.hash === ''
}

function stringsOf(value: unknown): readonly string[] | undefined {
  if (!Array.isArray(value)) return undefined
  return value.filter(each => typeof each === 'string').slice(0, 200)
}
