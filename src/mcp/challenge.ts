/** What a client is told that has to bring another token (RFC 6750, RFC 9728; MCP 2026-07-28, basic/authorization). */
import type { IncomingMessage } from 'node:http'
import type { Addresses } from '../foundation/addresses.ts'
import type { GatewayError } from '../foundation/errors.ts'
import { mcpAddressOf, resourceMetadataUrl } from '../foundation/mcp-address.ts'

/** The `WWW-Authenticate` of a 401, or of a 403 for want of scopes; undefined for everything else. */
export function challengeOf(
  addresses: Addresses,
  { headers, url = '/' }: Pick<IncomingMessage, 'headers' | 'url'>,
  error: GatewayError,
): string | undefined {
  if (error.status !== 401 && error.code !== 'access.scope_missing') return undefined
  const path = url.split('?', 1)[0] ?? '/'
  const described = mcpAddressOf(path) === undefined ? '/mcp' : path
  const metadata = resourceMetadataUrl(addresses.originOf(headers.host), described)
  const scopes = error.data?.scopes
  return [
    `Bearer resource_metadata="${metadata}"`,
    `scope="${Array.isArray(scopes) ? scopes.join(' ') : 'mcp:use'}"`,
    ...troubleOf(error, headers.authorization !== undefined),
  ].join(', ')
}

function troubleOf({ status, why }: GatewayError, wasSent: boolean): string[] {
  if (status === 401 && !wasSent) return []
  const error = status === 401 ? 'invalid_token' : 'insufficient_scope'
  return [`error="${error}"`, `error_description="${why.replace(/[^\x20-\x7e]|["\\]/g, ' ')}"`]
}
