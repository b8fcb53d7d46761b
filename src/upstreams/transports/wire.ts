/** HTTP to upstreams: undici behind the egress rule, with one total deadline a request. The only file that knows undici. */
import { lookup as resolve } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { type buildConnector, buildConnector as connectorFor, type Dispatcher, Pool } from 'undici'
import { ipLiteral, mayConnect } from '../../foundation/egress.ts'
import { GatewayError } from '../../foundation/errors.ts'
import type { Flight } from '../sink.ts'
import type { HttpTransport } from '../upstream.ts'
import type { Deadline, Deadlines } from './deadlines.ts'

export type WireHeaders = Readonly<Record<string, string | string[] | undefined>>

export type WireEvents = {
  head(status: number, headers: WireHeaders): void
  chunk(bytes: Buffer): void
  end(): void
  /** `sent` tells whether the upstream may have seen the request. */
  broken(error: GatewayError, sent: boolean): void
}

export type WireRequest = {
  readonly method: 'POST' | 'GET' | 'DELETE'
  /** Another path than the transport's, on the same origin (HTTP+SSE names one). */
  readonly path?: string
  /** Flat [name, value, ...] pairs. */
  readonly headers: readonly string[]
  readonly body: Buffer | null
  /** Milliseconds for the whole exchange; 0 for streams that may stay open. */
  readonly total: number
}

export type WireFlight = Flight & {
  /** Moves the end of the whole exchange; 0 lifts it. */
  extend(milliseconds: number): void
}

export type Wire = {
  send(request: WireRequest, events: WireEvents): WireFlight
  close(): Promise<void>
}

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

/** undici's connector, which refuses addresses before it connects and looks at the peer once more after. */
function guardedConnector(allowPrivateNetwork: boolean, timeout: number): buildConnector.connector {
  const connect = connectorFor({ timeout, allowH2: false, lookup: guardedLookup(allowPrivateNetwork) })
  return (options, callback) => {
    const literal = ipLiteral(options.hostname)
    if (literal !== undefined && !mayConnect(literal, allowPrivateNetwork))
      return callback(refusedAddress(options.hostname), null)
    connect(options, (error, socket) => {
      if (error || !socket) return callback(error ?? new Error('no socket'), null)
      if (!mayConnect(socket.remoteAddress ?? '', allowPrivateNetwork)) {
        socket.destroy()
        return callback(refusedAddress(options.hostname), null)
      }
      return callback(null, socket)
    })
  }
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : ''
}

const sentences: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Nothing listens at its address.',
  ENOTFOUND: 'Its host name does not resolve.',
  EAI_AGAIN: 'Its host name does not resolve at the moment.',
  ECONNRESET: 'It reset the connection.',
  EHOSTUNREACH: 'Its host cannot be reached.',
  UND_ERR_CONNECT_TIMEOUT: 'It did not accept a connection in time.',
  UND_ERR_SOCKET: 'It closed the connection before it had answered.',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'Its TLS certificate is self-signed.',
  CERT_HAS_EXPIRED: 'Its TLS certificate has expired.',
  ERR_TLS_CERT_ALTNAME_INVALID: 'Its TLS certificate is for another name.',
}

function explain(error: Error, sent: boolean): GatewayError {
  if (error instanceof GatewayError) return error
  if (error.cause instanceof GatewayError) return error.cause
  const code = codeOf(error)
  const why = sentences[code] ?? (sent ? 'The connection broke.' : 'No connection could be made.')
  if (code.startsWith('HPE_') || code === 'UND_ERR_HEADERS_OVERFLOW' || code.startsWith('UND_ERR_RES')) {
    return new GatewayError('upstream.bad_answer', { why: 'Its answer is not HTTP.', cause: error })
  }
  return new GatewayError(sent ? 'upstream.outcome_unknown' : 'upstream.unreachable', {
    why,
    internal: code,
    cause: error,
  })
}

class Exchange implements Dispatcher.DispatchHandler, WireFlight, Deadline {
  expiresAt: number
  readonly #events: WireEvents
  readonly #deadlines: Deadlines
  #controller: Dispatcher.DispatchController | undefined
  #sent = false
  #over = false

  constructor(events: WireEvents, deadlines: Deadlines, total: number) {
    this.#events = events
    this.#deadlines = deadlines
    this.expiresAt = total === 0 ? Number.POSITIVE_INFINITY : performance.now() + total
    if (total !== 0) deadlines.watch(this)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#over) controller.abort(new Error('aborted'))
    this.#sent = true
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: WireHeaders): void {
    if (!this.#over && status >= 200) this.#guard(() => this.#events.head(status, headers))
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#over) this.#guard(() => this.#events.chunk(chunk))
  }

  onResponseEnd(): void {
    if (!this.#finish()) return
    try {
      this.#events.end()
    } catch (error) {
      this.#events.broken(explain(error instanceof Error ? error : new Error('broken'), true), true)
    }
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    if (this.#finish()) this.#events.broken(explain(error, this.#sent), this.#sent)
  }

  pause(): void {
    this.#controller?.pause()
  }

  resume(): void {
    this.#controller?.resume()
  }

  abort(): void {
    if (this.#finish()) this.#controller?.abort(new Error('aborted'))
  }

  extend(milliseconds: number): void {
    if (this.#over) return
    this.#deadlines.forget(this)
    if (milliseconds === 0) return
    this.expiresAt = performance.now() + milliseconds
    this.#deadlines.watch(this)
  }

  expire(): void {
    this.#stop(new GatewayError('upstream.timeout', { why: 'The time for the whole call is over.' }))
  }

  #guard(read: () => void): void {
    try {
      read()
    } catch (error) {
      this.#stop(
        error instanceof GatewayError ? error : new GatewayError('internal.unexpected', { cause: error }),
      )
    }
  }

  #stop(error: GatewayError): void {
    if (!this.#finish()) return
    this.#controller?.abort(error)
    this.#events.broken(error, this.#sent)
  }

  #finish(): boolean {
    if (this.#over) return false
    this.#over = true
    this.#deadlines.forget(this)
    return true
  }
}

export type WireLimits = { readonly connectSeconds: number; readonly connections: number }

/** Connections to one upstream. Sockets carry no identity of their own; one that was aborted is destroyed, never reused. */
export function openWire(transport: HttpTransport, limits: WireLimits, deadlines: Deadlines): Wire {
  const url = new URL(transport.url)
  const pool = new Pool(url.origin, {
    connect: guardedConnector(transport.allowPrivateNetwork, limits.connectSeconds * 1000),
    connections: limits.connections,
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: 4000,
    maxHeaderSize: 32_768,
  })
  const ownPath = url.pathname + url.search
  return {
    send(request, events) {
      const exchange = new Exchange(events, deadlines, request.total)
      pool.dispatch(
        {
          method: request.method,
          path: request.path ?? ownPath,
          headers: request.headers as string[],
          body: request.body,
        },
        exchange,
      )
      return exchange
    },
    close: () => pool.destroy(),
  }
}
