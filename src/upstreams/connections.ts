/** The live ways to upstreams. Everything stateful is keyed by who it is for; nothing here decides who may use it. */
import type { Announcements } from '../foundation/announcements.ts'
import type { Clock } from '../foundation/clock.ts'
import { GatewayError } from '../foundation/errors.ts'
import { canonical } from '../foundation/json.ts'
import type { Equipped } from './equipped.ts'
import type { Outgoing, SessionLink, StatelessLink } from './link.ts'
import { openDeadlines } from './transports/deadlines.ts'
import { postRequest } from './transports/http.ts'
import type { AnswerLimits } from './transports/http-answer.ts'
import { openHttpSession } from './transports/http-session.ts'
import type { Processes } from './transports/process.ts'
import { openRestarts } from './transports/restarts.ts'
import { openSseSession } from './transports/sse.ts'
import { StdioServer } from './transports/stdio.ts'
import { openWire, type Wire } from './transports/wire.ts'
import type { Era, StoredTransport, Upstream } from './upstream.ts'

type StdioTransport = Extract<StoredTransport, { kind: 'stdio' }>

export type ConnectionParts = {
  readonly announcements: Announcements
  readonly clock: Clock
  readonly processes: Processes
  readonly limits: AnswerLimits & { readonly connectSeconds: number }
}

/** A client's `initialize` on its way upstream. */
export type Opening = {
  readonly body: Buffer
  readonly upstreamId: number
  readonly clientId: string
  readonly capabilities: unknown
  lost(): void
}

const connectionsPerUpstream = 256

export type Connections = ReturnType<typeof openConnections>

export function openConnections(parts: ConnectionParts) {
  const deadlines = openDeadlines()
  const wires = new Map<string, { readonly version: number; readonly wire: Wire }>()
  const servers = new Map<string, StdioServer>()

  const stopListening = parts.announcements.listen('upstream.changed', ({ serverId }) => dropOf(serverId))

  function dropOf(serverId: string): void {
    void wires.get(serverId)?.wire.close()
    wires.delete(serverId)
    for (const [key, server] of servers) {
      if (!key.startsWith(`${serverId}\n`)) continue
      servers.delete(key)
      void server.close()
    }
  }

  function wireTo(upstream: Upstream): Wire {
    const known = wires.get(upstream.id)
    if (known?.version === upstream.version) return known.wire
    if (upstream.transport.kind === 'stdio')
      throw new GatewayError('internal.unexpected', { internal: 'no wire to a process' })
    dropOf(upstream.id)
    const wire = openWire(
      upstream.transport,
      { connectSeconds: parts.limits.connectSeconds, connections: connectionsPerUpstream },
      deadlines,
    )
    wires.set(upstream.id, { version: upstream.version, wire })
    return wire
  }

  const listChanged = (serverId: string) => () =>
    parts.announcements.announce({ topic: 'catalogue.changed', serverId })

  function stdioServer(
    to: Equipped,
    transport: StdioTransport,
    era: Era,
    capabilities: unknown,
  ): StdioServer {
    const { upstream } = to
    const isOwn = transport.instance === 'per-user'
    const whose = isOwn ? [to.principalId, era === 'session' ? canonical(capabilities) : ''] : []
    const key = [upstream.id, upstream.version, era, ...whose].join('\n')
    const known = servers.get(key)
    if (known) return known
    const server = new StdioServer({
      spec: { command: transport.command, args: transport.args, env: to.environment() },
      era,
      capabilities: isOwn ? capabilities : undefined,
      asksBack: isOwn,
      idleSeconds: transport.idleSeconds,
      processes: parts.processes,
      restarts: openRestarts(parts.clock),
      limits: parts.limits,
      deadlines,
      listChanged: listChanged(upstream.id),
    })
    servers.set(key, server)
    return server
  }

  return {
    /** The way to an upstream in the stateless era. A promise only where a process must be started. */
    stateless(to: Equipped): StatelessLink | Promise<StatelessLink> {
      const { transport } = to.upstream
      if (transport.kind === 'stdio')
        return stdioServer(to, transport, 'stateless', undefined).openStateless()
      if (transport.kind === 'sse')
        throw new GatewayError('mcp.era_unsupported', {
          why: 'HTTP+SSE servers speak only revisions with sessions.',
        })
      const wire = wireTo(to.upstream)
      return { request: outgoing => statelessRequest(wire, to.headers, outgoing, parts.limits) }
    },

    /** Opens a session with an upstream in the session era. Check `opening.body.error`: the upstream may have refused. */
    openSession(to: Equipped, opening: Opening): Promise<SessionLink> {
      const { upstream, headers } = to
      const { transport } = upstream
      if (transport.kind === 'stdio')
        return stdioServer(to, transport, 'session', opening.capabilities).openSession(opening.lost)
      const shared = { wire: wireTo(upstream), headers, limits: parts.limits, lost: opening.lost }
      if (transport.kind === 'streamable-http')
        return openHttpSession(shared, opening.body, opening.upstreamId, opening.clientId)
      const sse = { ...shared, url: transport.url, deadlines, listChanged: listChanged(upstream.id) }
      return openSseSession(sse, opening.body, opening.upstreamId, opening.clientId)
    },

    running: () => parts.processes.running(),

    async close(): Promise<void> {
      stopListening()
      deadlines.close()
      await Promise.all([
        ...[...wires.values()].map(({ wire }) => wire.close()),
        ...[...servers.values()].map(server => server.close()),
      ])
      await parts.processes.close()
    },
  }
}

function statelessRequest(wire: Wire, headers: readonly string[], outgoing: Outgoing, limits: AnswerLimits) {
  const { upstreamId, sink, endless } = outgoing
  return postRequest(wire, [...headers, ...outgoing.mirrored], outgoing.body, {
    upstreamId,
    sink,
    limits,
    endless,
  })
}
