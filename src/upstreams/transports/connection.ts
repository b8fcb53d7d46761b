/** One socket to an upstream, and the request that is under way on it. */
import type { Socket } from 'node:net'
import { asGatewayError, GatewayError } from '../../foundation/errors.ts'
import type { Flight } from '../sink.ts'
import type { Deadline, Deadlines } from './deadlines.ts'
import { ResponseReader, type WireHeaders } from './response-reader.ts'

export type WireEvents = {
  head(status: number, headers: WireHeaders): void
  chunk(bytes: Buffer): void
  end(): void
  /** `sent` tells whether the upstream may have seen the request. */
  broken(error: GatewayError, sent: boolean): void
}

export type WireFlight = Flight & {
  /** Moves the end of the whole exchange; 0 lifts it. */
  extend(milliseconds: number): void
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
  EPIPE: 'It closed the connection before it had answered.',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'Its TLS certificate is self-signed.',
  CERT_HAS_EXPIRED: 'Its TLS certificate has expired.',
  ERR_TLS_CERT_ALTNAME_INVALID: 'Its TLS certificate is for another name.',
  SELF_SIGNED_CERT_IN_CHAIN: 'Its TLS certificate comes from an authority this machine does not trust.',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    'Its TLS certificate comes from an authority this machine does not trust.',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'Its TLS certificate comes without those that vouch for it.',
  ERR_SSL_WRONG_VERSION_NUMBER: 'It does not speak TLS.',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'It does not speak TLS.',
}

function explain(error: Error, sent: boolean): GatewayError {
  if (error instanceof GatewayError) return error
  if (error.cause instanceof GatewayError) return error.cause
  const code = codeOf(error)
  const why = sentences[code] ?? (sent ? 'The connection broke.' : 'No connection could be made.')
  return new GatewayError(sent ? 'upstream.outcome_unknown' : 'upstream.unreachable', {
    why,
    internal: code,
    cause: error,
    noEffect: !sent,
  })
}

/** One request under way. */
export class Exchange implements WireFlight, Deadline {
  seat: number | undefined
  expiresAt: number
  readonly events: WireEvents
  /** What is sent, until it was: a stream that stays open for ever needs it no more. */
  bytes: Buffer | undefined
  readonly #deadlines: Deadlines
  connection: Connection | undefined
  isOver = false

  constructor(bytes: Buffer, events: WireEvents, deadlines: Deadlines, total: number) {
    this.bytes = bytes
    this.events = events
    this.#deadlines = deadlines
    this.expiresAt = total === 0 ? Number.POSITIVE_INFINITY : performance.now() + total
    if (total !== 0) deadlines.watch(this)
  }

  // Once it is over, its socket may be another's.
  pause(): void {
    if (!this.isOver) this.connection?.socket.pause()
  }

  resume(): void {
    if (!this.isOver) this.connection?.socket.resume()
  }

  abort(): void {
    if (this.finish()) this.connection?.destroy()
  }

  extend(milliseconds: number): void {
    if (this.isOver) return
    this.#deadlines.forget(this)
    if (milliseconds === 0) return this.connection?.last()
    this.expiresAt = performance.now() + milliseconds
    this.#deadlines.watch(this)
  }

  expire(): void {
    this.break(new GatewayError('upstream.timeout', { why: 'The time for the whole call is over.' }))
  }

  /** Ends it with an error. Whether the upstream may have seen it depends on whether it was written. */
  break(error: Error): void {
    if (!this.finish()) return
    const { connection } = this
    connection?.destroy()
    this.events.broken(explain(error, connection !== undefined), connection !== undefined)
  }

  finish(): boolean {
    if (this.isOver) return false
    this.isOver = true
    this.#deadlines.forget(this)
    return true
  }
}

// What one turn of the event loop has for upstreams is written at its end, one write after the other: a server that was
// woken by the first finds the others there, instead of falling asleep between them.
let toWrite: Connection[] = []

function writeSoon(connection: Connection): void {
  if (toWrite.push(connection) === 1) setImmediate(writeAll)
}

function writeAll(): void {
  const connections = toWrite
  toWrite = []
  for (const connection of connections) connection.write()
}

export type ConnectionOwner = {
  readonly deadlines: Deadlines
  /** The connection can take another request. */
  idle(connection: Connection): void
  /** What is under way on it may stay open for ever, so it takes no place among those that come and go. */
  lasting(connection: Connection): void
  gone(connection: Connection): void
}

const idleMilliseconds = 4000

/** One socket, one request at a time. One that was cut short is destroyed, never reused. */
export class Connection implements Deadline {
  readonly socket: Socket
  seat: number | undefined
  expiresAt = Number.POSITIVE_INFINITY
  readonly #owner: ConnectionOwner
  readonly #reader: ResponseReader
  #exchange: Exchange | undefined
  #idleFor = idleMilliseconds
  #isLasting = false

  constructor(socket: Socket, owner: ConnectionOwner) {
    this.socket = socket
    this.#owner = owner
    this.#reader = new ResponseReader({
      head: (status, headers) => this.#head(status, headers),
      chunk: bytes => {
        if (this.#exchange?.isOver === false) this.#exchange.events.chunk(bytes)
      },
      end: mayReuse => this.#end(mayReuse),
    })
    socket.removeAllListeners('error')
    socket.on('data', bytes => this.#data(bytes))
    socket.on('end', () => this.#ended())
    socket.on('error', error => this.#lost(error))
    socket.on('close', () => this.#lost(new Error('closed')))
  }

  send(exchange: Exchange): void {
    this.#owner.deadlines.forget(this)
    this.#exchange = exchange
    exchange.connection = this
    this.#reader.expect()
    writeSoon(this)
  }

  last(): void {
    this.#isLasting = true
    this.#owner.lasting(this)
  }

  write(): void {
    const exchange = this.#exchange
    if (exchange?.bytes === undefined) return
    this.socket.write(exchange.bytes)
    exchange.bytes = undefined
  }

  destroy(): void {
    this.#exchange = undefined
    this.#owner.deadlines.forget(this)
    this.socket.destroy()
    this.#owner.gone(this)
  }

  expire(): void {
    this.destroy()
  }

  #data(bytes: Buffer): void {
    try {
      this.#reader.push(bytes)
    } catch (thrown) {
      const exchange = this.#exchange
      this.destroy()
      exchange?.break(asGatewayError(thrown))
    }
  }

  #head(status: number, headers: WireHeaders): void {
    // A server names how long it keeps an idle connection; a second is left for its close to arrive.
    const seconds = /timeout=(\d+)/.exec(headers['keep-alive'] ?? '')?.[1]
    this.#idleFor =
      seconds === undefined ? idleMilliseconds : Math.min(Math.max(0, Number(seconds) - 1) * 1000, 60_000)
    if (this.#exchange?.isOver === false) this.#exchange.events.head(status, headers)
  }

  #end(mayReuse: boolean): void {
    const exchange = this.#exchange
    this.#exchange = undefined
    if (mayReuse && !this.#isLasting && exchange?.isOver === false && this.#idleFor > 0) {
      this.expiresAt = performance.now() + this.#idleFor
      this.#owner.deadlines.watch(this)
      // Whoever paused it has got everything, and will not come back to resume it.
      if (this.socket.isPaused()) this.socket.resume()
      this.#owner.idle(this)
    } else this.destroy()
    if (exchange?.finish()) {
      try {
        exchange.events.end()
      } catch (thrown) {
        exchange.events.broken(asGatewayError(thrown), true)
      }
    }
  }

  #ended(): void {
    if (!this.#reader.ended()) this.#lost(new Error('closed'))
  }

  #lost(error: Error): void {
    const exchange = this.#exchange
    this.destroy()
    exchange?.break(error)
  }
}
