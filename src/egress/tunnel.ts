/** Connections through an outgoing proxy (RFC 9110 section 9.3.6, CONNECT). */
import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectSecure } from 'node:tls'
import { ipLiteral } from '../foundation/egress.ts'
import { GatewayError } from '../foundation/errors.ts'
import type { Address } from './open-socket.ts'
import { ready } from './ready.ts'

const headBytes = 16_384

/** A connection to the address through the proxy. Throws `upstream.unreachable` with what the proxy says. */
export async function openTunnel(proxy: URL, address: Address, late: AbortSignal): Promise<Socket> {
  const socket = await toProxy(proxy, late)
  try {
    socket.write(connectRequest(proxy, address))
    const status = await readStatus(socket, late)
    if (status !== 200) throw refusedBy(proxy, status)
    return socket
  } catch (error) {
    socket.destroy()
    throw error
  }
}

async function toProxy(proxy: URL, late: AbortSignal): Promise<Socket> {
  const isSecure = proxy.protocol === 'https:'
  const host = ipLiteral(proxy.hostname) ?? proxy.hostname
  const options = { host, port: Number(proxy.port || (isSecure ? 443 : 80)), noDelay: true, keepAlive: true }
  const servername = ipLiteral(host) === undefined ? { servername: host } : {}
  const socket = isSecure ? connectSecure({ ...options, ...servername }) : connectPlain(options)
  try {
    await ready(socket, isSecure ? 'secureConnect' : 'connect', late)
    return socket
  } catch (cause) {
    throw trouble(proxy, 'cannot be reached.', 'Start it, or correct egress.proxy.', cause)
  }
}

function connectRequest({ username, password }: URL, { host, port }: Address): string {
  const target = `${host.includes(':') ? `[${host}]` : host}:${port}`
  const login = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString(
    'base64',
  )
  const authorization = username === '' ? '' : `proxy-authorization: Basic ${login}\r\n`
  return `CONNECT ${target} HTTP/1.1\r\nhost: ${target}\r\n${authorization}\r\n`
}

/** The status of the proxy's answer, which is read to its end and not a byte further. */
function readStatus(socket: Socket, late: AbortSignal): Promise<number | undefined> {
  let head = ''
  return new Promise((done, refused) => {
    const stop = (settle: () => void) => {
      late.removeEventListener('abort', tooLate)
      socket.off('readable', read).off('end', over).off('close', over)
      settle()
    }
    const tooLate = () => stop(() => refused(late.reason))
    const over = () => stop(() => done(undefined))
    const read = () => {
      for (let byte = socket.read(1); byte instanceof Buffer; byte = socket.read(1)) {
        head += byte.toString('latin1')
        if (head.length > headBytes) return over()
        if (head.endsWith('\r\n\r\n')) return stop(() => done(statusOf(head)))
      }
    }
    late.addEventListener('abort', tooLate)
    socket.on('readable', read).once('end', over).once('close', over)
  })
}

function statusOf(head: string): number | undefined {
  const [, status] = /^HTTP\/1\.[01] ([0-9]{3})[ \r]/.exec(head) ?? []
  return status === undefined ? undefined : Number(status)
}

function refusedBy(proxy: URL, status: number | undefined): GatewayError {
  if (status === undefined)
    return trouble(proxy, 'does not answer as an HTTP proxy does.', 'Correct egress.proxy.')
  if (status === 407)
    return trouble(proxy, 'wants another user name or password (407).', 'Correct egress.proxy.')
  return trouble(
    proxy,
    `does not connect there; it answered ${status}.`,
    'Allow the host at the proxy, or name it in egress.noProxy.',
  )
}

function trouble({ host }: URL, what: string, fix: string, cause?: unknown): GatewayError {
  return new GatewayError('upstream.unreachable', {
    why: `The outgoing proxy ${host} ${what}`,
    fix,
    noEffect: true,
    cause,
  })
}
