/** Sessions with upstreams for clients that have none of their own: opened when needed, kept while used, ended when idle. */
import type { Clock } from '../../foundation/clock.ts'
import { fail, GatewayError } from '../../foundation/errors.ts'
import type { Connections } from '../connections.ts'
import type { Equipped } from '../equipped.ts'
import { nextUpstreamId } from '../message.ts'
import type { ClientFace } from './client-face.ts'
import { PooledSession } from './pooled-session.ts'

export type PoolParts = {
  readonly connections: Connections
  readonly clock: Clock
  readonly limits: { readonly sessionIdleSeconds: number; readonly sessionsPerPrincipal: number }
  /** The upstream said that a list of its changed. */
  listChanged(serverId: string): void
}

/** A session for one request; an exclusive one has no other request that its server could mean when it asks back. */
export type Lease = { readonly session: PooledSession; release(): void }

type Place = { readonly to: Equipped; readonly face: ClientFace }

/** Never shared between principals, credentials, capabilities: each is part of the key, and of what the server was told. */
function keyOf({ to, face }: Place): string {
  const { upstream, principalId, own, edition = '' } = to
  return [upstream.id, upstream.version, principalId, edition, own?.digest ?? '', face.fingerprint].join('\n')
}

export class SessionPool {
  readonly #parts: PoolParts
  /** By key, in the order of their opening. */
  readonly #sessions = new Map<string, Set<PooledSession>>()
  /** Sessions being opened that others may share, by key. */
  readonly #opening = new Map<string, Promise<PooledSession>>()
  /** How many are being opened, by principal. */
  readonly #openings = new Map<string, number>()
  readonly #timer: NodeJS.Timeout

  constructor(parts: PoolParts) {
    this.#parts = parts
    this.#timer = setInterval(() => this.#endIdle(), 10_000)
    this.#timer.unref()
  }

  get size(): number {
    return this.#all().length
  }

  /** Throws `upstream.*` when none can be opened, `mcp.too_many_sessions` when the caller has too many in use. */
  async lease(place: Place, isExclusive: boolean): Promise<Lease> {
    const key = keyOf(place)
    const free = this.#free(key, isExclusive)
    free?.enter(isExclusive)
    const session = free ?? (await this.#open(key, place, isExclusive))
    let isHeld = true
    return {
      session,
      release: () => {
        if (!isHeld) return
        isHeld = false
        session.leave(isExclusive, this.#parts.clock.elapsed())
      },
    }
  }

  /** Ends every session with a server that is not what it was. */
  endOf(serverId: string): void {
    for (const session of this.#all()) if (session.serverId === serverId) void this.#end(session)
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await Promise.allSettled(this.#opening.values())
    await Promise.all(this.#all().map(session => this.#end(session)))
  }

  // The first that is free, so that calls one after the other meet the same session: some servers keep what they did in it.
  #free(key: string, isExclusive: boolean): PooledSession | undefined {
    for (const session of this.#sessions.get(key) ?? []) if (!isExclusive || !session.isTaken) return session
    return undefined
  }

  async #open(key: string, place: Place, isExclusive: boolean): Promise<PooledSession> {
    if (isExclusive) {
      const session = await this.#opened(key, place)
      session.enter(true)
      this.#add(session)
      return session
    }
    const session = await (this.#opening.get(key) ?? this.#openShared(key, place))
    session.enter(false)
    return session
  }

  #openShared(key: string, place: Place): Promise<PooledSession> {
    const opening = this.#opened(key, place)
      .then(session => {
        this.#add(session)
        return session
      })
      .finally(() => this.#opening.delete(key))
    this.#opening.set(key, opening)
    return opening
  }

  async #opened(key: string, { to, face }: Place): Promise<PooledSession> {
    const { principalId } = to
    this.#makeRoom(principalId)
    this.#openings.set(principalId, (this.#openings.get(principalId) ?? 0) + 1)
    try {
      return await this.#handshake(key, { to, face })
    } finally {
      const left = (this.#openings.get(principalId) ?? 1) - 1
      if (left === 0) this.#openings.delete(principalId)
      else this.#openings.set(principalId, left)
    }
  }

  #makeRoom(principalId: string): void {
    const own = this.#all().filter(session => session.principalId === principalId)
    if (own.length + (this.#openings.get(principalId) ?? 0) < this.#parts.limits.sessionsPerPrincipal) return
    const idle = own.filter(({ isIdle }) => isIdle).sort((a, b) => a.usedAt - b.usedAt)[0]
    if (idle === undefined) fail('mcp.too_many_sessions', { data: { retryAfterSeconds: 5 } })
    void this.#end(idle)
  }

  async #handshake(key: string, { to, face }: Place): Promise<PooledSession> {
    const upstreamId = nextUpstreamId()
    const body = { jsonrpc: '2.0', id: upstreamId, method: 'initialize', params: face.params }
    let session: PooledSession | undefined
    let isLost = false
    const link = await this.#parts.connections.openSession(to, {
      body: Buffer.from(JSON.stringify(body)),
      upstreamId,
      clientId: String(upstreamId),
      params: face.params,
      lost: () => {
        isLost = true
        if (session) this.#forget(session)
      },
    })
    if (link.opening.body.error !== undefined) {
      await link.close()
      throw new GatewayError('upstream.bad_answer', { why: 'It refused initialize.' })
    }
    const { id: serverId } = to.upstream
    const listChanged = () => this.#parts.listChanged(serverId)
    const of = {
      key,
      serverId,
      principalId: to.principalId,
      usedAt: this.#parts.clock.elapsed(),
      listChanged,
    }
    session = new PooledSession(link, of)
    await link.notify(
      'notifications/initialized',
      Buffer.from('{"jsonrpc":"2.0","method":"notifications/initialized"}'),
    )
    if (isLost)
      throw new GatewayError('upstream.unreachable', { why: 'It lost its session as soon as it was opened.' })
    return session
  }

  #all(): PooledSession[] {
    return [...this.#sessions.values()].flatMap(sessions => [...sessions])
  }

  #add(session: PooledSession): void {
    const sessions = this.#sessions.get(session.key) ?? new Set()
    this.#sessions.set(session.key, sessions.add(session))
  }

  #remove(session: PooledSession): void {
    const sessions = this.#sessions.get(session.key)
    sessions?.delete(session)
    if (sessions?.size === 0) this.#sessions.delete(session.key)
  }

  #forget(session: PooledSession): void {
    this.#remove(session)
    session.lose()
  }

  async #end(session: PooledSession): Promise<void> {
    this.#remove(session)
    await session.close()
  }

  #endIdle(): void {
    const oldest = this.#parts.clock.elapsed() - this.#parts.limits.sessionIdleSeconds * 1000
    for (const session of this.#all()) if (session.isIdle && session.usedAt < oldest) void this.#end(session)
  }
}
