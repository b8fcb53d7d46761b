import type { GatewayError } from '../../foundation/errors.ts'
import { type Collected, collect, kept } from '../collect.ts'
import type { Outgoing, SessionLink, Unsolicited } from '../link.ts'
import { LostSession, nextUpstreamId } from '../message.ts'
import type { Flight, Sink } from '../sink.ts'
import { type HeaderSource, postRequest, sendOnly, sessionIdOf } from './http.ts'
import type { AnswerLimits, Carrier, Cut, HttpAnswer } from './http-answer.ts'
import { UnsolicitedStream } from './unsolicited-stream.ts'
import type { Wire } from './wire.ts'

export type HttpSessionParts = {
  readonly wire: Wire
  /** Its credentials are read anew for each request. */
  readonly to: HeaderSource['to']
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
      postRequest(parts.wire, { to: parts.to, own: [] }, initialize, {
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
async function endUpstream({ wire, to }: HttpSessionParts, more: readonly string[]): Promise<void> {
  await sendOnly(wire, to, { method: 'DELETE', own: more, body: null, total: goodbyeMs }).catch(() => 0)
}

function negotiatedVersion(opening: Collected): string | undefined {
  const { result } = opening.body
  const version =
    typeof result === 'object' && result !== null && 'protocolVersion' in result
      ? result.protocolVersion
      : undefined
  return typeof version === 'string' && /^[\w.-]{1,32}$/.test(version) ? version : undefined
}

/** More unanswered questions of one server than this are no conversation. */
const maxAsked = 100
const maxIdLength = 128

const quiet = { pause: () => {}, resume: () => {} }

class HttpSession implements SessionLink, Carrier {
  readonly opening: Collected
  readonly #parts: HttpSessionParts
  /** What every request of the session carries besides the credentials. */
  readonly #own: readonly string[]
  readonly #hasSession: boolean
  /** Questions of the server that wait for an answer. */
  #asked: Set<string | number> | undefined
  #looking: Promise<boolean> | undefined
  #isLost = false

  constructor(parts: HttpSessionParts, opening: Collected, sessionId: string | undefined) {
    this.opening = kept(opening)
    this.#parts = parts
    const version = negotiatedVersion(opening)
    this.#hasSession = sessionId !== undefined
    this.#own = [
      ...(sessionId === undefined ? [] : ['mcp-session-id', sessionId]),
      ...(version === undefined ? [] : ['mcp-protocol-version', version]),
    ]
  }

  get #headers(): readonly string[] {
    return [...this.#parts.to.headers, ...this.#own]
  }

  #post(body: Buffer): Promise<number> {
    const { wire, to } = this.#parts
    return sendOnly(wire, to, { method: 'POST', own: this.#own, body })
  }

  #get(headers: readonly string[], total: number) {
    return { method: 'GET', headers, sign: this.#parts.to.sign, body: null, total } as const
  }

  request(outgoing: Outgoing): Flight {
    const { upstreamId, sink, latest, credentials = this.#parts.to } = outgoing
    const { wire, limits } = this.#parts
    const to = { upstreamId, sink, limits, latest, endless: false, session: this }
    return postRequest(wire, { to: credentials, own: this.#own }, outgoing.body, to)
  }

  async notify(_: string, body: Buffer): Promise<void> {
    const status = await this.#post(body)
    if (status === 404 || (status === 400 && (await this.#looksLost()))) this.#lose()
  }

  async respond(id: string | number, body: Buffer): Promise<boolean> {
    if (this.#asked?.delete(id) !== true) return false
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
      // Some servers that have no such stream say 404 too.
      answered: status => {
        if (status === 400 || status === 404) void this.#looksLost().then(isLost => isLost && this.#lose())
      },
      opened: () => flight.extend(0),
      asked: id => this.asked(id),
    })
    const flight = this.#parts.wire.send(this.#get(headers, 30_000), events)
    return flight
  }

  async close(): Promise<void> {
    if (this.#hasSession && !this.#isLost) await endUpstream(this.#parts, this.#own)
  }

  answered(status: number): void {
    if (status !== 404 || !this.#hasSession) return
    this.#lose()
    throw new LostSession()
  }

  asked(id: string | number): void {
    this.#asked ??= new Set()
    const [oldest] = this.#asked
    if (this.#asked.size >= maxAsked && oldest !== undefined) this.#asked.delete(oldest)
    if (typeof id === 'number' || id.length <= maxIdLength) this.#asked.add(id)
  }

  // Some servers say 404 as they should, some 400 without saying which request they mean, which they do for other reasons too.
  doubted(error: GatewayError, sink: Sink): void {
    void this.#looksLost().then(isLost => {
      if (isLost) this.#lose()
      sink.failed(isLost ? new LostSession() : error)
    })
  }

  resume(answer: HttpAnswer, { lastEventId, waitMs, total }: Cut): Flight {
    const headers = ['accept', 'text/event-stream', ...this.#headers, 'last-event-id', lastEventId]
    const timer = setTimeout(
      () => answer.started(this.#parts.wire.send(this.#get(headers, total), answer)),
      waitMs,
    )
    return { ...quiet, abort: () => clearTimeout(timer) }
  }

  // Every server answers a ping in a session it knows; a server that does not is taken at its word about the session.
  async #looksLost(): Promise<boolean> {
    if (!this.#hasSession) return false
    const { body } = ownRequest('ping', {})
    this.#looking ??= this.#post(body).then(
      status => status === 400 || status === 404,
      () => false,
    )
    const isLost = await this.#looking
    this.#looking = undefined
    return isLost
  }

  #lose(): void {
    if (this.#isLost || !this.#hasSession) return
    this.#isLost = true
    this.#parts.lost()
  }
}

/** A body with a fresh id of ours for requests the gateway itself makes. */
export function ownRequest(method: string, params: unknown): { body: Buffer; upstreamId: number } {
  const upstreamId = nextUpstreamId()
  return { upstreamId, body: Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: upstreamId, method, params })) }
}
