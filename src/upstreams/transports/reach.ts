/** Reaching an address step by step, to tell a person which step fails. */
import { openSocket, proxyFor, resolveHost } from '../../egress/index.ts'
import { ipLiteral } from '../../foundation/egress.ts'
import { GatewayError } from '../../foundation/errors.ts'
import type { HttpTransport } from '../upstream.ts'

/** The addresses of the host, all of which may be reached. Throws `upstream.*`. */
export async function resolves({ url, allowPrivateNetwork }: HttpTransport): Promise<string> {
  const { hostname } = new URL(url)
  const addresses = await resolveHost(hostname, allowPrivateNetwork)
  return addresses.join(', ') || 'not here; the outgoing proxy resolves it'
}

/** Opens a TCP connection and closes it again. Throws `upstream.unreachable`. */
export function touch({ url, allowPrivateNetwork }: HttpTransport, milliseconds: number): Promise<string> {
  const { hostname, port, protocol } = new URL(url)
  const number = Number(port || (protocol === 'https:' ? 443 : 80))
  const address = { host: ipLiteral(hostname) ?? hostname, port: number, isSecure: false }
  const proxy = proxyFor(hostname)
  return new Promise((done, refused) => {
    openSocket(address, allowPrivateNetwork, milliseconds, (error, socket) => {
      socket?.destroy()
      if (error === undefined)
        done(proxy === undefined ? `port ${number} is open` : `port ${number}, through ${proxy.host}`)
      else refused(asTrouble(error, number))
    })
  })
}

function asTrouble(cause: Error, port: number): GatewayError {
  if (cause instanceof GatewayError) return cause
  return new GatewayError('upstream.unreachable', {
    why: `Port ${port} refuses connections.`,
    fix: `Start the server, or correct the port: nothing else answers at ${port}.`,
    cause,
  })
}
