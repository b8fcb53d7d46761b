import type { JsonObject } from '../foundation/json.ts'
import type { Flight, Unsolicited } from '../upstreams/index.ts'
import type { Exchange } from './exchange.ts'
import { serverRequests } from './methods.ts'
import { frame } from './reply.ts'
import type { OpenStream } from './streams.ts'

export type FollowOptions = {
  listChanged(): void
  /** The session is in use as long as its stream is. */
  used(): void
  ended(): void
}

const unreadBytes = 1024 * 1024

/** The GET stream of one session: what its server says unasked, and nothing of anybody else. */
export class Follow implements Unsolicited, OpenStream {
  readonly exchange: Exchange
  readonly #options: FollowOptions
  #flight: Flight | undefined
  #isOver = false

  constructor(exchange: Exchange, options: FollowOptions) {
    this.exchange = exchange
    this.#options = options
  }

  open(listen: (to: Unsolicited) => Flight): void {
    const { response } = this.exchange
    response.on('close', () => this.end())
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    })
    response.flushHeaders()
    this.#flight = listen(this)
  }

  message(bytes: Buffer, message: JsonObject, eventId?: string): void {
    const method = String(message.method)
    if (message.id !== undefined && !serverRequests.has(method)) return
    if (method.endsWith('/list_changed')) this.#options.listChanged()
    this.#options.used()
    this.#write(frame(bytes, eventId))
  }

  priming(eventId: string | undefined, retry: string | undefined): void {
    this.#write(
      `${eventId === undefined ? '' : `id: ${eventId}\n`}${retry === undefined ? '' : `retry: ${retry}\n`}data:\n\n`,
    )
  }

  ended(): void {
    this.end()
  }

  beat(): void {
    this.#options.used()
    this.#write(':\n\n')
  }

  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#flight?.abort()
    this.#options.ended()
    this.exchange.response.end()
  }

  #write(bytes: Buffer | string): void {
    const { response } = this.exchange
    if (this.#isOver) return
    response.write(bytes)
    if (response.writableLength > unreadBytes) response.destroy()
  }
}
