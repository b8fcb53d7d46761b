/** The live ways to upstreams. Everything stateful is keyed by who it is for; nothing here decides who may use it. */
import type { Announcements } from '../foundation/announcements.ts'
import type { Clock } from '../foundation/clock.ts'
import { GatewayError } from '../foundation/errors.ts'
import { canonical, type JsonObject } from '../foundation/json.ts'
import { checkCommand } from './command-policy.ts'
import type { Equipped } from './equipped.ts'
import { type Attempt, HealingSession } from './healing-session.ts'
import type { SessionLink, StatelessLink } from './link.ts'
import { openDeadlines } from './transports/deadlines.ts'
import { postRequest } from './transports/http.ts'
import type { AnswerLimits } from './transports/http-answer.ts'
import { openHttpSession } from './transports/http-session.ts'
import type { Processes } from './transports/process.ts'
import { openRestarts } from './transports/restarts.ts'
import { openSseSession } from './transports/sse.ts'
import { StdioServer } from './transports/stdio.ts'
import { openWire, type Wire } from './transports/wire.ts'
import type { Era, HttpTransport, StoredTransport, Upstream } from './upstream.ts'

type StdioTransport = Extract<StoredTransport, { kind: 'stdio' }>

export type ConnectionParts = {
  readonly announcements: Announcements
  readonly clock: Clock
  readonly processes: Processes
  /** Where bare command names are looked up. */
  readonly searchPath: string
  readonly limits: AnswerLimits & { readonly connectSeconds: number }
}

/** A client's `initialize` on its way upstream. */
export type Opening = {
  readonly body: Buffer
  readonly upstreamId: number
  readonly clientId: string
  /** Its parameters, with what the client can do reduced to what the gateway relays. */
  readonly params: JsonObject
  lost(): void
}

const connectionsPerUpstream = 256

/** The live ways to upstreams. */
export class Connections {
  readonly #parts: ConnectionParts
  readonly #deadlines = openDeadlines()
  readonly #wires = new Map<string, { readonly version: number; readonly wire: Wire }>()
  readonly #servers = new Map<string, StdioServer>()
  /** Open sessions, and whose server they are with. */
  readonly #sessions = new Map<HealingSession, string>()
  readonly #stopListening: () => void
  #isClosed = false

  constructor(parts: ConnectionParts) {
    this.#parts = parts
    this.#stopListening = parts.announcements.listen('upstream.changed', ({ serverId }) =>
      this.#drop(serverId),
    )
  }

  /** The way to an upstream in the stateless era. A promise only where a process must be started. */
  stateless(to: Equipped): StatelessLink | Promise<StatelessLink> {
    const { transport } = to.upstream
    if (transport.kind === 'stdio')
      return this.#server(to, transport, { era: 'stateless' }).openStateless(to.principalId)
    if (transport.kind === 'sse') {
      throw new GatewayError('mcp.era_unsupported', {
        why: 'HTTP+SSE servers speak only revisions with sessions.',
      })
    }
    const wire = this.#wire(to.upstream, transport)
    const { limits } = this.#parts
    return {
      request: ({ upstreamId, sink, endless, mirrored, body, latest, credentials = to }) =>
        postRequest(wire, { to: credentials, own: mirrored }, body, {
          upstreamId,
          sink,
          limits,
          endless,
          latest,
        }),
    }
  }

  /** Opens a session with an upstream in the session era. Check `opening.body.error`: the upstream may have refused. */
  async openSession(to: Equipped, opening: Opening): Promise<SessionLink> {
    const { body, upstreamId, clientId, lost } = opening
    // All that is needed to open it again; the rest of the opening is not to be kept for as long as the session.
    const { capabilities } = opening.params
    const session = new HealingSession({
      body,
      upstreamId,
      patience: { deadlines: this.#deadlines, callSeconds: this.#parts.limits.callSeconds },
      open: attempt => this.#openSession(to, { clientId, capabilities }, attempt),
      lost,
      closed: () => this.#sessions.delete(session),
    })
    await session.begin()
    this.#sessions.set(session, to.upstream.id)
    return session
  }

  #openSession(
    to: Equipped,
    { clientId, capabilities }: { clientId: string; capabilities: unknown },
    attempt: Attempt,
  ): Promise<SessionLink> {
    const { upstream } = to
    const { transport } = upstream
    const { body, upstreamId, lost } = attempt
    if (transport.kind === 'stdio')
      return this.#server(to, transport, { era: 'session', capabilities }).openSession(to.principalId, lost)
    const shared = { wire: this.#wire(upstream, transport), to, limits: this.#parts.limits, lost }
    if (transport.kind === 'streamable-http') return openHttpSession(shared, body, upstreamId, clientId)
    const listChanged = () => this.#listChanged(upstream.id)
    const sse = { ...shared, url: transport.url, deadlines: this.#deadlines, listChanged }
    return openSseSession(sse, body, upstreamId, clientId)
  }

  /** Ends the processes of a stdio server for an era that nobody uses at the moment: it turned out not to speak it. */
  endUnused(upstream: Upstream, era: Era): void {
    const place = [upstream.id, upstream.version, era].join('\n')
    for (const [key, server] of this.#servers) {
      if (key === place || key.startsWith(`${place}\n`)) server.rest()
    }
  }

  /** How many processes of stdio servers run. */
  running(): number {
    return this.#parts.processes.running()
  }

  /** How many sessions with upstreams are open. */
  sessions(): number {
    return this.#sessions.size
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#stopListening()
    this.#deadlines.close()
    for (const session of this.#sessions.keys()) session.forsake()
    const wires = [...this.#wires.values()].map(({ wire }) => wire.close())
    await Promise.all([...wires, ...[...this.#servers.values()].map(server => server.close())])
    await this.#parts.processes.close()
  }

  #listChanged(serverId: string): void {
    this.#parts.announcements.announce({ topic: 'catalogue.changed', serverId })
  }

  // Ends what was opened for a server as it was; closing goes on by itself and reports to whoever was using it.
  #drop(serverId: string): void {
    for (const [session, id] of this.#sessions) if (id === serverId) session.forsake()
    void this.#wires.get(serverId)?.wire.close()
    this.#wires.delete(serverId)
    for (const [key, server] of this.#servers) {
      if (!key.startsWith(`${serverId}\n`)) continue
      this.#servers.delete(key)
      void server.close()
    }
  }

  #forget(key: string, server: StdioServer): void {
    if (this.#servers.get(key) === server) this.#servers.delete(key)
    void server.close()
  }

  #wire(upstream: Upstream, transport: HttpTransport): Wire {
    if (this.#isClosed) throw new GatewayError('upstream.unreachable', { why: 'The gateway is stopping.' })
    const known = this.#wires.get(upstream.id)
    if (known?.version === upstream.version) return known.wire
    this.#drop(upstream.id)
    const { connectSeconds } = this.#parts.limits
    const wire = openWire(transport, { connectSeconds, connections: connectionsPerUpstream }, this.#deadlines)
    this.#wires.set(upstream.id, { version: upstream.version, wire })
    return wire
  }

  #server(
    to: Equipped,
    transport: StdioTransport,
    opening: { era: Era; capabilities?: unknown },
  ): StdioServer {
    // What one caller gave for themselves is in no process that others use.
    const isOwn = transport.instance === 'per-user' || to.edition !== undefined
    const whose = isOwn
      ? [
          to.principalId,
          to.edition ?? '',
          opening.era === 'session' ? canonical(opening.capabilities ?? null) : '',
        ]
      : []
    const key = [to.upstream.id, to.upstream.version, opening.era, ...whose].join('\n')
    const known = this.#servers.get(key)
    if (known) return known
    const { processes, limits, searchPath, clock } = this.#parts
    const server = new StdioServer({
      spec: { command: transport.command, args: transport.args, env: to.environment() },
      checkCommand: () => checkCommand(transport, searchPath),
      era: opening.era,
      capabilities: isOwn ? opening.capabilities : undefined,
      asksBack: isOwn,
      idleSeconds: transport.idleSeconds,
      processes,
      restarts: openRestarts(clock),
      limits,
      deadlines: this.#deadlines,
      listChanged: () => this.#listChanged(to.upstream.id),
      idled: () => this.#forget(key, server),
    })
    this.#servers.set(key, server)
    return server
  }
}
