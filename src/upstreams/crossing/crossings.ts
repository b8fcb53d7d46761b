/** Ways between the eras: for a client of one to an upstream that speaks only the other. */
import type { Announcements } from '../../foundation/announcements.ts'
import type { Clock } from '../../foundation/clock.ts'
import type { Handles } from '../../foundation/handles.ts'
import type { Connections, Opening } from '../connections.ts'
import type { Equipped } from '../equipped.ts'
import type { SessionLink, StatelessLink } from '../link.ts'
import type { MirroredArgument } from '../mirrored-arguments.ts'
import { openSessionOverStateless } from './session-over-stateless.ts'
import { StatelessOverSession } from './stateless-over-session.ts'

export type CrossingParts = {
  readonly connections: Connections
  readonly handles: Handles
  readonly announcements: Announcements
  readonly clock: Clock
  readonly limits: {
    readonly messageBytes: number
    readonly callSeconds: number
    readonly callSecondsMax: number
    readonly sessionIdleSeconds: number
    readonly sessionsPerPrincipal: number
  }
  /** Which arguments of a tool are mirrored into headers, as far as its schema is known. */
  mirroredArguments(serverId: string, tool: string): readonly MirroredArgument[]
}

export type Crossings = {
  /** The way of a stateless-era client to an upstream that speaks only sessions. */
  stateless(to: Equipped): StatelessLink
  /** A session of a session-era client with an upstream that speaks only the stateless era. Check `opening.body.error`. */
  openSession(to: Equipped, opening: Opening): Promise<SessionLink>
  /** Sessions kept for clients that have none, and calls that wait for their client to come back. */
  counts(): { readonly sessions: number; readonly parked: number }
  close(): Promise<void>
}

export function openCrossings(parts: CrossingParts): Crossings {
  const down = new StatelessOverSession(parts)
  return {
    stateless: to => down.link(to),
    openSession: (to, opening) => openSessionOverStateless(parts, to, opening),
    counts: () => ({ sessions: down.sessions, parked: down.parked }),
    close: () => down.close(),
  }
}
