/** Requests for tokens (RFC 6749, 4 to 6), and what counts as an answer. */
import { randomUUID } from 'node:crypto'
import { isObject, type JsonObject } from '../../foundation/json.ts'
import { ask, fetchFor, objectOf, trouble } from './ask.ts'
import { scopesOf } from './challenge.ts'
import { type Client, RefusedGrant } from './client.ts'
import type { Authority, Target } from './discover.ts'

/** What an authorization server gave. Nothing of it was stored yet. */
export type Tokens = {
  readonly access: string
  readonly refresh: string | undefined
  /** Milliseconds since 1970; null where it does not say. */
  readonly expiresAt: number | null
  /** As granted; undefined where it is what was asked for. */
  readonly scopes: readonly string[] | undefined
  /** Who they are there, as far as an ID token says. For people to read, never to decide by. */
  readonly account: string | undefined
  /** What it is, where it came of an exchange (RFC 8693, 2.2.1). */
  readonly issuedType: string | undefined
}

/** What was asked for: something to call with, or an assertion for another authorization server (RFC 8693, 2.2.1). */
export type Expected = 'bearer' | 'assertion'

type Asking = {
  readonly target: Target
  readonly authority: Authority
  readonly client: Client
  readonly now: number
}

/**
 * Asks for tokens. Throws `RefusedGrant` where the authorization server says no in its own words, and `vault.provider_trouble`
 * for everything else that is no answer: then nothing is known to have changed there.
 */
export async function requestTokens(
  { target, authority, client, now }: Asking,
  parameters: Readonly<Record<string, string>>,
  expected: Expected = 'bearer',
): Promise<Tokens> {
  const { tokenParameters = {} } = target.settings
  const { resource } = authority
  const form = new URLSearchParams({ ...tokenParameters, ...parameters, ...(resource && { resource }) })
  const headers = await authenticate({ authority, client, now }, form)
  const init = { method: 'POST', headers, body: form.toString() }
  const answer = await ask(fetchFor(target), authority.tokenEndpoint, init, 'token endpoint')
  const body = await objectOf(answer)
  // Whatever it says then is about itself, and nothing is refused for good.
  if (answer.status >= 500 || answer.status === 429 || answer.status === 408)
    return trouble(`Its token endpoint answered ${answer.status}.`)
  // Some answer an error with 200.
  if (typeof body?.error === 'string') return refused(body.error)
  if (answer.status !== 200) return trouble(`Its token endpoint answered ${answer.status}.`)
  if (body === undefined) return trouble('Its token endpoint answered with something that is no JSON object.')
  return tokensOf(body, { now, expected })
}

/** What an authorization server says when it has a problem of its own (RFC 6749, 4.1.2.1) is said by some here too. */
const passing = new Set(['temporarily_unavailable', 'server_error', 'slow_down'])

function refused(error: string): never {
  if (passing.has(error)) return trouble(`Its token endpoint says that it cannot answer now (${error}).`)
  throw new RefusedGrant(/^[\w.-]{1,64}$/.test(error) ? error : 'unknown')
}

/** Puts who asks into the form, or gives the header that says so (RFC 6749, 2.3.1; RFC 7523, 2.2). */
export async function authenticate(
  { authority, client, now }: Pick<Asking, 'authority' | 'client' | 'now'>,
  form: URLSearchParams,
): Promise<Record<string, string>> {
  const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' }
  const { id, secret = '' } = client
  if (client.authentication === 'client_secret_basic') {
    const pair = `${encoded(id)}:${encoded(secret)}`
    return { ...headers, authorization: `Basic ${Buffer.from(pair).toString('base64')}` }
  }
  form.set('client_id', id)
  if (client.authentication === 'client_secret_post') form.set('client_secret', secret)
  if (client.authentication === 'private_key_jwt') {
    form.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
    form.set('client_assertion', await assertionOf(client, authority, now))
  }
  return headers
}

function encoded(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1)
}

const algorithms = ['ES256', 'RS256', 'PS256', 'EdDSA', 'ES384', 'ES512'] as const

async function assertionOf(
  { id, privateKey, keyId }: Client,
  authority: Authority,
  now: number,
): Promise<string> {
  const { importPKCS8, SignJWT } = await import('jose')
  if (privateKey === undefined) return trouble('There is no private key to authenticate with.')
  const offered = algorithms.filter(each => authority.algorithms?.includes(each) ?? true)
  for (const alg of offered) {
    const key = await importPKCS8(privateKey, alg).catch(() => undefined)
    if (key === undefined) continue
    const seconds = Math.floor(now / 1000)
    return new SignJWT()
      .setProtectedHeader({ alg, typ: 'JWT', ...(keyId !== undefined && { kid: keyId }) })
      .setIssuer(id)
      .setSubject(id)
      .setAudience(authority.issuer)
      .setJti(randomUUID())
      .setIssuedAt(seconds)
      .setExpirationTime(seconds + 60)
      .sign(key)
  }
  return trouble('It takes no signature that the private key can make, or the key is no PEM of PKCS #8.')
}

/** What goes into a header (RFC 6750, 2.1), and not more than a header may have. */
const tokenShape = /^[\x21-\x7e]{1,8000}$/
const longestToken = 16_384
const longestLifeSeconds = 10 * 365 * 86_400

function tokensOf(body: JsonObject, { now, expected }: { now: number; expected: Expected }): Tokens {
  const { access_token: access, refresh_token: refresh, token_type: type, scope } = body
  if (typeof access !== 'string' || !tokenShape.test(access))
    return trouble('Its token endpoint gave no access token that could be sent.')
  // N_A is what a token exchange says of what is no access token, and nothing else can be sent to another as an assertion.
  const wanted = expected === 'bearer' ? /^bearer$/i : /^n_a$/i
  if (typeof type !== 'string' || !wanted.test(type))
    return trouble('Its token endpoint gave a token of a type that the gateway cannot use.')
  if (refresh !== undefined && refresh !== null && !isToken(refresh))
    return trouble('Its token endpoint gave a refresh token that could not be sent.')
  if (scope !== undefined && scope !== null && typeof scope !== 'string')
    return trouble('Its token endpoint gave scopes that are no text.')
  return {
    access,
    refresh: isToken(refresh) ? refresh : undefined,
    expiresAt: expiryOf(body.expires_in, now),
    scopes: typeof scope === 'string' ? scopesOf(scope) : undefined,
    account: accountOf(body.id_token),
    issuedType: typeof body.issued_token_type === 'string' ? body.issued_token_type : undefined,
  }
}

function isToken(value: unknown): value is string {
  return typeof value === 'string' && value.length <= longestToken && /^[\x21-\x7e]+$/.test(value)
}

/** Some write the number as text. */
function expiryOf(seconds: unknown, now: number): number | null {
  // Some say 0 for what they do not say.
  if (seconds === undefined || seconds === null || seconds === 0 || seconds === '0') return null
  const lasts = typeof seconds === 'string' && /^\d{1,10}$/.test(seconds) ? Number(seconds) : seconds
  if (typeof lasts !== 'number' || !Number.isFinite(lasts) || lasts < 0)
    return trouble('Its token endpoint gave a lifetime that is no number of seconds.')
  return now + Math.min(lasts, longestLifeSeconds) * 1000
}

/** The ID token came from the token endpoint itself, and is only ever shown (OpenID Connect Core, 3.1.3.7). */
function accountOf(idToken: unknown): string | undefined {
  const payload = typeof idToken === 'string' ? idToken.split('.')[1] : undefined
  if (payload === undefined || payload.length > longestToken) return undefined
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString())
    if (!isObject(claims)) return undefined
    const { email, preferred_username: name, sub } = claims
    const shown = [email, name, sub].find(each => typeof each === 'string' && /^[^\p{C}]{1,200}$/u.test(each))
    return typeof shown === 'string' ? shown : undefined
  } catch {
    return undefined
  }
}
