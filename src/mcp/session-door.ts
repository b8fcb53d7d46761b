/** The session era: requests, notifications and responses of a session, and its end. */
import { fail, GatewayError } from '../foundation/errors.ts'
import { errorBody } from './answer-error.ts'
import { accepted, answerNothing, answerOk } from './answer-ok.ts'
import type { Incoming } from './classify.ts'
import { clear, mayUse, mustSeeNothing } from './clear.ts'
import { prepare, send } from './forward.ts'
import { clientNotifications, methods } from './methods.ts'
import { initialize, isRevivable, revive, type SessionParts, type SessionRequest } from './open-session.ts'
import type { UpstreamEvent } from './reply.ts'
import { ResponseOutlet } from './response-outlet.ts'
import { SessionOutlet } from './session-outlet.ts'
import type { Session } from './sessions.ts'
import type { Visit } from './stateless.ts'
import { takeUp } from './take-up.ts'

/** Leads one POST of the session era through the rooms. */
export async function serveSession(parts: SessionParts, visit: Visit, incoming: Incoming): Promise<void> {
  if (incoming.kind === 'request' && incoming.method === 'initialize')
    return initialize(parts, visit, incoming)
  const session = await sessionOf(parts, visit)
  if (incoming.kind === 'request') visit.exchange.outlet = resumable(session, visit)
  return serveMessage(parts, visit, { session, incoming })
}

/** Leads one message of a session through the rooms; its answer goes where the exchange says. */
export async function serveMessage(
  parts: SessionParts,
  visit: Visit,
  { session, incoming }: { session: Session; incoming: Incoming },
): Promise<void> {
  if (incoming.kind === 'request') return request(parts, visit, session, incoming)
  if (incoming.kind === 'response') await session.link.respond(incoming.id, visit.bytes)
  else await notify(session, visit, incoming)
  accepted(visit.exchange)
}

/** The session that a request names, opened again where only its client knows it any more. */
export async function sessionOf(parts: SessionParts, visit: Visit): Promise<Session> {
  const id = sessionIdOf(parts, visit)
  return parts.sessions.find(id, visit.principal, visit.upstream) ?? revive(parts, visit, id)
}

function sessionIdOf(parts: SessionParts, { exchange, principal, upstream }: Visit): string {
  if (!mayUse(parts.access, principal, upstream)) fail('access.not_found')
  const id = exchange.request.headers['mcp-session-id']
  return typeof id === 'string' ? id : fail('mcp.session_required')
}

/** The way of an answer that its client may come back for. */
function resumable(session: Session, { exchange }: Visit): SessionOutlet {
  return new SessionOutlet(new ResponseOutlet(exchange.response), {
    store: () => session.replay,
    isPrimed: session.isPrimed,
    clientId: exchange.clientId,
    errorBody: error => errorBody(error, exchange),
  })
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
      takeUp: (after: UpstreamEvent) => takeUp(session.link, reply, after),
    },
  )
  session.pending.set(key, reply)
  parts.streams.add(reply)
  send(session.link, outgoing, reply)
}

function pong({ exchange }: Visit): void {
  const body = Buffer.from(`{"jsonrpc":"2.0","id":${exchange.clientId},"result":{}}`)
  exchange.bytesOut = body.length
  answerOk(exchange, () => exchange.outlet.answer(body, 200))
}

/** DELETE: the client ends its session, whether this process knows it or not. */
export async function endSession(parts: SessionParts, visit: Omit<Visit, 'bytes'>): Promise<void> {
  const { exchange, principal, upstream } = visit
  const id = sessionIdOf(parts, { ...visit, bytes: Buffer.alloc(0) })
  const session = parts.sessions.find(id, principal, upstream)
  if (session === undefined && !isRevivable(parts, visit, id)) fail('mcp.session_unknown')
  await parts.sessions.end(id)
  answerOk(exchange, () => void exchange.response.writeHead(200, { 'content-length': 0 }).end())
}
