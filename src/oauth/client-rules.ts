/** What a client may say of itself, wherever its metadata comes from: an admin, a registration, a document at its URL. */
import type { ClientMetadata } from 'oidc-provider'
import { isLocalRedirect, mostRedirects, wrongWithRedirect } from '../foundation/redirect-uri.ts'
import { accountOfClient } from '../identity/index.ts'
import { grants } from './grants/names.ts'

export type ClientKind = 'company' | 'itself' | 'document'

/** Who says what the client is shows in the form of its id: URLs are documents, `dcr_...` registered themselves, names are the company's. */
export function kindOf(clientId: string): ClientKind {
  if (clientId.startsWith('https://')) return 'document'
  return clientId.startsWith('dcr_') ? 'itself' : 'company'
}

export type Complaint = { readonly isRedirect: boolean; readonly what: string }

/** Holds the metadata to the rules and completes it; what is wrong with it, or undefined. */
export function completeClient(metadata: ClientMetadata): Complaint | undefined {
  // Virtual accounts are described by us.
  if (accountOfClient(String(metadata.client_id)) !== undefined) return undefined
  const uris: unknown = metadata.redirect_uris
  if (!Array.isArray(uris) || uris.length === 0 || uris.length > mostRedirects)
    return { isRedirect: true, what: `redirect_uris has 1 to ${mostRedirects} members` }
  for (const uri of uris) {
    const why = wrongWithRedirect(uri)
    if (why !== undefined) return { isRedirect: true, what: `a redirect URI ${why}` }
  }
  const asked: unknown = metadata.grant_types
  if (Array.isArray(asked) && !asked.includes('authorization_code'))
    return { isRedirect: false, what: 'grant_types must have authorization_code' }
  Object.assign(metadata, {
    grant_types: ['authorization_code', 'refresh_token', ...grantsOfProven(metadata)],
    response_types: ['code'],
    response_modes: ['query'],
    // Decides whether a loopback redirect may have any port (RFC 8252, 7.3).
    application_type: uris.some(isLocalRedirect) ? 'native' : 'web',
    scope: undefined,
    sector_identifier_uri: undefined,
    subject_type: 'public',
    default_acr_values: undefined,
    default_max_age: undefined,
    require_auth_time: undefined,
  })
  return undefined
}

/** Whoever proves to be the client may bring what others gave it. */
function grantsOfProven({ token_endpoint_auth_method: method }: ClientMetadata): readonly string[] {
  return method === 'none' ? [] : [grants.jwtBearer, grants.tokenExchange]
}

const longestAssertionSeconds = 3600

/** What is wrong with the assertion of a client, besides what the library looks at. One for several audiences could be brought by any of them. */
export function wrongWithAssertion(claims: Readonly<Record<string, unknown>>): string | undefined {
  const { aud, exp } = claims
  if (Array.isArray(aud) && aud.length !== 1) return 'the assertion of a client is for one audience'
  const isShort = typeof exp === 'number' && exp - Date.now() / 1000 <= longestAssertionSeconds
  return isShort ? undefined : 'the assertion of a client is good for an hour at most'
}
