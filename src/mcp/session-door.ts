/** The session era: initialize, requests, notifications, responses, the GET stream and DELETE. */
import { fail, GatewayError } from '../foundation/errors.ts'
import { applyPatches, spanAt } from '../foundation/json.ts'
import { type Equipped, errorCode, nextUpstreamId } from '../upstreams/index.ts'
import { answerError } from './answer-error.ts'
import { accepted, answerNothing, answerOk } from './answer-ok.ts'
import type { Incoming } from './classify.ts'
import { clear, mayHear, mayUse, mustSeeNothing } from './clear.ts'
import { Follow } from './follow.ts'
import { type Cleared, prepare, send } from './forward.ts'
import { rewriteOpening } from './lists.ts'
import { clientNotifications, type MethodRow, methods } from './methods.ts'
import { isOptional, relayedCapabilities } from './relayed.ts'
import { wantsTask } from './seal.ts'
import { sendJson } from './send-json.ts'
import { keepReply, newSessionId, type Session, type Sessions } from './sessions.ts'
import type { StatelessParts, Visit } from './stateless.ts'
import { relatedPatches, unseal } from './unseal.ts'

export type SessionParts = StatelessParts & { readonly sessions: Sessions }

type SessionRequest = Extract<Incoming, { kind: 'request' }>

const opening: MethodRow = { eras: 'session', shape: 'call', action: 'server.use' }

/** Leads one POST of the session era through the rooms. */
export async function serveSession(parts: SessionParts, visit: Visit, incoming: Incoming): Promise<void> {
  if (incoming.kind === 'request' && incoming.method === 'initialize')
    return initialize(parts, visit, incoming)
  const session = sessionOf(parts, visit)
  if (incoming.kind === 'response') {
    const patches = relatedPatches(parts.tasks, visit, 'result')
    await session.link.respond(incoming.id, applyPatches(visit.bytes, patches))
    return accepted(visit.exchange)
  }
  if (incoming.kind === 'notification') {
    await notify(parts, session, visit, incoming)
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
  const isCrossed = !eras.includes('session')
  const free = parts.sessions.reserve(principal)
  try {
    await open(parts, visit, incoming, { equipped, isCrossed })
  } finally {
    free()
  }
}

async function open(
  parts: SessionParts,
  visit: Visit,
  { params }: SessionRequest,
  { equipped, isCrossed }: { equipped: Equipped; isCrossed: boolean },
): Promise<void> {
  const { exchange, principal, upstream, bytes } = visit
  const id = newSessionId()
  const upstreamId = nextUpstreamId()
  exchange.upstreamStarted()
  const declared = { of: 'client', era: 'session', isCrossed } as const
  const capabilities = relayedCapabilities(params.capabilities, declared) ?? params.capabilities
  const way = isCrossed ? parts.crossings : parts.connections
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
    isCrossed,
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
  parts: SessionParts,
  session: Session,
  visit: Visit,
  incoming: Extract<Incoming, { kind: 'notification' }>,
): Promise<void> {
  const { exchange, bytes } = visit
  exchange.action = clientNotifications.has(incoming.method) ? incoming.method : 'other'
  if (incoming.method === 'notifications/cancelled') return cancel(session, incoming.params)
  if (!clientNotifications.has(incoming.method)) return
  await session.link.notify(
    incoming.method,
    applyPatches(bytes, relatedPatches(parts.tasks, visit, 'params')),
  )
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
  const { method } = incoming
  const row = methods.get(method)
  const isCrossed = parts.catalogue.eras(upstream.id)?.includes('session') === false
  if (row === undefined || row.eras === 'stateless' || (isCrossed && isOptional(method))) {
    fail('mcp.method_unknown', {
      why: `There is no method ${JSON.stringify(method.slice(0, 100))} in this revision.`,
    })
  }
  const { params, patches, task } = unseal(parts, visit, { row, method, params: incoming.params })
  const aim = { row, params, upstream, principal, task }
  if (row.list !== undefined && mustSeeNothing(parts, exchange, aim)) return answerNothing(exchange, row.list)
  await clear(parts, exchange, aim)
  if (row.shape === 'ping') return pong(visit)
  const key = JSON.stringify(incoming.id)
  if (session.pending.has(key))
    fail('mcp.invalid_request', { why: 'A request with this id is still under way in this session.' })
  const cleared = {
    exchange,
    principal,
    upstream,
    row,
    method,
    params,
    bytes: visit.bytes,
    patches,
    task,
    isCrossed,
  }
  const { outgoing, reply } = prepare(parts, cleared, {
    mirrored: [],
    taskName: id => taskName(parts, cleared, id),
    ended: () => {
      session.pending.delete(key)
      parts.streams.remove(reply)
    },
    other: id => (typeof id === 'number' ? session.replies.get(id) : undefined),
    // A task goes on after the answer to its call, and its progress with it.
    forgotten: () => {
      if (!wantsTask(cleared)) session.replies.delete(reply.upstreamId)
    },
  })
  session.pending.set(key, reply)
  keepReply(session, reply)
  parts.streams.add(reply)
  send(session.link, outgoing, reply)
}

/** The client's name for a task: one of the caller's, or the one that this very call is becoming. */
function taskName(parts: SessionParts, cleared: Cleared, id: unknown): string | undefined {
  const { exchange, upstream, params } = cleared
  const owner = { principal: exchange.principal ?? cleared.principal, upstream }
  if (wantsTask(cleared) && typeof id === 'string')
    return parts.tasks.nameAllowed(owner, { id, tool: String(params.name) })
  return parts.tasks.heard(owner, id)
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
    fail('mcp.too_many_sessions', { why: 'This session has too many open streams.' })
  const stream = new Follow(exchange, {
    listChanged: () => parts.listChanged(visit.upstream.id),
    mayHear: method => mayHear(parts.access, exchange.principal ?? visit.principal, visit.upstream, method),
    taskName: id =>
      parts.tasks.heard({ principal: exchange.principal ?? visit.principal, upstream: visit.upstream }, id),
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
