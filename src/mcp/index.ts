/** The MCP plane: the way in for MCP clients of both eras. */

import type { Access } from '../access/index.ts'
import type { AuditRecord } from '../audit/index.ts'
import type { Config } from '../config/schema.ts'
import type { Addresses } from '../foundation/addresses.ts'
import type { Announcements } from '../foundation/announcements.ts'
import type { Clock } from '../foundation/clock.ts'
import type { FailureLimit } from '../foundation/failure-limit.ts'
import type { Guards } from '../foundation/guards.ts'
import type { Handles } from '../foundation/handles.ts'
import type { Log } from '../foundation/log.ts'
import { type Identity, isRejection } from '../identity/index.ts'
import { everythingId, type Servers } from '../servers/index.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import {
  type Catalogue,
  type Connections,
  type Crossings,
  gatewayItself,
  openListWatch,
  type Register,
} from '../upstreams/index.ts'
import type { Equip, Vault } from '../vault/index.ts'
import { openAgain } from './again.ts'
import { mayList, mayUse } from './clear.ts'
import { openCorrect } from './correct.ts'
import { type Door, openDoor } from './door.ts'
import type { Exchange } from './exchange.ts'
import { openSessions } from './sessions.ts'
import { openStreams } from './streams.ts'
import { Tasks } from './tasks.ts'

export { clientNotifications, type MethodRow, methods } from './methods.ts'

export type McpParts = {
  readonly access: Access
  readonly addresses: Addresses
  readonly announcements: Announcements
  readonly audit: AuditRecord
  readonly catalogue: Catalogue
  readonly clock: Clock
  readonly config: Config
  readonly connections: Connections
  readonly crossings: Crossings
  readonly failures: FailureLimit
  readonly guards: Guards
  readonly handles: Handles
  readonly identity: Identity
  readonly log: Log
  readonly metrics: Metrics
  readonly register: Register
  readonly servers: Servers
  readonly vault: Equip & Pick<Vault, 'whenConnected'>
}

export type Mcp = {
  readonly handle: Door
  sessions(): number
  streams(): number
  /** Ends every stream that would not end by itself, for a drain. */
  endStreams(): void
  close(): Promise<void>
}

/** What the address stands for now; undefined when it stands for nothing any more. */
function servedNow({ servers }: McpParts, { served }: Exchange) {
  return served?.id === everythingId ? served : served && servers.find(served.group, served.name)
}

export function openMcp(parts: McpParts): Mcp {
  const { announcements, config, identity, access, metrics } = parts
  const { callSeconds, callSecondsMax } = config.limits
  const sessions = openSessions(config.limits, parts.clock)

  // What stays open must stay allowed: whenever people, tokens, grants or servers change, every stream is asked for anew.
  async function isStillAllowed(exchange: Exchange): Promise<boolean> {
    const { principal } = exchange
    if (principal === undefined) return false
    const outcome = await identity.recheck(principal, exchange.request.url?.split('?', 1)[0])
    const upstream = servedNow(parts, exchange)
    if (isRejection(outcome) || upstream === undefined) return false
    // What they hear from now on is decided by who they are now.
    exchange.principal = outcome
    return mayUse(access, outcome, upstream)
  }
  const streams = openStreams({
    clock: parts.clock,
    perPrincipal: config.limits.streamsPerPrincipal,
    isAllowed: isStillAllowed,
    unchecked: error => parts.log.error({ err: error }, 'an open stream could not be checked'),
  })
  const stops = [
    announcements.listen('identity.changed', streams.recheck),
    announcements.listen('access.changed', streams.recheck),
    announcements.listen('upstream.changed', ({ serverId }) => {
      sessions.endOf(serverId)
      streams.recheck()
    }),
  ]
  const correct = openCorrect({ ...parts, callSeconds })
  const watch = openListWatch({ ...parts, equip: upstream => parts.vault.equip(upstream, gatewayItself) })
  const door = openDoor({
    ...parts,
    sessions,
    sse: new Map(),
    streams,
    watch,
    tasks: new Tasks({ handles: parts.handles, mayCall: (owner, tool) => mayList(parts, owner, tool) }),
    requestBytes: config.limits.requestBytes,
    toolList: config.mcp,
    callSeconds,
    callSecondsMax,
    again: openAgain({ metrics, callSeconds, correct }),
    correct,
    argumentsInFull: config.audit.arguments === 'full',
    listChanged: serverId => announcements.announce({ topic: 'catalogue.changed', serverId }),
  })
  return {
    handle: door,
    sessions: () => sessions.count(),
    streams: streams.count,
    endStreams: streams.endLasting,
    async close() {
      for (const stop of stops) stop()
      streams.close()
      watch.close()
      await sessions.close()
    },
  }
}
