/** Sessions of session-era clients. A session belongs to an identity and a server, never to a token, and never authenticates anybody. */
import type { Clock } from '../foundation/clock.ts'
import { fail } from '../foundation/errors.ts'
import { newHandle } from '../foundation/id.ts'
import type { Principal } from '../identity/index.ts'
import type { SessionLink, Upstream } from '../upstreams/index.ts'
import type { Reply } from './reply.ts'

export type Session = {
  readonly id: string
  readonly principalId: string
  readonly serverId: string
  readonly link: SessionLink
  /** Requests under way by the client's id, as raw JSON (so that 1 and "1" differ). */
  readonly pending: Map<string, { readonly upstreamId: number; readonly reply: Reply }>
  usedAt: number
}

export type SessionLimits = { readonly sessionIdleSeconds: number; readonly sessionsPerPrincipal: number }

export type Sessions = {
  /** Throws `mcp.too_many_sessions`. Call before opening anything upstream. */
  checkRoom(principal: Principal): void
  add(principal: Principal, upstream: Upstream, link: SessionLink, id: string): Session
  /** The caller's own session with this server. Throws `mcp.session_unknown` for every other, existing or not. */
  find(id: string, principal: Principal, upstream: Upstream): Session
  /** Keeps it from ending as idle. */
  touch(session: Session): void
  end(id: string): Promise<void>
  /** Forgets a session whose upstream is gone; nothing is left to be told. */
  forget(id: string): void
  count(): number
  close(): Promise<void>
}

export const newSessionId = newHandle

export function openSessions(limits: SessionLimits, clock: Clock): Sessions {
  const sessions = new Map<string, Session>()
  const timer = setInterval(() => endIdle(), 10_000)
  timer.unref()

  async function end(id: string): Promise<void> {
    const session = sessions.get(id)
    sessions.delete(id)
    await session?.link.close()
  }

  function endIdle(): void {
    const oldest = clock.elapsed() - limits.sessionIdleSeconds * 1000
    for (const session of sessions.values()) {
      if (session.usedAt < oldest && session.pending.size === 0) void end(session.id)
    }
  }

  return {
    checkRoom(principal) {
      let count = 0
      for (const { principalId } of sessions.values()) if (principalId === principal.id) count++
      if (count >= limits.sessionsPerPrincipal)
        fail('mcp.too_many_sessions', { data: { retryAfterSeconds: 60 } })
    },
    add(principal, upstream, link, id) {
      const session = {
        id,
        principalId: principal.id,
        serverId: upstream.id,
        link,
        pending: new Map(),
        usedAt: clock.elapsed(),
      }
      sessions.set(id, session)
      return session
    },
    find(id, principal, upstream) {
      const session = sessions.get(id)
      if (session === undefined || session.principalId !== principal.id || session.serverId !== upstream.id)
        fail('mcp.session_unknown')
      session.usedAt = clock.elapsed()
      return session
    },
    touch(session) {
      session.usedAt = clock.elapsed()
    },
    end,
    forget: id => void sessions.delete(id),
    count: () => sessions.size,
    async close() {
      clearInterval(timer)
      await Promise.all([...sessions.keys()].map(end))
    },
  }
}
