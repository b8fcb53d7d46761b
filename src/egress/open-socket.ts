/** Opens sockets to other machines: where the egress rule allows, and nowhere else. */
import { lookup as resolve } from 'node:dns'
import { connect as connectPlain, type LookupFunction, type Socket } from 'node:net'
import { connect as connectSecure } from 'node:tls'
import { ipLiteral, mayConnect, type PrivateNetwork } from '../foundation/egress.ts'
import { GatewayError } from '../foundation/errors.ts'
import { ready } from './ready.ts'
import { refusedAddress, resolveHost } from './resolve-host.ts'
import { openTunnel } from './tunnel.ts'
import { proxyFor } from './way-out.ts'

export type Address = { readonly host: string; readonly port: number; readonly isSecure: boolean }

function guardedLookup(allowed: PrivateNetwork): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, '', 0)
      const [first] = addresses
      if (!first || !addresses.every(found => mayConnect(found.address, allowed, hostname))) {
        return callback(refusedAddress(hostname), '', 0)
      }
      return options.all ? callback(null, addresses) : callback(null, first.address, first.family)
    })
  }
}

export type Opened = (error: Error | undefined, socket: Socket | undefined) => void

/** Connects where the egress rule allows, directly or through the outgoing proxy, and looks at the peer once more before a byte is sent. */
export function openSocket(
  address: Address,
  allowed: PrivateNetwork,
  milliseconds: number,
  opened: Opened,
): void {
  const { host } = address
  if (ipLiteral(host) !== undefined && !mayConnect(host, allowed))
    return opened(refusedAddress(host), undefined)
  const late = AbortSignal.timeout(milliseconds)
  const proxy = proxyFor(host)
  const socket =
    proxy === undefined ? dial(address, allowed, late) : dialThrough(proxy, address, allowed, late)
  socket.then(
    given => opened(undefined, given),
    error => opened(late.aborted ? tooLate() : error, undefined),
  )
}

function tooLate(): GatewayError {
  return new GatewayError('upstream.unreachable', {
    why: 'It did not accept a connection in time.',
    noEffect: true,
  })
}

const quick = { noDelay: true, keepAlive: true } as const

async function dial(address: Address, allowed: PrivateNetwork, late: AbortSignal): Promise<Socket> {
  const { host, port } = address
  const options = { host, port, lookup: guardedLookup(allowed), ...quick }
  const socket = address.isSecure ? connectSecure({ ...options, ...tlsFor(host) }) : connectPlain(options)
  await ready(socket, address.isSecure ? 'secureConnect' : 'connect', late)
  if (mayConnect(socket.remoteAddress ?? '', allowed, host)) return socket
  socket.destroy()
  throw refusedAddress(host)
}

/** Names that this machine cannot resolve are for the proxy to resolve, and to refuse. */
async function dialThrough(
  proxy: URL,
  address: Address,
  allowed: PrivateNetwork,
  late: AbortSignal,
): Promise<Socket> {
  const { host } = address
  await Promise.race([resolveHost(host, allowed), tooLong(late)])
  const tunnel = await openTunnel(proxy, address, late)
  if (!address.isSecure) return tunnel
  const socket = connectSecure({ socket: tunnel, host, ...tlsFor(host) })
  await ready(socket, 'secureConnect', late)
  return socket
}

function tooLong(late: AbortSignal): Promise<never> {
  return new Promise((_, refused) =>
    late.addEventListener('abort', () => refused(late.reason), { once: true }),
  )
}

function tlsFor(host: string) {
  return { ALPNProtocols: ['http/1.1'], ...(ipLiteral(host) === undefined ? { servername: host } : {}) }
}
