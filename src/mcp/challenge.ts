/** What a client is told that has to bring another token (RFC 6750, RFC 9449, RFC 9728; MCP 2026-07-28, basic/authorization). */
import type { IncomingMessage } from 'node:http'
import type { Addresses } from '../foundation/addresses.ts'
import type { GatewayError } from '../foundation/errors.ts'
import { mcpAddressOf, resourceMetadataUrl } from '../foundation/mcp-address.ts'
import { proofAlgorithms } from '../identity/index.ts'

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
  const isProving = isAboutProof(error) || /^dpop /i.test(headers.authorization ?? '')
  return [
    `${isProving ? 'DPoP' : 'Bearer'} resource_metadata="${metadata}"`,
    `scope="${Array.isArray(scopes) ? scopes.join(' ') : 'mcp:use'}"`,
    ...(isProving ? [`algs="${proofAlgorithms.join(' ')}"`] : []),
    ...troubleOf(error, headers.authorization !== undefined),
  ].join(', ')
}

/** The nonce that the next proof must have (RFC 9449, 9). */
export function nonceHeader({ data }: GatewayError): Readonly<Record<string, string>> {
  return typeof data?.nonce === 'string' ? { 'dpop-nonce': data.nonce } : {}
}

const isAboutProof = ({ code }: GatewayError) =>
  code === 'identity.bad_proof' || code === 'identity.nonce_wanted'

function troubleOf(error: GatewayError, wasSent: boolean): string[] {
  if (error.status === 401 && !wasSent) return []
  const why = error.why.replace(/[^\x20-\x7e]|["\\]/g, ' ')
  return [`error="${nameOf(error)}"`, `error_description="${why}"`]
}

function nameOf({ status, code }: GatewayError): string {
  if (code === 'identity.bad_proof') return 'invalid_dpop_proof'
  if (code === 'identity.nonce_wanted') return 'use_dpop_nonce'
  return status === 401 ? 'invalid_token' : 'insufficient_scope'
}
