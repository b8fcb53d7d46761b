/** The grants by which machines get tokens, registered with the library. */
import type { Provider } from 'oidc-provider'
import { clientCredentials } from './client-credentials.ts'
import type { Grant, GrantParts, Params } from './grant-parts.ts'
import { jwtBearer } from './jwt-bearer.ts'
import { grants } from './names.ts'
import { tokenExchange } from './token-exchange.ts'

const exchanged = [
  'subject_token',
  'subject_token_type',
  'actor_token',
  'actor_token_type',
  'requested_token_type',
  'audience',
]

const rows: readonly (readonly [string, Grant, readonly string[]])[] = [
  [grants.clientCredentials, clientCredentials, []],
  [grants.jwtBearer, jwtBearer, ['assertion']],
  [grants.tokenExchange, tokenExchange, exchanged],
]

export function registerGrants(parts: GrantParts, provider: Provider): void {
  for (const [name, grant, params] of rows)
    provider.registerGrantType<Params>(name, ctx => grant(parts, { provider, ctx }), [
      'resource',
      'scope',
      ...params,
    ])
}
