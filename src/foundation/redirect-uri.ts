/** Where an OAuth client may be answered: https, a loopback address, or a scheme of an application's own (RFC 8252). */
import { isLoopback } from './guards.ts'

export const mostRedirects = 20
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
