/** Metadata of protected resources (RFC 9728). It is the same for every address that a server could have, so it tells nothing of which exist. */
import type { Addresses } from '../foundation/addresses.ts'
import { describedResource, mcpAddressOf } from '../foundation/mcp-address.ts'
import { proofAlgorithms } from '../identity/index.ts'
import { scopesSupported } from './scopes.ts'

/** Undefined for an address that no server can have. */
export function protectedResource(addresses: Addresses, path: string, host: string | undefined) {
  const resource = describedResource(path)
  const address = resource === undefined ? undefined : mcpAddressOf(resource)
  if (resource === undefined || address === undefined) return undefined
  const { server } = address
  return {
    resource: addresses.originOf(host) + resource,
    authorization_servers: [addresses.origin()],
    scopes_supported: scopesSupported,
    bearer_methods_supported: ['header'],
    dpop_signing_alg_values_supported: proofAlgorithms,
    resource_name: server === undefined ? 'Gatehouse' : `${server.group}/${server.name} (Gatehouse)`,
  }
}
