/** A token in exchange for another (RFC 8693): of a workload, or narrower than what is brought. */
import type { Known } from '../../identity/index.ts'
import type { Resource } from '../resources.ts'
import {
  type Asked,
  type Grant,
  type GrantParts,
  type Params,
  textOf,
  wantedResource,
  wantedScopes,
} from './grant-parts.ts'
import { issueForMachine, issueForPerson } from './issue.ts'
import { workload } from './jwt-bearer.ts'
import { tokenTypes } from './names.ts'
import { narrowed } from './narrowed.ts'

export const tokenExchange: Grant = async (parts, asked) => {
  const { client, params } = asked.ctx.oidc
  const subject = checkedSubject(parts, params)
  const isProven = client.tokenEndpointAuthMethod !== 'none'
  return isProven
    ? narrow(parts, asked, subject)
    : workload(parts, asked, { assertion: subject, isExchanged: true })
}

/** What is brought, once the rest of the request is one that is understood here. */
function checkedSubject({ errors, addresses }: GrantParts, params: Params): string {
  const { InvalidRequest, InvalidTarget } = errors
  const subject = textOf(params, 'subject_token')
  if (subject === undefined) throw new InvalidRequest('missing required parameter(s) subject_token')
  const type = textOf(params, 'subject_token_type')
  if (type !== tokenTypes.accessToken && type !== tokenTypes.jwt)
    throw new InvalidRequest('subject_token_type is that of an access token or a JWT')
  if (params.actor_token !== undefined || params.actor_token_type !== undefined)
    throw new InvalidRequest('the client is who acts: there is no actor_token here')
  const wanted = textOf(params, 'requested_token_type')
  if (wanted !== undefined && wanted !== tokenTypes.accessToken)
    throw new InvalidRequest('requested_token_type is that of an access token')
  const audience = textOf(params, 'audience')
  if (audience !== undefined && audience !== addresses.origin())
    throw new InvalidTarget('name the MCP address in resource; the audience is this gateway')
  return subject
}

/** For a client that proved who it is: a token for one resource out of one that is good there. */
async function narrow(parts: GrantParts, asked: Asked, subject: string): Promise<void> {
  const { client, params } = asked.ctx.oidc
  const proof = await parts.helpers.validateDpop(asked.provider, asked.ctx)
  const resource = wantedResource(parts, textOf(params, 'resource'))
  const known = await knownAt(parts, { subject, key: proof?.thumbprint, resource })
  const { principal, expiresAt: until, ground } = known
  const wanted = wantedScopes(parts, params, resource)
  const scopes = narrowed(parts, { wanted, held: principal.scopes, resource })
  const act = { sub: client.clientId, ...(known.act === undefined ? {} : { act: known.act }) }
  const isBound = known.boundTo !== undefined
  const more = { resource, scopes, ground, until, act, isExchanged: true, isBound }
  if (principal.kind === 'account') return issueForMachine(parts, asked, { machine: principal, ...more })
  await issueForPerson(parts, asked, { person: { userId: principal.id, name: principal.name }, ...more })
}

type Bringing = { readonly subject: string; readonly key: string | undefined; readonly resource: Resource }
type Hanging = Known & { readonly ground: NonNullable<Known['ground']> }

/** The token as it is known here, good at the resource by itself. What is for anything else gives nothing (RFC 8693, 2.2.2). */
async function knownAt(
  { store, errors, addresses }: GrantParts,
  { subject, key, resource }: Bringing,
): Promise<Hanging> {
  const { InvalidRequest } = errors
  // A token that is bound to no key may be exchanged for one that is.
  const plain = await store.machines.token(subject, undefined)
  const known = 'rejected' in plain && key !== undefined ? await store.machines.token(subject, key) : plain
  if ('rejected' in known) {
    if (known.rejected === 'identity.unavailable') throw new errors.TemporarilyUnavailable(known.why)
    throw new InvalidRequest('the subject token is not good here', 400, known.why)
  }
  const path = new URL(resource.url).pathname
  const isThere = path !== '/' && known.admits?.(path) !== false
  if (!isThere || known.ground === undefined)
    throw new InvalidRequest(
      'the subject token is not for the resource',
      400,
      `it is not good at ${resource.url} of ${addresses.origin()}`,
    )
  return { ...known, ground: known.ground }
}
