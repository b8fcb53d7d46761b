/** The error of a caller who has to connect an account first. Whoever shows it to them adds the link. */
import { GatewayError } from '../../foundation/errors.ts'
import type { Upstream } from '../../upstreams/index.ts'
import type { Challenge } from '../oauth/challenge.ts'
import type { Credential, Trouble } from './credential.ts'

/** session: they have to sign in at their identity provider. none: there is none. moved: it is for another address or issuer than the server has now. scopes: it allows too little. */
export type Reason = Trouble | 'none' | 'moved' | 'scopes' | 'session'

const whys: Readonly<Record<Reason, string>> = {
  none: 'No account is connected.',
  moved: 'The server, or its authorization server, is not the one that the account was connected at.',
  scopes: 'The connected account allows less than this needs.',
  refused:
    'The authorization server does not renew the connection any more: it was ended there, or has expired.',
  rejected: 'The server does not accept the connection any more.',
  session: 'Nothing usable is left of your sign-in at the identity provider: sign in there again.',
  'sign-in':
    'The authorization server gives nothing for your present sign-in at the identity provider: sign in there again.',
  client: 'The gateway itself is not known at the authorization server any more.',
}

export function whyNeeded(reason: Reason): string {
  return whys[reason]
}

/** `data` says what a link has to lead to. */
export function connectNeeded(
  { group, name }: Pick<Upstream, 'group' | 'name'>,
  reason: Reason,
  scopes: readonly string[] = [],
): GatewayError {
  const server = `${group}/${name}`
  return new GatewayError('vault.connect_needed', {
    why: `${whys[reason]} It is about ${server}.`,
    data: { server, reason, ...(scopes.length > 0 && { scopes }) },
  })
}

/** The same where nobody can connect with a browser. */
export function gatewayRefused(
  { group, name }: Pick<Upstream, 'group' | 'name'>,
  reason: string,
): GatewayError {
  return new GatewayError('upstream.unauthorized', {
    why: `Its authorization server refuses the gateway (${reason}).`,
    fix: `Ask a manager of the group ${group} to correct the authentication of ${group}/${name}.`,
  })
}

/** The server wants more than the account was allowed. */
export function widerNeeded(upstream: Upstream, { scopes }: Credential, challenge: Challenge): GatewayError {
  const wanted = challenge.scopes ?? []
  // What it has already does not help when it is given again.
  if (wanted.length === 0 || wanted.every(scope => scopes.includes(scope))) return notAllowed()
  return connectNeeded(upstream, 'scopes', [...new Set([...scopes, ...wanted])])
}

export function notAccepted(): GatewayError {
  return new GatewayError('upstream.unauthorized', {
    why: 'It refuses a token that its authorization server has just given.',
    fix: 'Ask a manager of the group: the server, or what its tokens are asked for, may be set up wrongly.',
  })
}

export function notAllowed(): GatewayError {
  return new GatewayError('upstream.unauthorized', {
    why: 'The connected account may not do this there.',
    fix: 'Use an account that may, or ask whoever looks after it there.',
  })
}
