/** HTTP+SSE (revision 2024-11-05): one event stream in, POSTs out; a connection is a session. */
import { GatewayError } from '../../foundation/errors.ts'
import { collect, kept } from '../collect.ts'
import { type EventReader, EventStream, type ServerEvent } from '../event-stream.ts'
import type { SessionLink } from '../link.ts'
import { badAnswer, LostSession, Unauthorized } from '../message.ts'
import { Channel } from './channel.ts'
import { openChannelSession } from './channel-session.ts'
import type { Deadlines } from './deadlines.ts'
import { type HeaderSource, sendOnly } from './http.ts'
import { type AnswerLimits, framingOf } from './http-answer.ts'
import type { Wire, WireEvents, WireFlight, WireHeaders } from './wire.ts'

export type SseParts = {
  readonly wire: Wire
  readonly url: string
  readonly to: HeaderSource['to']
  readonly limits: AnswerLimits
  readonly deadlines: Deadlines
  listChanged(): void
  lost(): void
}

/** Opens the stream, waits for the endpoint it names, and sends the client's `initialize` there. */
export async function openSseSession(
  parts: SseParts,
  initialize: Buffer,
  upstreamId: number,
  clientId: string,
): Promise<SessionLink> {
  const connection = await openStream(parts)
  try {
    const opening = await collect(clientId, sink =>
      connection.channel.request({
        body: initialize,
        upstreamId,
        method: 'initialize',
        params: {},
        sink,
        mirrored: [],
        endless: false,
      }),
    )
    return openChannelSession({
      channel: connection.channel,
      opening: kept(opening),
      sharedHandshake: false,
      asksBack: true,
      send: body => connection.tell(body),
      lost: () => parts.lost(),
      left: () => connection.close(),
    })
  } catch (error) {
    connection.close()
    throw error
  }
}

/** Once more where the server wants other credentials and there are some. */
async function openStream(parts: SseParts, isAgain = false): Promise<SseConnection> {
  const { headers: sent, sign } = parts.to
  const connection = new SseConnection(parts)
  try {
    await connection.opened
    return connection
  } catch (error) {
    connection.close()
    if (isAgain || !(error instanceof Unauthorized) || parts.to.renew === undefined) throw error
    await parts.to.renew({ ...error.refused, sent, sign })
    return openStream(parts, true)
  }
}

/** More on its way at once than this is no conversation, and each takes a connection. */
const maxPosts = 1000

class SseConnection implements WireEvents, EventReader {
  readonly channel: Channel
  readonly opened: Promise<void>
  readonly #parts: SseParts
  #flight: WireFlight | undefined
  #ready: () => void = () => {}
  #refuse: (error: Error) => void = () => {}
  #events: EventStream | undefined
  #endpoint: string | undefined
  #posts = 0

  constructor(parts: SseParts) {
    this.#parts = parts
    this.channel = new Channel({
      send: message => this.post(Buffer.from(message)),
      lost: () => this.#lost(),
      asksBack: true,
      limits: parts.limits,
      deadlines: parts.deadlines,
      listChanged: () => parts.listChanged(),
    })
    this.opened = new Promise((done, refused) => {
      this.#ready = done
      this.#refuse = refused
    })
    const { sign } = parts.to
    const headers = ['accept', 'text/event-stream', ...parts.to.headers]
    this.#flight = parts.wire.send({ method: 'GET', headers, sign, body: null, total: 30_000 }, this)
  }

  /** Resolves when the server has taken it. Throws when it did not, or may not have. */
  async post(body: Buffer): Promise<void> {
    if (this.#endpoint === undefined) return
    if (this.#posts >= maxPosts) return this.#end(badAnswer('It asks for more than it takes answers to.'))
    this.#posts++
    const { wire, to } = this.#parts
    const status = await sendOnly(wire, to, { method: 'POST', body, path: this.#endpoint }).finally(() => {
      this.#posts--
    })
    if (status >= 400) throw this.#refusal(status)
  }

  /** The same, for what nobody waits for an answer to. */
  async tell(body: Buffer): Promise<void> {
    try {
      await this.post(body)
    } catch (error) {
      if (error instanceof LostSession) this.#lost()
      throw error
    }
  }

  close(): void {
    this.#flight?.abort()
    this.channel.ended(new GatewayError('mcp.cancelled'))
  }

  head(status: number, headers: WireHeaders): void {
    if (framingOf(status, headers) !== 'events') throw badAnswer('It has no event stream at this address.')
    this.#events = new EventStream(this, this.#parts.limits.messageBytes, this.#parts.limits.messageBytes)
  }

  chunk(bytes: Buffer): void {
    this.#events?.push(bytes)
  }

  end(): void {
    this.#end(new GatewayError('upstream.outcome_unknown', { why: 'It ended its event stream.' }))
  }

  broken(error: GatewayError): void {
    this.#end(error)
  }

  event(event: ServerEvent): void {
    if (event.event === 'endpoint') this.#named(event.bytes.toString())
    else if (event.event === 'message' && event.bytes.length > 0) this.channel.receive(event.bytes)
  }

  long(): boolean {
    return false
  }

  longPiece(): void {}

  longEnd(): void {}

  #refusal(status: number): GatewayError {
    const why = `It answered a POST with ${status}.`
    if (status === 401 || status === 403) return new GatewayError('upstream.unauthorized', { why })
    if (status >= 500) return new GatewayError('upstream.unreachable', { why })
    return new LostSession()
  }

  // The endpoint is where credentials go next, so it must be where they went before.
  #named(endpoint: string): void {
    const url = URL.canParse(endpoint, this.#parts.url) ? new URL(endpoint, this.#parts.url) : undefined
    if (url?.origin !== new URL(this.#parts.url).origin)
      throw badAnswer('It names an endpoint on another origin.')
    this.#endpoint = url.pathname + url.search
    this.#flight?.extend(0)
    this.#ready()
  }

  #lost(): void {
    this.#end(new GatewayError('upstream.unreachable', { why: 'It lost the session.' }))
  }

  #end(error: GatewayError): void {
    this.#refuse(error)
    this.#flight?.abort()
    this.channel.ended(error)
  }
}
