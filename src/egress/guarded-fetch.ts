/** `fetch` as libraries take it, with the egress rule, no redirects, and bounds on time and size. */
import { type IncomingMessage, request as send } from 'node:http'
import type { Socket } from 'node:net'
import { ipLiteral, type PrivateNetwork } from '../foundation/egress.ts'
import { fail, GatewayError } from '../foundation/errors.ts'
import { isLoopback } from '../foundation/guards.ts'
import { openSocket } from './open-socket.ts'

export type FetchRules = {
  /** What it may reach of private networks, and of loopback over plain http. */
  readonly allowPrivateNetwork: PrivateNetwork
  /** Milliseconds for the whole exchange. */
  readonly totalMilliseconds: number
  /** Bytes of the answer's body, at most. */
  readonly answerBytes: number
}

export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>

const connectMilliseconds = 5000
/** Answers that have no body, which the constructor of `Response` insists on. */
const withoutBody = [204, 205, 304]

/**
 * A fetch that only goes where it may: https on any public address; private ones, and plain http to loopback, where the rules
 * allow. It follows no redirect: the redirect is the answer. Rejects with `upstream.address_refused`, `upstream.unreachable`,
 * `upstream.timeout` or `upstream.too_large`.
 */
export function guardedFetch(rules: FetchRules): Fetch {
  return async (input, init) => {
    const deadline = AbortSignal.timeout(rules.totalMilliseconds)
    try {
      const request = new Request(input, init)
      const url = checkedUrl(request.url, rules)
      const body = Buffer.from(await request.arrayBuffer())
      const socket = await connected(url, rules)
      const incoming = await exchange({ request, url, body, socket, deadline })
      return await answerOf(incoming, rules.answerBytes)
    } catch (error) {
      throw asFailure(error, deadline)
    }
  }
}

function checkedUrl(text: string, { allowPrivateNetwork }: FetchRules): URL {
  const url = new URL(text)
  const isPlain = url.protocol === 'http:' && allowPrivateNetwork !== false && isLoopback(url.hostname)
  if (url.protocol !== 'https:' && !isPlain)
    fail('upstream.address_refused', { why: `${url.protocol}//${url.host} is not https.` })
  if (url.username !== '' || url.password !== '')
    fail('upstream.address_refused', { why: 'The URL has a user name in it.' })
  return url
}

function connected(url: URL, { allowPrivateNetwork }: FetchRules): Promise<Socket> {
  const isSecure = url.protocol === 'https:'
  const host = ipLiteral(url.hostname) ?? url.hostname
  const address = { host, port: Number(url.port || (isSecure ? 443 : 80)), isSecure }
  return new Promise((done, refused) => {
    openSocket(address, allowPrivateNetwork, connectMilliseconds, (error, socket) => {
      if (socket === undefined) refused(error)
      else done(socket)
    })
  })
}

type Sending = {
  readonly request: Request
  readonly url: URL
  readonly body: Buffer
  readonly socket: Socket
  readonly deadline: AbortSignal
}

function exchange({ request, url, body, socket, deadline }: Sending): Promise<IncomingMessage> {
  const headers = {
    ...Object.fromEntries(request.headers),
    host: url.host,
    'accept-encoding': 'identity',
    connection: 'close',
    ...(body.length > 0 ? { 'content-length': String(body.length) } : {}),
  }
  const signal = AbortSignal.any([deadline, request.signal])
  const path = url.pathname + url.search
  return new Promise((done, refused) => {
    const outgoing = send(
      { method: request.method, path, headers, signal, createConnection: () => socket },
      done,
    )
    outgoing.on('error', refused)
    outgoing.end(body)
  })
}

async function answerOf(incoming: IncomingMessage, mostBytes: number): Promise<Response> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of incoming) {
    if (!Buffer.isBuffer(chunk)) continue
    bytes += chunk.length
    if (bytes > mostBytes) fail('upstream.too_large', { why: `The answer has more than ${mostBytes} bytes.` })
    chunks.push(chunk)
  }
  const status = incoming.statusCode ?? 502
  const headers = new Headers()
  for (let i = 0; i < incoming.rawHeaders.length; i += 2)
    headers.append(incoming.rawHeaders[i] ?? '', incoming.rawHeaders[i + 1] ?? '')
  return new Response(withoutBody.includes(status) ? null : Buffer.concat(chunks), { status, headers })
}

function asFailure(error: unknown, deadline: AbortSignal): GatewayError {
  if (deadline.aborted) return new GatewayError('upstream.timeout', { cause: error })
  if (error instanceof GatewayError) return error
  return new GatewayError('upstream.unreachable', { cause: error })
}
