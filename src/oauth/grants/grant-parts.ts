/** What the grants of machines have in common: the library they answer through, and what is asked of every one. */
import type { errors, Provider, TokenEndpointGrantContext } from 'oidc-provider'
import type * as helpers from 'oidc-provider/lib/helpers/grants.js'
import type { Clock } from '../../foundation/clock.ts'
import type { OAuthStore, Rejection } from '../../identity/index.ts'
import { type Resource, type ResourceParts, resourceOf } from '../resources.ts'
import { knownScopes } from '../scopes.ts'

export type GrantParts = ResourceParts & {
  readonly store: OAuthStore
  readonly clock: Clock
  readonly settings: { readonly accessTokenSeconds: number }
  readonly errors: typeof errors
  readonly helpers: Pick<typeof helpers, 'validateDpop' | 'checkDpopReplay'>
}

export type Params = Readonly<Record<string, unknown>>
export type Context = TokenEndpointGrantContext<Params>

/** One request at the token endpoint. */
export type Asked = { readonly provider: Provider; readonly ctx: Context }
export type Grant = (parts: GrantParts, asked: Asked) => Promise<void>

export function textOf(params: Params, name: string): string | undefined {
  const value = params[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** The MCP address that is asked for. A machine always says which. */
export function wantedResource(parts: GrantParts, indicator: string | undefined): Resource {
  const { InvalidTarget } = parts.errors
  if (indicator === undefined)
    throw new InvalidTarget('name the MCP address that the token is for in resource')
  const resource = resourceOf(parts, indicator)
  if (resource === undefined) throw new InvalidTarget('the resource is no MCP address of this gateway')
  return resource
}

/** Of the scopes that are asked for, those there are at the resource; undefined where none is asked for. */
export function wantedScopes(
  { errors: { InvalidScope } }: GrantParts,
  params: Params,
  resource: Resource,
): readonly string[] | undefined {
  const asked = (textOf(params, 'scope') ?? '').split(' ').filter(scope => scope !== '')
  if (asked.length === 0) return undefined
  const known = knownScopes(asked, resource.server === undefined)
  if (known.length === 0) throw new InvalidScope('there is no such scope here', asked.join(' '))
  return known
}

/** A refusal of the identity room as the library tells it: the caller learns that, and the audit why. */
export function refuse({ errors }: GrantParts, { rejected, why }: Rejection): never {
  if (rejected === 'identity.unavailable') throw new errors.TemporarilyUnavailable(why)
  throw new errors.InvalidGrant(why)
}
