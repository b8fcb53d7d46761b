import { request as httpRequest, type IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'

/** As much of fetch as our own API client and the MCP client need. */
export type Fetch = (url: string | URL, init?: RequestInit) => Promise<Response>

/** A fetch that goes to the gateway's local socket, whatever host the URL names. Bodies must be text. */
export function localFetch(socketPath: string): Fetch {
  return (url, init = {}) => {
    const { pathname, search } = new URL(url)
    return new Promise((resolve, reject) => {
      const request = httpRequest(
        {
          socketPath,
          path: pathname + search,
          method: init.method ?? 'GET',
          headers: Object.fromEntries(new Headers(init.headers)),
          ...(init.signal ? { signal: init.signal } : {}),
          agent: false,
        },
        message => resolve(asResponse(message)),
      )
      request.on('error', reject)
      request.end(typeof init.body === 'string' ? init.body : undefined)
    })
  }
}

const bodiless = [204, 205, 304]

function asResponse(message: IncomingMessage): Response {
  const headers = new Headers()
  for (const [name, values] of Object.entries(message.headersDistinct))
    for (const value of values ?? []) headers.append(name, value)
  const status = message.statusCode ?? 500
  if (bodiless.includes(status)) {
    message.resume()
    return new Response(null, { status, headers })
  }
  return new Response(Readable.toWeb(message), { status, headers })
}
