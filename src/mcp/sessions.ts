/** Sessions of session-era clients. A session belongs to an identity and a server, never to a token, and never authenticates anybody. */
import type { Clock } from '../foundation/clock.ts'
import { fail, GatewayError } from '../foundation/errors.ts'
import { newHandle } from '../foundation/id.ts'
import type { Principal } from '../identity/index.ts'
import type { SessionLink, Upstream } from '../upstreams/index.ts'
import type { Reply } from './reply.ts'
import type { OpenStream } from './streams.ts'

export type Session = {
  readonly id: string
  readonly principalId: string
  readonly serverId: string
  readonly link: SessionLink
  /** Requests under way by the client's id, as raw JSON (so that 1 and "1" differ). */
  readonly pending: Map<string, Reply>
  /** The same by upstream id, and the latest whose client was gone when the answer came: it may ask for it on another stream. */
  readonly replies: Map<number, Reply>
  /** GET streams that are open. */
  readonly streams: Set<OpenStream>
  usedAt: number
}

export type SessionLimits = { readonly sessionIdleSeconds: number; readonly sessionsPerPrincipal: number }

export type Sessions = {
  /** Takes a place for a session that is about to be opened, and gives the function that frees it again. Throws `mcp.too_many_sessions`. */
  reserve(principal: Principal): () => void
  add(principal: Principal, upstream: Upstream, link: SessionLink, id: string): Session
  /** The caller's own session with this server. Throws `mcp.session_unknown` for every other, existing or not. */
  find(id: string, principal: Principal, upstream: Upstream): Session
  /** Keeps it from ending as idle. */
  touch(session: Session): void
  /** Ends it with all that is under way in it, here and upstream. */
  end(id: string): Promise<void>
  /** Forgets a session whose upstream is gone; nothing is left to be told there. */
  forget(id: string): void
  /** Ends every session with a server that is not what it was. */
  endOf(serverId: string): void
  count(): number
  close(): Promise<void>
}

export const newSessionId = newHandle

/** How many answers of one session that nobody took are kept in mind. */
const keptReplies = 64

/** Keeps a reply in mind for as long as its answer may be asked for, and not more of them than that. */
export function keepReply({ replies }: Session, reply: Reply): void {
  replies.set(reply.upstreamId, reply)
  if (replies.size <= keptReplies) return
  for (const [upstreamId, { isOver }] of replies) {
    if (isOver) return void replies.delete(upstreamId)
  }
}

export function openSessions(limits: SessionLimits, clock: Clock): Sessions {
  return new SessionTable(limits, clock)
}

class SessionTable implements Sessions {
  readonly #limits: SessionLimits
  readonly #clock: Clock
  readonly #sessions = new Map<string, Session>()
  /** Whose sessions are being opened. */
  readonly #openings = new Set<{ readonly principalId: string }>()
  readonly #timer: NodeJS.Timeout

  constructor(limits: SessionLimits, clock: Clock) {
    this.#limits = limits
    this.#clock = clock
    this.#timer = setInterval(() => this.#endIdle(), 10_000)
    this.#timer.unref()
  }

  reserve({ id }: Principal): () => void {
    let count = 0
    for (const { principalId } of this.#openings) if (principalId === id) count++
    for (const { principalId } of this.#sessions.values()) if (principalId === id) count++
    if (count >= this.#limits.sessionsPerPrincipal)
      fail('mcp.too_many_sessions', { data: { retryAfterSeconds: 60 } })
    const opening = { principalId: id }
    this.#openings.add(opening)
    return () => void this.#openings.delete(opening)
  }

  add(principal: Principal, upstream: Upstream, link: SessionLink, id: string): Session {
    const session: Session = {
      id,
      principalId: principal.id,
      serverId: upstream.id,
      link,
      pending: new Map(),
      replies: new Map(),
      streams: new Set(),
      usedAt: this.#clock.elapsed(),
    }
    this.#sessions.set(id, session)
    return session
  }

  find(id: string, principal: Principal, upstream: Upstream): Session {
    const session = this.#sessions.get(id)
    if (session === undefined || session.principalId !== principal.id || session.serverId !== upstream.id)
      fail('mcp.session_unknown')
    this.touch(session)
    return session
  }

  touch(session: Session): void {
    session.usedAt = this.#clock.elapsed()
  }

  async end(id: string): Promise<void> {
    const ended = new GatewayError('mcp.cancelled', { why: 'The session has ended.' })
    await this.#take(id, ended)?.link.close()
  }

  forget(id: string): void {
    const why = 'The MCP server behind this address has lost the session.'
    this.#take(id, new GatewayError('mcp.session_unknown', { why }))
  }

  endOf(serverId: string): void {
    for (const session of this.#sessions.values())
      if (session.serverId === serverId) void this.end(session.id)
  }

  count(): number {
    return this.#sessions.size
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await Promise.all([...this.#sessions.keys()].map(id => this.end(id)))
  }

  #take(id: string, because: GatewayError): Session | undefined {
    const session = this.#sessions.get(id)
    if (session === undefined) return undefined
    this.#sessions.delete(id)
    for (const reply of [...session.pending.values()]) reply.stop(because)
    for (const stream of [...session.streams]) stream.end()
    return session
  }

  #endIdle(): void {
    const oldest = this.#clock.elapsed() - this.#limits.sessionIdleSeconds * 1000
    for (const session of this.#sessions.values()) {
      if (session.usedAt < oldest && session.pending.size === 0) void this.end(session.id)
    }
  }
}
