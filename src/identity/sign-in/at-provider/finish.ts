/** Back from an identity provider: what came is held against what was asked, and then it is known who they are there. */
import {
  authorizationCodeGrant,
  type Configuration,
  fetchUserInfo,
  type IDToken,
  type TokenEndpointResponse,
} from 'openid-client'
import type { z } from 'zod'
import { fail, GatewayError } from '../../../foundation/errors.ts'
import { isObject, type JsonObject } from '../../../foundation/json.ts'
import type { Given } from '../../provider-tokens/kept.ts'
import type { IdentityProvider } from '../../providers/provider.ts'
import type { SignInRoom } from '../enter.ts'
import { flowKind, underWay } from './begin.ts'
import { trouble } from './client.ts'

export type Returning = {
  readonly mark: string
  /** Everything the provider sent along. */
  readonly query: ReadonlyMap<string, string>
}

export type UnderWay = z.infer<typeof underWay>

const toleranceMilliseconds = 30_000

/** What this browser began. Throws `identity.flow_over` or `identity.other_browser`, whose flow stays where it is. */
export async function taken({ flows }: SignInRoom, { mark, query }: Returning): Promise<UnderWay> {
  const state = query.get('state') ?? ''
  const seen = await flows.peek(flowKind, state, underWay)
  if (seen !== undefined && seen.mark !== mark) fail('identity.other_browser')
  return (await flows.take(flowKind, state, underWay)) ?? fail('identity.flow_over')
}

export type Shown = {
  readonly claims: JsonObject
  /** `sid` of the provider. */
  readonly session: string | undefined
  /** When they signed in there, as far as it says. */
  readonly authenticatedAt: number
  readonly idToken: string | undefined
  /** Everything they gave. */
  readonly given: Given
}

/** Throws `identity.sign_in_refused` or `identity.provider_trouble`, without a word of the provider's. */
export async function exchange(
  flow: UnderWay,
  { query }: Returning,
  { provider, client, now }: { provider: IdentityProvider; client: Configuration; now: number },
): Promise<Shown> {
  checkSender(provider, client, query)
  const refused = query.get('error')
  if (refused !== undefined) fail('identity.sign_in_refused', { why: whyRefused(provider, refused) })
  const url = new URL(`${flow.redirectUri}?${new URLSearchParams([...query])}`)
  const tokens = await asked(provider, () =>
    authorizationCodeGrant(client, url, {
      expectedState: query.get('state') ?? '',
      expectedNonce: flow.nonce,
      pkceCodeVerifier: flow.verifier,
      idTokenExpected: true,
    }),
  )
  const token = tokens.claims() ?? trouble(provider, 'There is no ID token.')
  const authenticatedAt = checkedTime(flow, provider, token)
  const claims = await withUserInfo(provider, client, { token, accessToken: tokens.access_token })
  return {
    claims,
    session: typeof token.sid === 'string' ? token.sid.slice(0, 255) : undefined,
    authenticatedAt,
    idToken: tokens.id_token,
    given: givenBy(tokens, token, now),
  }
}

/** What came of a request for tokens, with when it ends. */
export function givenBy(
  tokens: TokenEndpointResponse,
  { sub, exp }: Pick<IDToken, 'sub' | 'exp'>,
  now: number,
): Given {
  const { id_token: id, access_token: access, refresh_token: refresh, expires_in: seconds } = tokens
  return {
    subject: sub,
    id,
    idUntil: exp * 1000,
    access,
    // Where nobody says when it ends, an hour is usual.
    accessUntil: now + (seconds ?? 3600) * 1000,
    refresh,
  }
}

/** RFC 9207: letter by letter, of errors too, and before anything is sent anywhere. */
function checkSender(
  provider: IdentityProvider,
  client: Configuration,
  query: ReadonlyMap<string, string>,
): void {
  const issuer = query.get('iss')
  const mustSay = client.serverMetadata().authorization_response_iss_parameter_supported === true
  if (issuer === provider.issuer || (issuer === undefined && !mustSay)) return
  fail('identity.sign_in_refused', { why: `The answer does not come from ${provider.title}.` })
}

/** `auth_time` says when; without it nobody knows, so it was not now. */
function checkedTime({ isAgain, begunAt }: UnderWay, { title }: IdentityProvider, token: IDToken): number {
  const at = typeof token.auth_time === 'number' ? token.auth_time * 1000 : 0
  if (isAgain && at < begunAt - toleranceMilliseconds)
    fail('identity.sign_in_refused', { why: `${title} does not say that you have just signed in there.` })
  return at
}

/** Some providers keep what they know of a person out of the ID token. */
async function withUserInfo(
  provider: IdentityProvider,
  client: Configuration,
  { token, accessToken }: { token: IDToken; accessToken: string },
): Promise<JsonObject> {
  const own: JsonObject = { ...token }
  const isThere = client.serverMetadata().userinfo_endpoint !== undefined
  if (own[provider.claims.email] !== undefined || !isThere) return own
  const more: unknown = await asked(provider, () => fetchUserInfo(client, accessToken, token.sub))
  return isObject(more) ? { ...more, ...own } : own
}

const reasons: Readonly<Record<string, string>> = {
  access_denied: 'says no: you went back, or may not use this application.',
  login_required: 'wants you to sign in there first.',
  consent_required: 'wants you to agree there first.',
  interaction_required: 'wants something of you there first.',
  temporarily_unavailable: 'is not available at the moment.',
  server_error: 'has a problem of its own.',
}

function whyRefused({ title }: IdentityProvider, error: string): string {
  const known = Object.hasOwn(reasons, error) ? reasons[error] : undefined
  return `${title} ${known ?? 'refused the sign-in; its settings for this application may be wrong.'}`
}

export async function asked<T>(provider: IdentityProvider, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof GatewayError) throw error
    // Only what the library calls it: the rest has words of the provider.
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    return trouble(provider, `${error instanceof Error ? error.name : 'Something'} ${code}`)
  }
}
