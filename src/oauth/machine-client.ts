/** Virtual accounts as the library sees clients. */
import { randomBytes } from 'node:crypto'
import type { AdapterPayload } from 'oidc-provider'
import type { OAuthStore } from '../identity/index.ts'
import { grants } from './grants/names.ts'
import { visit } from './visit.ts'

/** Never compared with anything: secrets of accounts are known by their hashes only. */
const unsaid = randomBytes(32).toString('base64url')

/**
 * As whichever kind of client the request makes it: an account may have secrets and keys, and workloads bring neither. One that is not
 * there looks like one that has neither.
 */
export async function machineClient(
  { machines }: Pick<OAuthStore, 'machines'>,
  clientId: string,
): Promise<AdapterPayload> {
  const how = visit().about.authentication?.() ?? 'none'
  const machine = await machines.find(clientId)
  const { keys, keysUrl, dpop } = machine?.credentials ?? {}
  const common = {
    client_id: clientId,
    client_name: clientId,
    redirect_uris: [],
    response_types: [],
    dpop_bound_access_tokens: dpop === 'required',
  }
  if (how === 'none')
    return {
      ...common,
      token_endpoint_auth_method: 'none',
      grant_types: [grants.jwtBearer, grants.tokenExchange],
    }
  const grant_types = [grants.clientCredentials, grants.tokenExchange, grants.jwtBearer]
  if (how === 'key' && (keys !== undefined || keysUrl !== undefined)) {
    const known = keys === undefined ? { jwks_uri: keysUrl } : { jwks: { keys } }
    return { ...common, ...known, token_endpoint_auth_method: 'private_key_jwt', grant_types }
  }
  return { ...common, client_secret: unsaid, token_endpoint_auth_method: 'client_secret_basic', grant_types }
}
