/** Sessions of session-era clients. A session belongs to an identity and a server, never to a token, and never authenticates anybody. */
import { hash } from 'node:crypto'
import type { Clock } from '../foundation/clock.ts'
import { fail, GatewayError } from '../foundation/errors.ts'
import type { Principal } from '../identity/index.ts'
import type { Served } from '../servers/index.ts'
import type { Equipped, SessionLink } from '../upstreams/index.ts'
import { OwnAsks } from './connect-first.ts'
import { ReplayStore } from './replay.ts'
import type { Reply } from './reply.ts'
import type { OpenStream } from './streams.ts'
import type { Unasked } from './unasked.ts'

export type NewSession = {
  readonly id: string
  readonly link: SessionLink
  /** The revision that was agreed on in `initialize`. */
  readonly version: string
  /** What its server was opened with; absent where several are behind it. */
  readonly equipped?: Equipped
  /** Its client can lead its person to a web page. */
  readonly canOpenUrls: boolean
}

/** Of how many tasks of a session progress is passed on. */
const tasksHeard = 32

/** One session of one client with one server. */
export class Session {
  readonly id: string
  readonly principalId: string
  readonly serverId: string
  readonly link: SessionLink
  readonly version: string
  readonly equipped: Equipped | undefined
  readonly canOpenUrls: boolean
  /** What the gateway itself asks the client. */
  readonly asks = new OwnAsks()
  /** Requests under way by the client's id, as raw JSON (so that 1 and "1" differ). */
  readonly pending = new Map<string, Reply>()
  /** Streams that are open besides those of requests. */
  readonly streams = new Set<OpenStream>()
  /** What its server says by itself; undefined as long as the client never listened. */
  unasked: Unasked | undefined
  usedAt: number
  readonly #clock: Clock
  #replay: ReplayStore | undefined
  readonly #outlived: Reply[] = []

  constructor(principal: Principal, upstream: Served, parts: NewSession & { readonly clock: Clock }) {
    this.principalId = principal.id
    this.serverId = upstream.id
    this.id = parts.id
    this.link = parts.link
    this.version = parts.version
    this.equipped = parts.equipped
    this.canOpenUrls = parts.canOpenUrls
    this.#clock = parts.clock
    this.usedAt = parts.clock.elapsed()
  }

  /** What was said on its streams and may have to be said again. */
  get replay(): ReplayStore {
    this.#replay ??= new ReplayStore(() => this.#clock.elapsed())
    return this.#replay
  }

  /** Drops what was kept for long enough. */
  expire(): void {
    this.#replay?.expire()
  }

  /** Streams begin with an event to resume from; clients of older revisions stumble over events without a message. */
  get isPrimed(): boolean {
    return this.version >= '2025-11-25'
  }

  /** The request under way that has this id upstream, or what became a task. */
  reply(upstreamId: unknown): Reply | undefined {
    for (const reply of this.pending.values()) if (reply.upstreamId === upstreamId) return reply
    return this.#outlived.find(reply => reply.upstreamId === upstreamId)
  }

  /** A call became a task, which goes on after its answer, and its progress with it. */
  outlives(reply: Reply): void {
    this.#outlived.push(reply)
    if (this.#outlived.length > tasksHeard) this.#outlived.shift()
  }
}

export type SessionLimits = { readonly sessionIdleSeconds: number; readonly sessionsPerPrincipal: number }

export type Sessions = {
  /** Takes a place for a session that is about to be opened, and gives the function that frees it again. Throws `mcp.too_many_sessions`. */
  reserve(principal: Principal): () => void
  /** Throws `mcp.session_unknown` when it was ended while it was being opened. */
  add(principal: Principal, upstream: Served, parts: NewSession): Session
  /** The caller's own session with this server; undefined for every other, existing or not. Throws `mcp.session_unknown` for one that was ended. */
  find(id: string, principal: Principal, upstream: Served): Session | undefined
  /** Opens a session that another process or another time had, once for all who ask at the same time. */
  revive(id: string, open: () => Promise<Session>): Promise<Session>
  /** Keeps it from ending as idle. */
  touch(session: Session): void
  /** Ends it for good, with all that is under way in it, here and upstream. */
  end(id: string): Promise<void>
  /** Forgets a session whose upstream is gone; nothing is left to be told there. */
  forget(id: string): void
  /** Ends every session with a server that is not what it was. */
  endOf(serverId: string): void
  count(): number
  close(): Promise<void>
}

/** How many sessions that were ended are remembered, so that nobody revives them. */
const rememberedEnds = 10_000

export function openSessions(limits: SessionLimits, clock: Clock): Sessions {
  return new SessionTable(limits, clock)
}

class SessionTable implements Sessions {
  readonly #limits: SessionLimits
  readonly #clock: Clock
  readonly #sessions = new Map<string, Session>()
  /** Whose sessions are being opened. */
  readonly #openings = new Set<{ readonly principalId: string }>()
  readonly #revivals = new Map<string, Promise<Session>>()
  /** Hashes of the ids of sessions that were ended, oldest first. */
  readonly #ended = new Set<string>()
  readonly #timer: NodeJS.Timeout

  constructor(limits: SessionLimits, clock: Clock) {
    this.#limits = limits
    this.#clock = clock
    this.#timer = setInterval(() => this.#sweep(), 10_000)
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

  add(principal: Principal, upstream: Served, parts: NewSession): Session {
    if (this.#isEnded(parts.id)) fail('mcp.session_unknown')
    const session = new Session(principal, upstream, { ...parts, clock: this.#clock })
    this.#sessions.set(session.id, session)
    return session
  }

  find(id: string, principal: Principal, upstream: Served): Session | undefined {
    const session = this.#sessions.get(id)
    if (session === undefined) {
      if (this.#isEnded(id)) fail('mcp.session_unknown')
      return undefined
    }
    if (session.principalId !== principal.id || session.serverId !== upstream.id) return undefined
    this.touch(session)
    return session
  }

  async revive(id: string, open: () => Promise<Session>): Promise<Session> {
    const known = this.#revivals.get(id)
    if (known !== undefined) return known
    const opening = open()
    this.#revivals.set(id, opening)
    try {
      return await opening
    } finally {
      this.#revivals.delete(id)
    }
  }

  touch(session: Session): void {
    session.usedAt = this.#clock.elapsed()
  }

  async end(id: string): Promise<void> {
    this.#ended.add(markOf(id))
    for (const oldest of this.#ended) {
      if (this.#ended.size <= rememberedEnds) break
      this.#ended.delete(oldest)
    }
    await this.#close(id)
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
    await Promise.all([...this.#sessions.keys()].map(id => this.#close(id)))
  }

  #isEnded(id: string): boolean {
    return this.#ended.size > 0 && this.#ended.has(markOf(id))
  }

  async #close(id: string): Promise<void> {
    const ended = new GatewayError('mcp.cancelled', { why: 'The session has ended.' })
    await this.#take(id, ended)?.link.close()
  }

  #take(id: string, because: GatewayError): Session | undefined {
    const session = this.#sessions.get(id)
    if (session === undefined) return undefined
    this.#sessions.delete(id)
    for (const reply of [...session.pending.values()]) reply.stop(because)
    session.asks.close()
    for (const stream of [...session.streams]) stream.end()
    session.unasked?.close()
    return session
  }

  // One that ended as idle may be revived.
  #sweep(): void {
    const oldest = this.#clock.elapsed() - this.#limits.sessionIdleSeconds * 1000
    for (const session of this.#sessions.values()) {
      session.expire()
      if (session.usedAt < oldest && session.pending.size === 0) void this.#close(session.id)
    }
  }
}

// Ids are long; what is remembered of them is not.
function markOf(id: string): string {
  return hash('sha256', id, 'base64')
}
