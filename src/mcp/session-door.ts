/** The session era: initialize, requests, notifications, responses, the GET stream and DELETE. */
import { fail, GatewayError } from '../foundation/errors.ts'
import { applyPatches, spanAt } from '../foundation/json.ts'
import { type Connections, type Equipped, errorCode, nextUpstreamId } from '../upstreams/index.ts'
import { answerError } from './answer-error.ts'
import { accepted, answerNothing, answerOk } from './answer-ok.ts'
import type { Incoming } from './classify.ts'
import { clear, mayHear, mayUse, mustSeeNothing } from './clear.ts'
import { Follow } from './follow.ts'
import { prepare, send } from './forward.ts'
import { relayedCapabilities, rewriteOpening } from './lists.ts'
import { clientNotifications, type MethodRow, methods } from './methods.ts'
import { sendJson } from './send-json.ts'
import { keepReply, newSessionId, type Session, type Sessions } from './sessions.ts'
import type { StatelessParts, Visit } from './stateless.ts'

export type SessionParts = StatelessParts & { readonly sessions: Sessions }

type SessionRequest = Extract<Incoming, { kind: 'request' }>

const opening: MethodRow = { eras: 'session', shape: 'call', action: 'server.use' }

/** Leads one POST of the session era through the rooms. */
export async function serveSession(parts: SessionParts, visit: Visit, incoming: Incoming): Promise<void> {
  if (incoming.kind === 'request' && incoming.method === 'initialize')
    return initialize(parts, visit, incoming)
  const session = sessionOf(parts, visit)
  if (incoming.kind === 'response') {
    await session.link.respond(incoming.id, visit.bytes)
    return accepted(visit.exchange)
  }
  if (incoming.kind === 'notification') {
    await notify(session, visit, incoming)
    return accepted(visit.exchange)
  }
  return request(parts, visit, session, incoming)
}

function sessionOf(parts: SessionParts, { exchange, principal, upstream }: Visit): Session {
  if (!mayUse(parts.access, principal, upstream)) fail('access.not_found')
  const id = exchange.request.headers['mcp-session-id']
  if (typeof id !== 'string') fail('mcp.session_required')
  return parts.sessions.find(id, principal, upstream)
}

async function initialize(parts: SessionParts, visit: Visit, incoming: SessionRequest): Promise<void> {
  const { exchange, principal, upstream } = visit
  const { params } = incoming
  if (typeof params.protocolVersion !== 'string')
    fail('mcp.invalid_params', { why: 'The parameter protocolVersion must be a string.' })
  const equipped = await clear(parts, exchange, { row: opening, params, upstream, principal })
  const eras = parts.catalogue.eras(upstream.id) ?? (await parts.catalogue.learnEras(upstream))
  const way = eras.includes('session') ? parts.connections : parts.crossings
  const free = parts.sessions.reserve(principal)
  try {
    await open(parts, visit, incoming, { equipped, way })
  } finally {
    free()
  }
}

async function open(
  parts: SessionParts,
  visit: Visit,
  { params }: SessionRequest,
  { equipped, way }: { equipped: Equipped; way: Pick<Connections, 'openSession'> },
): Promise<void> {
  const { exchange, principal, upstream, bytes } = visit
  const id = newSessionId()
  const upstreamId = nextUpstreamId()
  exchange.upstreamStarted()
  const capabilities = relayedCapabilities(params.capabilities) ?? params.capabilities
  const link = await way.openSession(equipped, {
    body: openingBody(bytes, upstreamId, capabilities),
    upstreamId,
    clientId: exchange.clientId,
    params: { ...params, capabilities },
    lost: () => parts.sessions.forget(id),
  })
  const answer = rewriteOpening(link.opening.bytes, link.opening.body, {
    clientId: exchange.clientId,
    version: upstream.transport.kind === 'stdio' ? String(params.protocolVersion) : undefined,
  })
  const { error } = link.opening.body
  // Nobody will ever name a session whose id did not arrive.
  if (error !== undefined || exchange.response.destroyed) await link.close()
  if (exchange.response.destroyed) return exchange.record('cancelled', null, () => undefined)
  exchange.bytesOut = answer.length
  if (error !== undefined) {
    return exchange.record('error', errorCode(error), failure => {
      if (failure) answerError(exchange, new GatewayError('audit.unavailable'))
      else sendJson(exchange.response, 200, answer)
    })
  }
  parts.sessions.add(principal, upstream, link, id)
  exchange.record('ok', null, failure => {
    if (failure === undefined) return sendJson(exchange.response, 200, answer, ['mcp-session-id', id])
    void parts.sessions.end(id)
    answerError(exchange, new GatewayError('audit.unavailable'))
  })
}

function openingBody(bytes: Buffer, upstreamId: number, capabilities: unknown): Buffer {
  const id = spanAt(bytes, ['id'])
  const declared = spanAt(bytes, ['params', 'capabilities'])
  return applyPatches(bytes, [
    ...(id ? [{ span: id, text: String(upstreamId) }] : []),
    ...(declared ? [{ span: declared, text: JSON.stringify(capabilities) }] : []),
  ])
}

async function notify(
  session: Session,
  { exchange, bytes }: Visit,
  incoming: Extract<Incoming, { kind: 'notification' }>,
): Promise<void> {
  exchange.action = clientNotifications.has(incoming.method) ? incoming.method : 'other'
  if (incoming.method === 'notifications/cancelled') return cancel(session, incoming.params)
  if (clientNotifications.has(incoming.method)) await session.link.notify(incoming.method, bytes)
}

function cancel(session: Session, params: { readonly [key: string]: unknown }): void {
  const reply = session.pending.get(JSON.stringify(params.requestId))
  if (reply === undefined) return
  session.link.cancel(
    reply.upstreamId,
    typeof params.reason === 'string' ? params.reason.slice(0, 1000) : undefined,
  )
  reply.stop(new GatewayError('mcp.cancelled', { why: 'The client cancelled it.' }))
}

async function request(
  parts: SessionParts,
  visit: Visit,
  session: Session,
  incoming: SessionRequest,
): Promise<void> {
  const { exchange, principal, upstream } = visit
  const { method, params } = incoming
  const row = methods.get(method)
  if (row === undefined || row.eras === 'stateless') {
    fail('mcp.method_unknown', {
      why: `There is no method ${JSON.stringify(method.slice(0, 100))} in this revision.`,
    })
  }
  const aim = { row, params, upstream, principal }
  if (row.list !== undefined && mustSeeNothing(parts, exchange, aim)) return answerNothing(exchange, row.list)
  await clear(parts, exchange, aim)
  if (row.shape === 'ping') return pong(visit)
  const key = JSON.stringify(incoming.id)
  if (session.pending.has(key))
    fail('mcp.invalid_request', { why: 'A request with this id is still under way in this session.' })
  const { outgoing, reply } = prepare(
    parts,
    { exchange, principal, upstream, row, method, params, bytes: visit.bytes },
    {
      mirrored: [],
      ended: () => {
        session.pending.delete(key)
        parts.streams.remove(reply)
      },
      forgotten: () => void session.replies.delete(reply.upstreamId),
    },
  )
  session.pending.set(key, reply)
  keepReply(session, reply)
  parts.streams.add(reply)
  send(session.link, outgoing, reply)
}

function pong({ exchange }: Visit): void {
  const body = Buffer.from(`{"jsonrpc":"2.0","id":${exchange.clientId},"result":{}}`)
  exchange.bytesOut = body.length
  answerOk(exchange, () => sendJson(exchange.response, 200, body))
}

/** More streams of one session than this are no client's, and each holds a connection to the server. */
const maxStreams = 16

/** GET: the stream of what the server says unasked. */
export function follow(parts: SessionParts, visit: Omit<Visit, 'bytes'>): void {
  const { exchange } = visit
  const session = sessionOf(parts, { ...visit, bytes: Buffer.alloc(0) })
  const lastEventId = exchange.request.headers['last-event-id']
  if (
    Array.isArray(lastEventId) ||
    (lastEventId !== undefined && !/^[\x20-\x7e]{0,512}$/.test(lastEventId))
  ) {
    fail('http.bad_request', { why: 'Last-Event-ID is not plain text.' })
  }
  if (session.streams.size >= maxStreams)
    fail('mcp.too_many_streams', { why: `A session may have ${maxStreams} of them.` })
  parts.streams.reserve(exchange)
  const stream = new Follow(exchange, {
    listChanged: () => parts.listChanged(visit.upstream.id),
    mayHear: method => mayHear(parts.access, exchange.principal ?? visit.principal, visit.upstream, method),
    reply: upstreamId => session.replies.get(upstreamId),
    used: () => parts.sessions.touch(session),
    ended: () => {
      session.streams.delete(stream)
      parts.streams.remove(stream)
    },
  })
  session.streams.add(stream)
  answerOk(exchange, () => {
    parts.streams.add(stream)
    stream.open(to => session.link.listen(to, lastEventId))
  })
}

/** DELETE: the client ends its session. */
export async function endSession(parts: SessionParts, visit: Omit<Visit, 'bytes'>): Promise<void> {
  const session = sessionOf(parts, { ...visit, bytes: Buffer.alloc(0) })
  await parts.sessions.end(session.id)
  answerOk(visit.exchange, () => void visit.exchange.response.writeHead(200, { 'content-length': 0 }).end())
}
