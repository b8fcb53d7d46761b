import { GatewayError } from '../../foundation/errors.ts'
import { type Collected, collect } from '../collect.ts'
import { type EventReader, EventStream, type ServerEvent } from '../event-stream.ts'
import type { Outgoing, SessionLink, Unsolicited } from '../link.ts'
import { nextUpstreamId, readMessage } from '../message.ts'
import type { Flight } from '../sink.ts'
import { postRequest, sendOnly, sessionIdOf } from './http.ts'
import type { AnswerLimits } from './http-answer.ts'
import type { Wire, WireEvents, WireHeaders } from './wire.ts'

export type HttpSessionParts = {
  readonly wire: Wire
  /** Credentials of the gateway towards this upstream, flat pairs. */
  readonly headers: readonly string[]
  readonly limits: AnswerLimits
  /** The upstream does not know the session any more. */
  lost(): void
}

/** Opens a session with a session-era streamable HTTP upstream: one upstream session for one session of a client. */
export async function openHttpSession(
  parts: HttpSessionParts,
  initialize: Buffer,
  upstreamId: number,
  clientId: string,
): Promise<SessionLink> {
  let sessionId: string | undefined
  try {
    const opening = await collect(clientId, sink =>
      postRequest(parts.wire, parts.headers, initialize, {
        upstreamId,
        sink,
        limits: parts.limits,
        endless: false,
        head: (_, headers) => {
          sessionId = sessionIdOf(headers)
        },
      }),
    )
    return new HttpSession(parts, opening, sessionId)
  } catch (error) {
    // It may have opened one all the same.
    if (sessionId !== undefined) void endUpstream(parts, ['mcp-session-id', sessionId])
    throw error
  }
}

/** Somebody may be waiting for the end, and a server that hangs is not worth it. */
const goodbyeMs = 2000

// A server may not support DELETE, or be gone; either way there is nothing left to end.
async function endUpstream({ wire, headers }: HttpSessionParts, more: readonly string[]): Promise<void> {
  const goodbye = { method: 'DELETE', headers: [...headers, ...more], body: null, total: goodbyeMs } as const
  await sendOnly(wire, goodbye).catch(() => 0)
}

function negotiatedVersion(opening: Collected): string | undefined {
  const { result } = opening.body
  const version =
    typeof result === 'object' && result !== null && 'protocolVersion' in result
      ? result.protocolVersion
      : undefined
  return typeof version === 'string' && /^[\w.-]{1,32}$/.test(version) ? version : undefined
}

class HttpSession implements SessionLink {
  readonly opening: Collected
  readonly #parts: HttpSessionParts
  /** What every request of the session carries besides the credentials. */
  readonly #own: readonly string[]
  readonly #headers: readonly string[]
  readonly #hasSession: boolean

  constructor(parts: HttpSessionParts, opening: Collected, sessionId: string | undefined) {
    this.opening = opening
    this.#parts = parts
    const version = negotiatedVersion(opening)
    this.#hasSession = sessionId !== undefined
    this.#own = [
      ...(sessionId === undefined ? [] : ['mcp-session-id', sessionId]),
      ...(version === undefined ? [] : ['mcp-protocol-version', version]),
    ]
    this.#headers = [...parts.headers, ...this.#own]
  }

  request(outgoing: Outgoing): Flight {
    const { upstreamId, sink } = outgoing
    return postRequest(this.#parts.wire, this.#headers, outgoing.body, {
      upstreamId,
      sink,
      limits: this.#parts.limits,
      endless: false,
      head: status => this.#noticeLoss(status),
    })
  }

  async notify(_: string, body: Buffer): Promise<void> {
    this.#noticeLoss(await sendOnly(this.#parts.wire, { method: 'POST', headers: this.#headers, body }))
  }

  async respond(_: string | number, body: Buffer): Promise<boolean> {
    await this.notify('', body)
    return true
  }

  cancel(upstreamId: number, reason: string | undefined): void {
    const params = { requestId: upstreamId, ...(reason === undefined ? {} : { reason }) }
    const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params }))
    // Best effort: the client has stopped waiting, and the request's own deadline remains.
    this.notify('notifications/cancelled', body).catch(() => undefined)
  }

  listen(to: Unsolicited, lastEventId: string | undefined): Flight {
    const headers = ['accept', 'text/event-stream', ...this.#headers]
    if (lastEventId !== undefined) headers.push('last-event-id', lastEventId)
    const events = new UnsolicitedStream(to, this.#parts.limits.messageBytes, {
      answered: status => this.#noticeLoss(status),
      opened: () => flight.extend(0),
    })
    const flight = this.#parts.wire.send({ method: 'GET', headers, body: null, total: 30_000 }, events)
    return flight
  }

  async close(): Promise<void> {
    if (this.#hasSession) await endUpstream(this.#parts, this.#own)
  }

  // Some servers say 404 as they should, some 400 without saying which request they mean.
  #noticeLoss(status: number): void {
    if (status !== 404 || !this.#hasSession) return
    this.#parts.lost()
    throw new GatewayError('mcp.session_unknown', {
      why: 'The MCP server behind this address has lost the session.',
    })
  }
}

/** Reads the GET stream. An upstream that has none (405) leaves it open and silent, as the client expects. */
class UnsolicitedStream implements WireEvents, EventReader {
  readonly #to: Unsolicited
  readonly #maximum: number
  readonly #seen: { answered(status: number): void; opened(): void }
  #events: EventStream | undefined
  #isSilent = false

  constructor(to: Unsolicited, maximum: number, seen: { answered(status: number): void; opened(): void }) {
    this.#to = to
    this.#maximum = maximum
    this.#seen = seen
  }

  head(status: number, headers: WireHeaders): void {
    this.#seen.answered(status)
    const type = headers['content-type']?.toLowerCase()
    if (status !== 200 || type?.startsWith('text/event-stream') !== true) this.#isSilent = true
    else {
      this.#events = new EventStream(this, this.#maximum, this.#maximum)
      this.#seen.opened()
    }
  }

  chunk(bytes: Buffer): void {
    this.#events?.push(bytes)
  }

  end(): void {
    this.broken()
  }

  broken(): void {
    if (!this.#isSilent) this.#to.ended()
  }

  event({ event, bytes, id, retry }: ServerEvent): void {
    if (event !== 'message') return
    if (bytes.length === 0) return this.#to.priming(id, retry)
    const message = readMessage(bytes)
    if (message?.kind === 'answer') this.#to.answer(bytes, message.body, id)
    else if (message !== undefined) this.#to.message(bytes, message.body, id)
  }

  long(): boolean {
    return false
  }

  longPiece(): void {}

  longEnd(): void {}
}

/** A body with a fresh id of ours for requests the gateway itself makes. */
export function ownRequest(method: string, params: unknown): { body: Buffer; upstreamId: number } {
  const upstreamId = nextUpstreamId()
  return { upstreamId, body: Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: upstreamId, method, params })) }
}
