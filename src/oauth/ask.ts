/** From a path to the library's endpoint, as it has to see the request. */
import { fail } from '../foundation/errors.ts'
import { type ConsentParts, interact } from './consent.ts'
import type { Keeper } from './keep-provider.ts'
import { withScope } from './scopes.ts'
import { visit } from './visit.ts'

/** Where clients of 2025-03-26 look that found no metadata. */
const olderPaths: Readonly<Record<string, string>> = {
  '/authorize': '/oauth/authorize',
  '/token': '/oauth/token',
  '/register': '/oauth/register',
}
const endpoints =
  /^\/(?:oauth\/(?:authorize(?:\/[\w-]{1,64})?|token|register(?:\/[\w-]{1,64})?|revoke|introspect|jwks)|\.well-known\/(?:oauth-authorization-server|openid-configuration))$/

export async function ask(parts: ConsentParts, keeper: Keeper): Promise<void> {
  const { request, response } = visit()
  const url = new URL(request.url ?? '/', 'http://gateway')
  const path = olderPaths[url.pathname] ?? url.pathname
  const isInteraction = path.startsWith('/oauth/interaction/')
  if (!isInteraction && !endpoints.test(path)) fail('http.not_found')
  if (inBrowser(path) && isElsewhere(parts)) {
    // Cookies are for one host: the browser goes on where the issuer is.
    response.writeHead(307, { location: `${parts.addresses.origin()}${path}${url.search}` }).end()
    return
  }
  const provider = await keeper()
  request.headers['x-forwarded-proto'] = parts.addresses.isSecure() ? 'https' : 'http'
  request.headers.host = new URL(parts.addresses.origin()).host
  delete request.headers['x-forwarded-host']
  delete request.headers.forwarded
  if (isInteraction) return interact(parts, provider)
  const search = path === '/oauth/authorize' ? `?${withScope(url.searchParams)}` : url.search
  request.url = path + search
  await provider.callback()(request, response)
}

const inBrowser = (path: string) => /^\/oauth\/(?:authorize|interaction)/.test(path)

function isElsewhere({ addresses }: ConsentParts): boolean {
  const { request } = visit()
  const own = new URL(addresses.origin()).host
  // Behind a proxy the Host may be the proxy's; then the browser is where it should be.
  return addresses.originOf(request.headers.host) !== addresses.origin() && request.headers.host !== own
}
