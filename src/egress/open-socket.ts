/** Opens sockets to other machines: where the egress rule allows, and nowhere else. */
import { lookup as resolve } from 'node:dns'
import { connect as connectPlain, type LookupFunction, type Socket } from 'node:net'
import { connect as connectSecure } from 'node:tls'
import { ipLiteral, mayConnect } from '../foundation/egress.ts'
import { GatewayError } from '../foundation/errors.ts'

export type Address = { readonly host: string; readonly port: number; readonly isSecure: boolean }

function refusedAddress(host: string): GatewayError {
  return new GatewayError('upstream.address_refused', {
    why: `${host} is, or resolves to, an address that is not public.`,
  })
}

function guardedLookup(allowPrivateNetwork: boolean): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, '', 0)
      const [first] = addresses
      if (!first || !addresses.every(found => mayConnect(found.address, allowPrivateNetwork))) {
        return callback(refusedAddress(hostname), '', 0)
      }
      return options.all ? callback(null, addresses) : callback(null, first.address, first.family)
    })
  }
}

export type Opened = (error: Error | undefined, socket: Socket | undefined) => void

/** Connects where the egress rule allows, and looks at the peer once more before a byte is sent. */
export function openSocket(
  address: Address,
  allowPrivateNetwork: boolean,
  milliseconds: number,
  opened: Opened,
): void {
  const { host, port, isSecure } = address
  if (ipLiteral(host) !== undefined && !mayConnect(host, allowPrivateNetwork))
    return opened(refusedAddress(host), undefined)
  const options = { host, port, lookup: guardedLookup(allowPrivateNetwork), noDelay: true, keepAlive: true }
  const socket = isSecure
    ? connectSecure({
        ...options,
        ALPNProtocols: ['http/1.1'],
        ...(ipLiteral(host) === undefined ? { servername: host } : {}),
      })
    : connectPlain(options)
  let isSettled = false
  const settle: Opened = (error, given) => {
    if (isSettled) return
    isSettled = true
    clearTimeout(timer)
    if (given === undefined) socket.destroy()
    opened(error, given)
  }
  const timer = setTimeout(
    () =>
      settle(
        new GatewayError('upstream.unreachable', {
          why: 'It did not accept a connection in time.',
          noEffect: true,
        }),
        undefined,
      ),
    milliseconds,
  )
  socket.once(isSecure ? 'secureConnect' : 'connect', () => {
    if (mayConnect(socket.remoteAddress ?? '', allowPrivateNetwork)) settle(undefined, socket)
    else settle(refusedAddress(host), undefined)
  })
  socket.on('error', error => settle(error, undefined))
}
