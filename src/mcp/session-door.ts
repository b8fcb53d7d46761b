/** The session era: requests, notifications and responses of a session, and its end. */
import { fail, GatewayError } from '../foundation/errors.ts'
import { applyPatches } from '../foundation/json.ts'
import { isComposed } from '../servers/index.ts'
import { errorBody } from './answer-error.ts'
import { accepted, answerNothing, answerOk } from './answer-ok.ts'
import type { Incoming } from './classify.ts'
import { type Aim, type Aimed, clear, equip, mayUse, mustSeeNothing } from './clear.ts'
import { answerBefore, answerComposed } from './composed-answers.ts'
import { ComposedSession } from './composed-session.ts'
import { connectInSession, isConnectNeeded } from './connect-first.ts'
import { type Cleared, prepare, send } from './forward.ts'
import { meantBy } from './meta-calls.ts'
import { clientNotifications, methods } from './methods.ts'
import { initialize, isRevivable, revive, type SessionParts, type SessionRequest } from './open-session.ts'
import { isOptional } from './relayed.ts'
import { ResponseOutlet } from './response-outlet.ts'
import { wantsTask } from './seal.ts'
import { SessionOutlet } from './session-outlet.ts'
import type { Session } from './sessions.ts'
import type { Visit } from './stateless.ts'
import { relatedPatches, unseal } from './unseal.ts'

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
  if (incoming.kind === 'response') {
    if (session.asks.answer(incoming.id, visit.bytes)) return accepted(visit.exchange)
    const patches = relatedPatches(parts.tasks, visit, 'result')
    await session.link.respond(incoming.id, applyPatches(visit.bytes, patches))
  } else await notify(parts, session, visit, incoming)
  accepted(visit.exchange)
}

/** The session that a request names, opened again where only its client knows it any more. */
export async function sessionOf(parts: SessionParts, visit: Visit): Promise<Session> {
  const id = sessionIdOf(parts, visit)
  const session = parts.sessions.find(id, visit.principal, visit.upstream) ?? (await revive(parts, visit, id))
  if (visit.exchange.own !== undefined || session.equipped?.own !== undefined)
    await followOwn(parts, visit, session)
  return session
}

/** Each message goes up with the headers that it came with, answers and notifications too. */
async function followOwn(
  parts: SessionParts,
  { exchange, principal, upstream }: Visit,
  session: Session,
): Promise<void> {
  if (!isComposed(upstream)) session.equipped?.follow(await equip(parts, exchange, { upstream, principal }))
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
  if (session.asks.cancel(JSON.stringify(params.requestId))) return
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
  const isCrossed = isComposed(upstream) || parts.catalogue.eras(upstream.id)?.includes('session') === false
  if (row === undefined || row.eras === 'stateless' || (isCrossed && isOptional(method))) {
    fail('mcp.method_unknown', {
      why: `There is no method ${JSON.stringify(method.slice(0, 100))} in this revision.`,
    })
  }
  const asked = { bytes: visit.bytes, params: incoming.params }
  const meant = meantBy(parts, visit, method, asked)
  if (meant === undefined) return
  const { bytes } = meant
  const { params, patches, task } = unseal(parts, { ...visit, bytes }, { row, method, params: meant.params })
  const aim = { row, params, upstream, principal, task, bytes }
  if (row.list !== undefined && mustSeeNothing(parts, exchange, aim)) return answerNothing(exchange, row.list)
  if (isComposed(upstream) && row.list !== undefined)
    return answerComposed(parts, { ...visit, upstream }, row)
  const isOwn = row.action === 'server.use' && session.link instanceof ComposedSession
  if (isOwn) return serveOwn(parts, visit, session, incoming)
  const key = freeKey(session, incoming)
  const aimedAt = await clearConnected(parts, { session, key }, aim, visit)
  if (aimedAt === undefined) return
  const { equipped, params: sent, patches: aimed } = aimedAt
  if (row.shape === 'ping') return pong(visit)
  const cleared = {
    exchange,
    principal,
    upstream,
    source: equipped.upstream,
    row,
    method,
    params,
    sent,
    bytes,
    patches: [...patches, ...aimed],
    task,
    isCrossed,
  }
  const { outgoing, reply } = prepare(parts, cleared, {
    mirrored: [],
    to: session.link instanceof ComposedSession ? equipped : undefined,
    own: equipped,
    taskName: id => taskName(parts, cleared, id),
    ended: () => {
      session.pending.delete(key)
      parts.streams.remove(reply)
      if (wantsTask(cleared)) session.outlives(reply)
    },
    other: id => session.reply(id),
  })
  session.equipped?.follow(equipped)
  session.pending.set(key, reply)
  parts.streams.add(reply)
  send(session.link, outgoing, reply)
}

/** By what the session knows the request. Throws `mcp.invalid_request` where another has its id. */
function freeKey({ pending, asks }: Session, { id }: SessionRequest): string {
  const key = JSON.stringify(id)
  if (pending.has(key) || asks.isWaiting(key))
    fail('mcp.invalid_request', { why: 'A request with this id is still under way in this session.' })
  return key
}

/** Clears the caller; one who has to connect an account first is led there, and goes on. Undefined where they got an answer without one. */
async function clearConnected(
  parts: SessionParts,
  { session, key }: { session: Session; key: string },
  aim: Aim,
  visit: Visit,
): Promise<Aimed | undefined> {
  const { exchange, upstream } = visit
  try {
    return await clear(parts, exchange, aim)
  } catch (error) {
    if (!isConnectNeeded(error)) throw error
    if (!isComposed(upstream) && answerBefore(parts, { ...visit, upstream }, aim.row)) return undefined
    if (!session.canOpenUrls || aim.row.asks !== true) throw error
    await connectInSession(parts, { exchange, asks: session.asks, key }, error)
    return clear(parts, exchange, aim)
  }
}

/** The client's name for a task: one of the caller's, or the one that this very call is becoming. */
function taskName(parts: SessionParts, cleared: Cleared, id: unknown): string | undefined {
  const { exchange, upstream, params } = cleared
  const owner = { principal: exchange.principal ?? cleared.principal, upstream }
  if (wantsTask(cleared) && typeof id === 'string')
    return parts.tasks.nameAllowed(owner, { id, tool: String(params.name) })
  return parts.tasks.heard(owner, id)
}

/** What a composed server does by itself: it answers a ping, and tells its sources how much to log. */
async function serveOwn(
  parts: SessionParts,
  visit: Visit,
  session: Session,
  { method, params }: SessionRequest,
): Promise<void> {
  if (!mayUse(parts.access, visit.principal, visit.upstream)) fail('access.not_found')
  if (method === 'logging/setLevel' && session.link instanceof ComposedSession)
    session.link.setLevel(params.level)
  pong(visit)
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
