/** The error of a caller who has to connect an account first. Whoever shows it to them adds the link. */
import { GatewayError } from '../../foundation/errors.ts'
import type { Upstream } from '../../upstreams/index.ts'
import type { Trouble } from './credential.ts'

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
