/** A person's way to the authorization server of an upstream and back (RFC 6749, 4.1; RFC 7636; RFC 9207). */
import { createHash, randomBytes } from 'node:crypto'
import { z } from 'zod'
import { fail } from '../../foundation/errors.ts'
import type { Flows } from '../../identity/index.ts'
import type { Upstream } from '../../upstreams/index.ts'
import { trouble } from '../oauth/ask.ts'
import { type Client, isUnknownClient, RefusedGrant } from '../oauth/client.ts'
import type { Authority } from '../oauth/discover.ts'
import { type OAuth, targetOf } from '../oauth/open.ts'
import type { OAuthSettings } from '../oauth/settings.ts'
import type { Tokens } from '../oauth/token-request.ts'

const kind = 'connect at an upstream'
const goodSeconds = 10 * 60

const underWay = z.object({
  serverId: z.string(),
  serverVersion: z.number(),
  /** Whose account it will be. */
  owner: z.string(),
  /** Who must come back: the person, in the browser that left. */
  personId: z.string(),
  mark: z.string(),
  issuer: z.string(),
  clientId: z.string(),
  verifier: z.string(),
  redirectUri: z.string(),
  scopes: z.array(z.string()),
  onTo: z.string(),
})

export type UnderWay = z.infer<typeof underWay>

export type FlowParts = { readonly flows: Flows; readonly oauth: OAuth; redirectUri(): string }

export type Leaving = {
  readonly upstream: Upstream
  readonly settings: OAuthSettings
  readonly owner: string
  readonly personId: string
  readonly mark: string
  /** Wider than configured, where a call needs it. */
  readonly scopes: readonly string[] | undefined
  /** The path of ours it goes on to. */
  readonly onTo: string
}

/** Where the browser goes. Throws `vault.provider_trouble`. */
export async function leave(parts: FlowParts, leaving: Leaving): Promise<string> {
  const { upstream, settings } = leaving
  const { authority, client, scopes } = await wayTo(parts, leaving)
  const { authorizationEndpoint } = authority
  if (authorizationEndpoint === undefined)
    return trouble('Its authorization server has no authorization endpoint.')
  const verifier = randomBytes(32).toString('base64url')
  const redirectUri = parts.redirectUri()
  const state = await parts.flows.begin(
    kind,
    {
      serverId: upstream.id,
      serverVersion: upstream.version,
      owner: leaving.owner,
      personId: leaving.personId,
      mark: leaving.mark,
      issuer: authority.issuer,
      clientId: client.id,
      verifier,
      redirectUri,
      scopes: [...scopes],
      onTo: leaving.onTo,
    } satisfies UnderWay,
    { seconds: goodSeconds },
  )
  const url = new URL(authorizationEndpoint)
  const parameters = {
    ...settings.authorizationParameters,
    response_type: 'code',
    client_id: client.id,
    redirect_uri: redirectUri,
    state,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...(scopes.length > 0 && { scope: scopes.join(' ') }),
    ...(authority.resource !== undefined && { resource: authority.resource }),
  }
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  return url.href
}

export type Way = {
  readonly authority: Authority
  readonly client: Client
  readonly scopes: readonly string[]
}

/** What is asked for, at whom and as whom. */
export async function wayTo(
  { oauth }: Pick<FlowParts, 'oauth'>,
  { upstream, settings, scopes: wider }: Pick<Leaving, 'upstream' | 'settings' | 'scopes'>,
): Promise<Way> {
  const authority = await oauth.authority(upstream, settings)
  const client = await oauth.client(upstream, settings, authority)
  const wanted = [...new Set([...authority.scopes, ...(wider ?? [])])]
  // Without it some give no refresh token; where it is not known, asking for it is an error (OpenID Connect Core, 11).
  const lasting = authority.scopesSupported.includes('offline_access') && !wanted.includes('offline_access')
  return { authority, client, scopes: lasting ? [...wanted, 'offline_access'] : wanted }
}

export type Returning = {
  readonly mark: string
  readonly personId: string
  readonly query: ReadonlyMap<string, string>
}

/**
 * What this browser left with, once: whoever comes with another browser or as another person changes nothing. Throws
 * `identity.flow_over`, `identity.other_browser` and `vault.connect_refused`.
 */
export async function takeFlow(
  { flows }: FlowParts,
  { mark, personId, query }: Returning,
): Promise<UnderWay> {
  const state = query.get('state') ?? ''
  const seen = await flows.peek(kind, state, underWay)
  if (seen !== undefined && seen.mark !== mark) fail('identity.other_browser')
  if (seen !== undefined && seen.personId !== personId)
    fail('vault.connect_refused', { why: 'You are signed in as somebody else than the person who began.' })
  return (await flows.take(kind, state, underWay)) ?? fail('identity.flow_over')
}

export type Came = { readonly tokens: Tokens; readonly authority: Authority; readonly clientId: string }

/** Exchanges the code. Throws `vault.connect_refused` and `vault.provider_trouble`, without a word of the other side's. */
export async function comeBack(
  { oauth }: FlowParts,
  flow: UnderWay,
  {
    upstream,
    settings,
    query,
  }: { upstream: Upstream; settings: OAuthSettings; query: ReadonlyMap<string, string> },
): Promise<Came> {
  const authority = await oauth.authority(upstream, settings)
  checkSender(flow, authority, query)
  const error = query.get('error')
  if (error !== undefined)
    fail('vault.connect_refused', {
      why: whyRefused(error),
      fix: 'Open the link again, if you want to connect after all.',
    })
  const code = query.get('code') ?? ''
  if (!/^[\x20-\x7e]{1,4096}$/.test(code)) trouble('Its authorization server sent no code.')
  const client = await oauth.client(upstream, settings, authority)
  if (client.id !== flow.clientId) fail('identity.flow_over')
  const parameters = {
    grant_type: 'authorization_code',
    code,
    redirect_uri: flow.redirectUri,
    code_verifier: flow.verifier,
  }
  try {
    const tokens = await oauth.tokens({ target: targetOf(upstream, settings), authority, client }, parameters)
    return { tokens, authority, clientId: client.id }
  } catch (error) {
    if (isUnknownClient(error)) await oauth.forget(upstream, authority, client)
    if (error instanceof RefusedGrant)
      fail('vault.connect_refused', {
        why: `Its authorization server does not take the code (${error.reason}).`,
        fix: 'Begin anew with the link.',
      })
    throw error
  }
}

/** Letter by letter, of errors too, and before anything is sent anywhere (RFC 9207, 2.4; MCP, "Authorization Server Mix-Up"). */
function checkSender(flow: UnderWay, authority: Authority, query: ReadonlyMap<string, string>): void {
  const issuer = query.get('iss')
  if (authority.issuer !== flow.issuer) fail('identity.flow_over')
  if (issuer === flow.issuer || (issuer === undefined && !authority.saysIssuer)) return
  fail('vault.connect_refused', {
    why: 'The answer does not come from the authorization server that was asked.',
  })
}

const reasons: Readonly<Record<string, string>> = {
  access_denied: 'You, or the authorization server, did not allow it.',
  invalid_scope:
    'Its authorization server does not know the scopes that were asked for; a manager of the group can set others.',
  temporarily_unavailable: 'Its authorization server is not available at the moment.',
  server_error: 'Its authorization server has a problem of its own.',
}

function whyRefused(error: string): string {
  return Object.hasOwn(reasons, error)
    ? (reasons[error] ?? '')
    : 'Its authorization server refused the request of the gateway.'
}
