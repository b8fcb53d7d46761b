/** The session era: initialize, requests, notifications, responses, the GET stream and DELETE. */
import { fail, GatewayError } from '../foundation/errors.ts'
import { applyPatches, isObject, spanAt } from '../foundation/json.ts'
import { nextUpstreamId } from '../upstreams/index.ts'
import type { Incoming } from './classify.ts'
import { clear, mayUse } from './clear.ts'
import { Follow } from './follow.ts'
import { prepare } from './forward.ts'
import { relayedCapabilities, rewriteOpening } from './lists.ts'
import { clientNotifications, type MethodRow, methods } from './methods.ts'
import { sendJson } from './send-json.ts'
import { newSessionId, type Session, type Sessions } from './sessions.ts'
import type { StatelessParts, Visit } from './stateless.ts'
import { eraOf } from './versions.ts'

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
    return accepted(visit)
  }
  if (incoming.kind === 'notification') {
    await notify(session, visit, incoming)
    return accepted(visit)
  }
  return request(parts, visit, session, incoming)
}

function sessionOf(parts: SessionParts, { exchange, principal, upstream }: Visit): Session {
  if (!mayUse(parts.access, principal, upstream)) fail('access.not_found')
  const id = exchange.request.headers['mcp-session-id']
  if (typeof id !== 'string') fail('mcp.session_required')
  return parts.sessions.find(id, principal, upstream)
}

function accepted({ exchange }: Visit): void {
  exchange.record('ok', null, failure => {
    exchange.response.writeHead(failure ? 503 : 202).end()
  })
}

async function initialize(parts: SessionParts, visit: Visit, incoming: SessionRequest): Promise<void> {
  const { exchange, principal, upstream, bytes } = visit
  const { params } = incoming
  if (typeof params.protocolVersion !== 'string')
    fail('mcp.invalid_params', { why: 'The parameter protocolVersion must be a string.' })
  const equipped = await clear(parts, exchange, { row: opening, params, upstream, principal })
  const eras = parts.catalogue.eras(upstream.id) ?? (await parts.catalogue.learnEras(upstream))
  if (!eras.includes('session')) {
    throw new GatewayError('mcp.era_unsupported', {
      why: 'This server speaks only revision 2026-07-28, which has no initialize.',
    })
  }
  parts.sessions.checkRoom(principal)
  const id = newSessionId()
  const upstreamId = nextUpstreamId()
  exchange.upstreamStarted()
  const capabilities = relayedCapabilities(params.capabilities) ?? params.capabilities
  const link = await parts.connections.openSession(equipped, {
    body: openingBody(bytes, upstreamId, capabilities),
    upstreamId,
    clientId: exchange.clientId,
    capabilities,
    lost: () => parts.sessions.forget(id),
  })
  const version =
    eraOf(params.protocolVersion) === 'session' && upstream.transport.kind === 'stdio'
      ? params.protocolVersion
      : undefined
  const answer = rewriteOpening(link.opening.bytes, link.opening.body, {
    clientId: exchange.clientId,
    version,
  })
  const error = isObject(link.opening.body.error) ? String(link.opening.body.error.code) : null
  if (error === null) parts.sessions.add(principal, upstream, link, id)
  exchange.bytesOut = answer.length
  exchange.record(error === null ? 'ok' : 'error', error, failure => {
    if (failure) return void exchange.response.destroy()
    sendJson(exchange.response, 200, answer, error === null ? ['mcp-session-id', id] : [])
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
  const pending = session.pending.get(JSON.stringify(params.requestId))
  if (pending === undefined) return
  session.link.cancel(
    pending.upstreamId,
    typeof params.reason === 'string' ? params.reason.slice(0, 1000) : undefined,
  )
  pending.reply.stop(new GatewayError('mcp.cancelled', { why: 'The client cancelled it.' }))
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
  await clear(parts, exchange, { row, params, upstream, principal })
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
        parts.streams.remove(stream)
      },
    },
  )
  const stream = {
    exchange,
    beat: () => reply.beat(),
    end: () => reply.stop(new GatewayError('mcp.cancelled', { why: 'The gateway ended the stream.' })),
  }
  session.pending.set(key, { upstreamId: outgoing.upstreamId, reply })
  parts.streams.add(stream)
  session.link.request(outgoing)
}

function pong({ exchange }: Visit): void {
  const body = Buffer.from(`{"jsonrpc":"2.0","id":${exchange.clientId},"result":{}}`)
  exchange.bytesOut = body.length
  exchange.record('ok', null, failure => {
    if (failure) return void exchange.response.destroy()
    sendJson(exchange.response, 200, body)
  })
}

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
  const stream = new Follow(exchange, {
    listChanged: () => parts.listChanged(visit.upstream.id),
    used: () => parts.sessions.touch(session),
    ended: () => parts.streams.remove(stream),
  })
  exchange.record('ok', null, failure => {
    if (failure) return void exchange.response.destroy()
    parts.streams.add(stream)
    stream.open(to => session.link.listen(to, lastEventId))
  })
}

/** DELETE: the client ends its session. */
export async function endSession(parts: SessionParts, visit: Omit<Visit, 'bytes'>): Promise<void> {
  const session = sessionOf(parts, { ...visit, bytes: Buffer.alloc(0) })
  await parts.sessions.end(session.id)
  visit.exchange.record('ok', null, () => {
    visit.exchange.response.writeHead(200, { 'content-length': 0 }).end()
  })
}
