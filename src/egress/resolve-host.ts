import { lookup } from 'node:dns/promises'
import { ipLiteral, mayConnect, type PrivateNetwork } from '../foundation/egress.ts'
import { fail, GatewayError } from '../foundation/errors.ts'
import { proxyFor } from './way-out.ts'

// Not EAI_AGAIN: whose name servers hang does not decide who looks.
const unresolved = ['ENOTFOUND', 'ENODATA']

export function refusedAddress(host: string): GatewayError {
  return new GatewayError('upstream.address_refused', {
    why: `${host} is, or resolves to, an address that is not public.`,
  })
}

/**
 * The addresses of a host, all of which may be reached. None where the name does not resolve here and a proxy is on the way: it is
 * the proxy's to resolve, and to refuse. Throws `upstream.address_refused` and `upstream.unreachable`.
 */
export async function resolveHost(hostname: string, allowed: PrivateNetwork): Promise<readonly string[]> {
  const literal = ipLiteral(hostname)
  const addresses = literal === undefined ? await lookUp(hostname) : [literal]
  if (addresses.every(address => mayConnect(address, allowed, hostname))) return addresses
  throw refusedAddress(hostname)
}

async function lookUp(hostname: string): Promise<readonly string[]> {
  try {
    return (await lookup(hostname, { all: true })).map(({ address }) => address)
  } catch (cause) {
    const isUnknown = cause instanceof Error && 'code' in cause && unresolved.includes(String(cause.code))
    if (isUnknown && proxyFor(hostname) !== undefined) return []
    return fail('upstream.unreachable', {
      why: `The host name ${hostname} does not resolve.`,
      fix: 'Check the URL for a typo.',
      noEffect: true,
      cause,
    })
  }
}
