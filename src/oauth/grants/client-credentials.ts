/** A virtual account asks for a token by its own secret or key (RFC 6749, 4.4; RFC 7523, 2.2). */

import { visit } from '../visit.ts'
import { decodedHeader } from './assertion-header.ts'
import { type Grant, textOf, wantedResource, wantedScopes } from './grant-parts.ts'
import { issueForMachine } from './issue.ts'

export const clientCredentials: Grant = async (parts, asked) => {
  const { client, params } = asked.ctx.oidc
  const { errors, store } = parts
  const machine = await store.machines.find(client.clientId)
  if (machine === undefined)
    throw new errors.UnauthorizedClient('only virtual accounts ask for tokens of their own')
  const assertion = textOf(params, 'client_assertion')
  const { secretId } = visit().about
  const ground =
    assertion === undefined
      ? secretId === undefined
        ? undefined
        : ({ by: 'secret', id: secretId } as const)
      : store.machines.keyGround(machine, decodedHeader(assertion).kid)
  if (ground === undefined) throw new errors.InvalidClientAuth('the account did not prove itself')
  const resource = wantedResource(parts, textOf(params, 'resource'))
  const scopes = wantedScopes(parts, params, resource) ?? ['mcp:use']
  await issueForMachine(parts, asked, { machine, resource, scopes, ground })
}
