/** The MCP plane: the way in for MCP clients of both eras. */

import type { Access } from '../access/index.ts'
import type { AuditRecord } from '../audit/index.ts'
import type { Config } from '../config/schema.ts'
import type { Announcements } from '../foundation/announcements.ts'
import type { Clock } from '../foundation/clock.ts'
import type { FailureLimit } from '../foundation/failure-limit.ts'
import type { Guards } from '../foundation/guards.ts'
import type { Log } from '../foundation/log.ts'
import { type Identity, isRejection } from '../identity/index.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Catalogue, Connections, Register } from '../upstreams/index.ts'
import type { Vault } from '../vault/index.ts'
import { mayUse } from './clear.ts'
import { type Door, openDoor } from './door.ts'
import type { Exchange } from './exchange.ts'
import { openSessions } from './sessions.ts'
import { openStreams } from './streams.ts'

export type McpParts = {
  readonly access: Access
  readonly announcements: Announcements
  readonly audit: AuditRecord
  readonly catalogue: Catalogue
  readonly clock: Clock
  readonly config: Config
  readonly connections: Connections
  readonly failures: FailureLimit
  readonly guards: Guards
  readonly identity: Identity
  readonly log: Log
  readonly metrics: Metrics
  readonly register: Register
  readonly vault: Vault
}

export type Mcp = {
  readonly handle: Door
  sessions(): number
  streams(): number
  /** Ends every open stream, for a drain. */
  endStreams(): void
  close(): Promise<void>
}

export function openMcp(parts: McpParts): Mcp {
  const { announcements, config, register, identity, access } = parts
  const sessions = openSessions(config.limits, parts.clock)
  const streams = openStreams()

  // What stays open must stay allowed: whenever people, tokens, grants or servers change, every stream is asked for anew.
  async function isStillAllowed(exchange: Exchange): Promise<boolean> {
    const { principal } = exchange
    if (principal === undefined) return false
    const outcome = await identity.recheck(principal)
    const [group = '', server = ''] = exchange.target?.split('/') ?? []
    const upstream = register.find(group, server)
    return !isRejection(outcome) && upstream !== undefined && mayUse(access, outcome, upstream)
  }
  const recheck = () => {
    streams
      .recheck(isStillAllowed)
      .catch(error => parts.log.error({ err: error }, 'open streams could not be checked'))
  }
  const stops = [
    announcements.listen('identity.changed', recheck),
    announcements.listen('access.changed', recheck),
    announcements.listen('upstream.changed', recheck),
  ]
  const door = openDoor({
    ...parts,
    sessions,
    streams,
    requestBytes: config.limits.requestBytes,
    argumentsInFull: config.audit.arguments === 'full',
    listChanged: serverId => announcements.announce({ topic: 'catalogue.changed', serverId }),
  })
  return {
    handle: door,
    sessions: sessions.count,
    streams: streams.count,
    endStreams: () => streams.endAll(),
    async close() {
      for (const stop of stops) stop()
      streams.close()
      await sessions.close()
    },
  }
}
