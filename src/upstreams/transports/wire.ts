/** HTTP to upstreams over plain sockets, with one total deadline a request. Lean, because every call passes here. */

import { type Address, openSocket } from '../../egress/index.ts'
import { ipLiteral } from '../../foundation/egress.ts'
import { GatewayError } from '../../foundation/errors.ts'
import type { Sign } from '../equipped.ts'
import type { HttpTransport } from '../upstream.ts'
import { Connection, type ConnectionOwner, Exchange, type WireEvents, type WireFlight } from './connection.ts'
import type { Deadlines } from './deadlines.ts'

export type { WireEvents, WireFlight } from './connection.ts'
export type { WireHeaders } from './response-reader.ts'

export type WireRequest = {
  readonly method: 'POST' | 'GET' | 'DELETE'
  /** Another path than the transport's, on the same origin (HTTP+SSE names one). */
  readonly path?: string
  /** Flat [name, value, ...] pairs. */
  readonly headers: readonly string[]
  readonly body: Buffer | null
  readonly sign?: Sign | undefined
  /** Milliseconds for the whole exchange; 0 for streams that may stay open. */
  readonly total: number
}

export type Wire = {
  send(request: WireRequest, events: WireEvents): WireFlight
  close(): Promise<void>
}

export type WireLimits = { readonly connectSeconds: number; readonly connections: number }

const closed = () =>
  new GatewayError('upstream.unreachable', { why: 'The server was changed or removed meanwhile.' })

// Whatever wants to stand in a head was looked at where it came from; here nothing can break out of its line.
function checked(text: string | undefined): string {
  if (text === undefined || /[^\t\x20-\x7e\x80-\xff]/.test(text))
    throw new GatewayError('internal.unexpected', { internal: 'a header with a line break' })
  return text
}

function lines(headers: readonly string[]): string {
  let text = ''
  for (let i = 0; i < headers.length; i += 2) text += `${checked(headers[i])}: ${checked(headers[i + 1])}\r\n`
  return text
}

/** Connections to one upstream. Sockets carry no identity of their own. */
export function openWire(transport: HttpTransport, limits: WireLimits, deadlines: Deadlines): Wire {
  return new SocketWire(transport, limits, deadlines)
}

class SocketWire implements Wire, ConnectionOwner {
  readonly deadlines: Deadlines
  readonly #transport: HttpTransport
  readonly #limits: WireLimits
  readonly #address: Address
  readonly #host: string
  readonly #path: string
  readonly #live = new Set<Connection>()
  readonly #idle: Connection[] = []
  readonly #lasting = new Set<Connection>()
  readonly #waiting: Exchange[] = []
  #connecting = 0
  #isClosed = false

  constructor(transport: HttpTransport, limits: WireLimits, deadlines: Deadlines) {
    const url = new URL(transport.url)
    const isSecure = url.protocol === 'https:'
    this.#transport = transport
    this.#limits = limits
    this.deadlines = deadlines
    this.#address = {
      host: ipLiteral(url.hostname) ?? url.hostname,
      port: Number(url.port || (isSecure ? 443 : 80)),
      isSecure,
    }
    this.#host = url.host
    this.#path = url.pathname + url.search
  }

  send(request: WireRequest, events: WireEvents): WireFlight {
    const exchange = new Exchange(this.#bytes(request), events, this.deadlines, request.total)
    const connection = this.#idle.pop()
    if (connection) connection.send(exchange)
    else if (this.#isClosed) exchange.break(closed())
    else {
      this.#waiting.push(exchange)
      this.#connectMore()
    }
    return exchange
  }

  idle(connection: Connection): void {
    const next = this.#nextWaiting()
    if (next) connection.send(next)
    else this.#idle.push(connection)
  }

  lasting(connection: Connection): void {
    if (!this.#live.has(connection)) return
    this.#lasting.add(connection)
    this.#connectMore()
  }

  gone(connection: Connection): void {
    if (!this.#live.delete(connection)) return
    this.#lasting.delete(connection)
    const at = this.#idle.indexOf(connection)
    if (at >= 0) this.#idle.splice(at, 1)
    this.#connectMore()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const exchange of this.#waiting.splice(0)) exchange.break(closed())
    this.#idle.length = 0
    for (const connection of [...this.#live]) connection.socket.destroy()
  }

  // One buffer, one write: the head and the body leave in one packet.
  #bytes({ method, path = this.#path, headers, body, sign }: WireRequest): Buffer {
    let head = `${method} ${checked(path)} HTTP/1.1\r\nhost: ${this.#host}\r\n${lines(headers)}`
    if (sign !== undefined) head += lines(sign({ method, host: this.#host, path, headers, body }))
    if (body !== null) head += `content-length: ${body.length}\r\n`
    head += '\r\n'
    const bytes = Buffer.allocUnsafe(head.length + (body?.length ?? 0))
    bytes.write(head, 0, 'latin1')
    body?.copy(bytes, head.length)
    return bytes
  }

  #nextWaiting(): Exchange | undefined {
    for (;;) {
      const next = this.#waiting.shift()
      if (next === undefined || !next.isOver) return next
    }
  }

  // Counted anew each time round, because an attempt may fail at once.
  #connectMore(): void {
    while (this.#connecting < this.#wanted() && !this.#isClosed) this.#connect()
  }

  #wanted(): number {
    return Math.min(this.#waiting.length, this.#limits.connections - this.#live.size + this.#lasting.size)
  }

  #connect(): void {
    this.#connecting++
    openSocket(
      this.#address,
      this.#transport.allowPrivateNetwork,
      this.#limits.connectSeconds * 1000,
      (error, socket) => {
        this.#connecting--
        if (socket === undefined || this.#isClosed) {
          socket?.destroy()
          this.#nextWaiting()?.break(error ?? closed())
          return this.#connectMore()
        }
        const connection = new Connection(socket, this)
        this.#live.add(connection)
        this.idle(connection)
      },
    )
  }
}
