import type { Exchange } from './exchange.ts'

/** Lets a page of an allowed origin read the answer. The origin was checked before. */
export function allowPage({ request, response }: Exchange): void {
  const { origin } = request.headers
  if (origin === undefined) return
  response.setHeader('access-control-allow-origin', origin)
  response.setHeader(
    'access-control-expose-headers',
    'DPoP-Nonce, Mcp-Session-Id, Retry-After, WWW-Authenticate, X-Request-Id',
  )
  response.setHeader('vary', 'origin')
}

/** Answers the question a browser asks before it sends what a page wants to send. It carries no credentials and reveals nothing. */
export function preflight({ request, response }: Exchange): void {
  response.writeHead(204, {
    'access-control-allow-methods': 'POST, GET, DELETE',
    'access-control-allow-headers':
      request.headers['access-control-request-headers'] ?? 'authorization, content-type',
    'access-control-max-age': '600',
  })
  response.end()
}
