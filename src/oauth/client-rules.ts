/** What a client may say of itself, wherever its metadata comes from: an admin, a registration, a document at its URL. */
import type { ClientMetadata } from 'oidc-provider'
import { isLoopback } from '../foundation/guards.ts'

export type ClientKind = 'company' | 'itself' | 'document'

/** Who says what the client is shows in the form of its id: URLs are documents, `dcr_...` registered themselves, names are the company's. */
export function kindOf(clientId: string): ClientKind {
  if (clientId.startsWith('https://')) return 'document'
  return clientId.startsWith('dcr_') ? 'itself' : 'company'
}

const mostRedirects = 20
const longestRedirect = 2000
/** What a browser would do something else with than to start an application. */
const dangerousSchemes =
  /^(?:javascript|vbscript|data|blob|file|filesystem|about|ftp|ws|wss|mailto|tel|sms|view-source|chrome|intent|jar|ms-.*|resource):/i

/** Why a redirect URI is not taken; undefined when it is. */
export function wrongWithRedirect(uri: unknown): string | undefined {
  if (typeof uri !== 'string' || uri.length > longestRedirect) return 'is no text of at most 2000 characters'
  const url = URL.parse(uri)
  if (url === null || /[\s\\*]/.test(uri)) return 'is no absolute URI without wildcards'
  if (uri.includes('#')) return 'has a fragment'
  if (url.username !== '' || url.password !== '') return 'has a user name in it'
  if (url.protocol === 'https:') return undefined
  if (url.protocol === 'http:')
    return isLoopback(url.hostname) ? undefined : 'is http and not of this machine'
  return dangerousSchemes.test(uri) ? 'has a scheme that is no application' : undefined
}

/** Does it lead to a program on the person's own machine, of which nobody can tell which it is? */
export function isLocalRedirect(uri: string): boolean {
  return !uri.startsWith('https:')
}

export function hostOf(uri: string): string {
  const url = URL.parse(uri)
  if (url === null) return uri
  return url.protocol === 'https:' || url.protocol === 'http:' ? url.host : url.protocol
}

export type Complaint = { readonly isRedirect: boolean; readonly what: string }

/** Holds the metadata to the rules and completes it; what is wrong with it, or undefined. */
export function completeClient(metadata: ClientMetadata): Complaint | undefined {
  const uris: unknown = metadata.redirect_uris
  if (!Array.isArray(uris) || uris.length === 0 || uris.length > mostRedirects)
    return { isRedirect: true, what: `redirect_uris has 1 to ${mostRedirects} members` }
  for (const uri of uris) {
    const why = wrongWithRedirect(uri)
    if (why !== undefined) return { isRedirect: true, what: `a redirect URI ${why}` }
  }
  const grants: unknown = metadata.grant_types
  if (Array.isArray(grants) && !grants.includes('authorization_code'))
    return { isRedirect: false, what: 'grant_types must have authorization_code' }
  Object.assign(metadata, {
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
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
