/** Is a stored credential for the server as it is now? A server whose address changed must not be shown what was for another. */

import type { Credential } from './credential.ts'
import type { Opened } from './custody.ts'

export function fits({ upstream, stored }: Opened, { kind, resource, issuer }: Credential): boolean {
  const settings = stored.oauth
  if ((settings === undefined) !== (kind === 'values')) return false
  if (settings === undefined)
    return upstream.transport.kind === 'stdio' || isWithin(resource, upstream.transport.url)
  if (upstream.transport.kind === 'stdio') return false
  if (settings.issuer !== undefined && settings.issuer !== issuer) return false
  if (typeof settings.resource === 'string') return resource === settings.resource
  return isWithin(resource, upstream.transport.url)
}

function isWithin(resource: string | null, url: string): boolean {
  const named = resource === null ? null : URL.parse(resource)
  const own = new URL(url)
  if (named === null || named.origin !== own.origin) return false
  const prefix = named.pathname.endsWith('/') ? named.pathname : `${named.pathname}/`
  return `${own.pathname}/`.startsWith(prefix)
}
