import type { IncomingMessage, ServerResponse } from 'node:http'

/**
 * Tells the browser of a page whose Origin was found allowed that it may read the answer.
 * True when the request only asked whether it may come, and is answered with that.
 */
export function allowPage(request: IncomingMessage, response: ServerResponse): boolean {
  const { origin, 'access-control-request-headers': asked = '' } = request.headers
  if (origin === undefined) return false
  response.setHeader('vary', 'Origin')
  response.setHeader('access-control-allow-origin', origin)
  response.setHeader(
    'access-control-expose-headers',
    'DPoP-Nonce, Retry-After, WWW-Authenticate, X-Request-Id',
  )
  if (request.method !== 'OPTIONS' || request.headers['access-control-request-method'] === undefined)
    return false
  response.setHeader('access-control-allow-methods', 'GET, POST, PUT, PATCH, DELETE')
  response.setHeader('access-control-allow-headers', asked)
  response.setHeader('access-control-max-age', '600')
  response.writeHead(204).end()
  return true
}
