/** HTTP+SSE (MCP 2024-11-05, basic/transports): a stream to the client, POSTs from it. The stream is the session, and ends with it. */
import { fail } from '../foundation/errors.ts'
import { newHandle } from '../foundation/id.ts'
import type { Principal } from '../identity/index.ts'
import type { Served } from '../servers/index.ts'
import { answerOk } from './answer-ok.ts'
import type { Incoming } from './classify.ts'
import { Follow } from './follow.ts'
import { endpointFrame } from './frame.ts'
import { unaskedOf } from './listen-door.ts'
import { initialize, type SessionParts } from './open-session.ts'
import { serveMessage } from './session-door.ts'
import type { Session } from './sessions.ts'
import type { Visit } from './stateless.ts'
import { StreamOutlet } from './stream-outlet.ts'

/** One client's stream, and the session it opened on it. */
type SseConnection = {
  readonly id: string
  readonly principalId: string
  readonly serverId: string
  readonly follow: Follow
  isOpening: boolean
  session: Session | undefined
  /** Frees the place it holds among the caller's sessions until it has one. */
  readonly free: () => void
}

export type SseConnections = Map<string, SseConnection>

export type SseParts = SessionParts & { readonly sse: SseConnections }

/** More requests at once are no client's, and nothing else bounds them: each POST is over before its answer comes. */
const maxPending = 256

/** GET: opens the stream and says where to POST. */
export function openSse(parts: SseParts, visit: Omit<Visit, 'bytes'>): void {
  const { exchange, principal, upstream } = visit
  const id = newHandle()
  const free = parts.sessions.reserve(principal)
  const follow: Follow = new Follow(exchange, {
    kept: undefined,
    isLasting: () => (connection.session?.pending.size ?? 0) === 0,
    used: () => {
      if (connection.session !== undefined) parts.sessions.touch(connection.session)
    },
    ended: () => close(parts, connection),
  })
  const connection: SseConnection = {
    ...{ id, follow, free, principalId: principal.id, serverId: upstream.id },
    isOpening: false,
    session: undefined,
  }
  const path = (exchange.request.url ?? '').split('?', 1)[0]
  answerOk(exchange, () => {
    parts.sse.set(id, connection)
    if (follow.open({ first: endpointFrame(`${path}?sessionId=${id}`), missed: [] }))
      parts.streams.add(follow)
  })
}

// In this revision a client that closes its stream waits for nothing any more.
function close(parts: SseParts, { id, free, follow, session }: SseConnection): void {
  parts.sse.delete(id)
  free()
  parts.streams.remove(follow)
  if (session === undefined) return
  session.streams.delete(follow)
  session.unasked?.leave(follow, false)
  for (const { upstreamId } of session.pending.values())
    session.link.cancel(upstreamId, 'The client closed its stream.')
  void parts.sessions.end(id)
}

/** POST: takes one message; what is to be answered is answered on the stream. */
export async function postSse(parts: SseParts, visit: Visit, incoming: Incoming): Promise<void> {
  const { exchange, principal, upstream } = visit
  const connection = find(parts, exchange.request.url ?? '', { principal, upstream })
  if (incoming.era !== 'session')
    fail('mcp.invalid_request', { why: 'HTTP+SSE carries only revisions with sessions.' })
  if (incoming.kind === 'request') {
    if ((connection.session?.pending.size ?? 0) >= maxPending) fail('http.overloaded')
    exchange.outlet = new StreamOutlet(connection.follow)
    exchange.response.writeHead(202, { 'content-length': 0 }).end()
    if (incoming.method === 'initialize') return begin(parts, visit, { connection, incoming })
  }
  const { session } = connection
  if (session === undefined) fail('mcp.session_required', { fix: 'Send initialize first.' })
  await serveMessage(parts, visit, { session, incoming })
  if (incoming.kind === 'notification' && incoming.method === 'notifications/initialized')
    unaskedOf(parts, { exchange: connection.follow.exchange, principal, upstream, session }).join(
      connection.follow,
    )
}

async function begin(
  parts: SseParts,
  visit: Visit,
  { connection, incoming }: { connection: SseConnection; incoming: Extract<Incoming, { kind: 'request' }> },
): Promise<void> {
  if (connection.isOpening || connection.session !== undefined)
    fail('mcp.invalid_request', { why: 'This session has been initialized.' })
  connection.isOpening = true
  try {
    await initialize(parts, visit, incoming, {
      id: connection.id,
      opened(session) {
        connection.session = session
        session.streams.add(connection.follow)
        connection.free()
      },
    })
  } finally {
    connection.isOpening = false
  }
}

function find(
  { sse }: SseParts,
  url: string,
  { principal, upstream }: { principal: Principal; upstream: Served },
): SseConnection {
  const id = URL.parse(url, 'http://gateway')?.searchParams.get('sessionId')
  if (id === null || id === undefined)
    fail('mcp.method_not_allowed', { fix: 'GET it first; the stream says where to POST.' })
  const connection = sse.get(id)
  const isTheirs = connection?.principalId === principal.id && connection.serverId === upstream.id
  return isTheirs ? connection : fail('mcp.session_unknown')
}
