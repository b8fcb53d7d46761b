/** Reaching an address step by step, to tell a person which step fails. */
import { lookup } from 'node:dns/promises'
import { connect } from 'node:net'
import { ipLiteral, mayConnect } from '../../foundation/egress.ts'
import { fail } from '../../foundation/errors.ts'
import type { HttpTransport } from '../upstream.ts'

/** The addresses of the host, all of which may be reached. Throws `upstream.*`. */
export async function resolveHost(transport: HttpTransport): Promise<string[]> {
  const { hostname } = new URL(transport.url)
  const literal = ipLiteral(hostname)
  const addresses = literal === undefined ? await lookUp(hostname) : [literal]
  const refused = addresses.find(address => !mayConnect(address, transport.allowPrivateNetwork))
  if (refused !== undefined) {
    fail('upstream.address_refused', {
      why: `${hostname} is, or resolves to, an address that is not public.`,
    })
  }
  return addresses
}

async function lookUp(hostname: string): Promise<string[]> {
  try {
    return (await lookup(hostname, { all: true })).map(({ address }) => address)
  } catch (cause) {
    return fail('upstream.unreachable', {
      why: `The host name ${hostname} does not resolve.`,
      fix: 'Check the URL for a typo.',
      cause,
    })
  }
}

/** Opens a TCP connection and closes it again. Throws `upstream.unreachable`. */
export function touch(
  transport: HttpTransport,
  addresses: readonly string[],
  milliseconds: number,
): Promise<string> {
  const { port, protocol } = new URL(transport.url)
  const number = Number(port || (protocol === 'https:' ? 443 : 80))
  const [host = ''] = addresses
  return new Promise((done, refused) => {
    const socket = connect({ host, port: number, timeout: milliseconds })
    const stop = (why: string) => {
      socket.destroy()
      try {
        fail('upstream.unreachable', {
          why,
          fix: `Start the server, or correct the port: nothing else answers at ${number}.`,
        })
      } catch (error) {
        refused(error)
      }
    }
    socket.once('connect', () => {
      socket.destroy()
      done(`port ${number} is open`)
    })
    socket.once('timeout', () => stop(`Port ${number} did not answer in time.`))
    socket.once('error', () => stop(`Port ${number} refuses connections.`))
  })
}
