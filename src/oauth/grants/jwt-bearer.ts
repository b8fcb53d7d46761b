/** A JWT of an identity provider is what a token is asked for with (RFC 7523, 2.1): of a workload, or an ID-JAG. */
import type { Resource } from '../resources.ts'
import { visit } from '../visit.ts'
import {
  type Asked,
  type Grant,
  type GrantParts,
  type Params,
  refuse,
  textOf,
  wantedResource,
  wantedScopes,
} from './grant-parts.ts'
import { issueForMachine, issueForPerson } from './issue.ts'
import { idJagType } from './names.ts'
import { narrowed } from './narrowed.ts'

export const jwtBearer: Grant = async (parts, asked) => {
  const assertion = textOf(asked.ctx.oidc.params, 'assertion')
  if (assertion === undefined)
    throw new parts.errors.InvalidRequest('missing required parameter(s) assertion')
  const typ = await parts.store.machines.typeOf(assertion)
  return typ === idJagType ? idJag(parts, asked, assertion) : workload(parts, asked, { assertion })
}

type Brought = { readonly assertion: string; readonly isExchanged?: boolean }

/** The account is the one that the client_id names; the assertion proves that the workload may be it. */
export async function workload(
  parts: GrantParts,
  asked: Asked,
  { assertion, isExchanged = false }: Brought,
): Promise<void> {
  const { client, params } = asked.ctx.oidc
  const resource = wantedResource(parts, textOf(params, 'resource'))
  const scopes = wantedScopes(parts, params, resource) ?? ['mcp:use']
  const machine = await parts.store.machines.find(client.clientId)
  const granted = await parts.store.machines.workload(machine, assertion)
  if ('rejected' in granted) return refuse(parts, granted)
  const { who, ground, until } = granted
  await issueForMachine(parts, asked, { machine: who, resource, scopes, ground, until, isExchanged })
}

async function idJag(parts: GrantParts, asked: Asked, assertion: string): Promise<void> {
  const { errors, store } = parts
  const { client, params } = asked.ctx.oidc
  if (client.tokenEndpointAuthMethod === 'none')
    throw new errors.UnauthorizedClient('an ID-JAG is for clients that prove who they are')
  const judged = (claims: Params) => {
    const resource = namedResource(parts, params, claims)
    const held = wantedScopes(parts, { scope: claims.scope }, resource) ?? ['mcp:use']
    const wanted = wantedScopes(parts, params, resource)
    return { resource, scopes: narrowed(parts, { wanted, held, resource }) }
  }
  const { requestId } = visit()
  const by = { clientId: client.clientId, requestId, judge: (claims: Params) => void judged(claims) }
  const granted = await store.machines.idJag(assertion, by)
  if ('rejected' in granted) return refuse(parts, granted)
  const { who, ground, until, claims } = granted
  await issueForPerson(parts, asked, { person: who, ...judged(claims), ground, until })
}

/** The one that the ID-JAG is for. */
function namedResource(parts: GrantParts, params: Params, { resource: named }: Params): Resource {
  const indicator: unknown = Array.isArray(named) && named.length === 1 ? named[0] : named
  const resource = wantedResource(parts, typeof indicator === 'string' ? indicator : undefined)
  const asks = textOf(params, 'resource')
  if (asks !== undefined && asks !== resource.url)
    throw new parts.errors.InvalidTarget('the ID-JAG is for another resource')
  return resource
}
