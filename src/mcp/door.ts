/** The way in for MCP: guards, identity, the body, then the era's own path. Owns no rule of access. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Addresses } from '../foundation/addresses.ts'
import { asGatewayError, fail, type GatewayError } from '../foundation/errors.ts'
import type { FailureLimit } from '../foundation/failure-limit.ts'
import { checkFraming, checkQuery, type Guards } from '../foundation/guards.ts'
import { newId } from '../foundation/id.ts'
import { parseBounded } from '../foundation/json.ts'
import type { Log } from '../foundation/log.ts'
import { mcpAddressOf } from '../foundation/mcp-address.ts'
import { type Identity, isFailure, isRejection, nonceOf, type Principal } from '../identity/index.ts'
import { type Addressed, isComposed, type Servers } from '../servers/index.ts'
import { bringsHeaders, readClientHeaders } from '../vault/index.ts'
import { answerError, type ErrorHeaders } from './answer-error.ts'
import { accepted } from './answer-ok.ts'
import { serveBatch } from './batch.ts'
import { challengeOf, nonceHeader } from './challenge.ts'
import { classify } from './classify.ts'
import { checkScope, mayUse } from './clear.ts'
import { allowPage, preflight } from './cors.ts'
import { Exchange, type ExchangeParts, type Over } from './exchange.ts'
import { follow } from './listen-door.ts'
import { noteId, noteMessage } from './note-message.ts'
import { readBody } from './read-body.ts'
import { endSession, serveSession } from './session-door.ts'
import { openSse, postSse, type SseParts } from './sse-door.ts'
import { serveStateless, type Visit } from './stateless.ts'

export type DoorParts = SseParts &
  ExchangeParts & {
    readonly guards: Guards
    readonly failures: FailureLimit
    readonly identity: Pick<Identity, 'identify' | 'presented' | 'operator'>
    readonly servers: Pick<Servers, 'find' | 'everything'>
    readonly addresses: Addresses
    readonly requestBytes: number
    readonly config: { readonly mcp: { readonly clientAuthOverride: boolean } }
    readonly log: Log
  }

export type Door = (request: IncomingMessage, response: ServerResponse, over: Over) => void

/** Handles every request whose path is `/mcp` or below it. */
export function openDoor(parts: DoorParts): Door {
  return (request, response, over) => {
    const exchange = new Exchange(parts, request, response, over, newId())
    serve(parts, exchange).catch(thrown => refuse(parts, exchange, thrown))
  }
}

function refuse(parts: DoorParts, exchange: Exchange, thrown: unknown): void {
  const error = asGatewayError(thrown)
  if (error.code === 'internal.unexpected')
    parts.log.error({ err: error.cause, requestId: exchange.requestId }, error.internal)
  answerError(exchange, error, headersFor(parts, error, exchange))
}

const pathOf = ({ request }: Exchange) => (request.url ?? '').split('?', 1)[0] ?? ''
const isOlderDoor = (exchange: Exchange) => /\/sse\/?$/.test(pathOf(exchange))

function headersFor(parts: DoorParts, error: GatewayError, exchange: Exchange): ErrorHeaders {
  if (error.status === 405) return { allow: isOlderDoor(exchange) ? 'GET, POST' : 'POST, GET, DELETE' }
  const challenge = challengeOf(parts.addresses, exchange.request, error)
  return challenge === undefined ? {} : { 'www-authenticate': challenge, ...nonceHeader(error) }
}

async function serve(parts: DoorParts, exchange: Exchange): Promise<void> {
  const { request, over } = exchange
  guard(parts, exchange)
  allowPage(exchange)
  if (request.method === 'OPTIONS') return preflight(exchange)
  const principal = over === 'local' ? parts.identity.operator() : await authenticate(parts, exchange)
  exchange.principal = principal
  const { upstream, isSse } = locate(parts, exchange, principal)
  if (bringsHeaders(request.headers)) exchange.own = ownHeaders(parts, exchange, upstream)
  const visit = { exchange, principal, upstream }
  switch (request.method) {
    case 'POST':
      return post(parts, visit, isSse)
    case 'GET':
      exchange.action = 'GET'
      if (!isSse) checkSessionMethod(exchange)
      if (!accepts(request, 'text/event-stream'))
        fail('http.bad_accept', { why: 'A GET must accept text/event-stream.' })
      return isSse ? openSse(parts, visit) : follow(parts, visit)
    case 'DELETE':
      exchange.action = 'DELETE'
      if (isSse) fail('mcp.method_not_allowed', { why: 'Here a session ends with its stream.' })
      checkSessionMethod(exchange)
      return endSession(parts, visit)
    default:
      return fail('mcp.method_not_allowed')
  }
}

function guard(parts: DoorParts, { request, over }: Exchange): void {
  checkFraming(request.rawHeaders, request.url ?? '/', request.headers.host)
  if (over === 'local') return
  parts.guards.checkHost(request.headers.host)
  parts.guards.checkOrigin(request.headers.origin, request.headers.host)
  checkQuery(request.url ?? '/')
}

async function authenticate(parts: DoorParts, exchange: Exchange): Promise<Principal> {
  const { request } = exchange
  const outcome = await parts.identity.identify(request.headers.authorization, pathOf(exchange), request)
  if (!isRejection(outcome)) {
    exchange.presented = parts.identity.presented(outcome, request.headers.authorization)
    return outcome
  }
  if (isFailure(outcome)) parts.failures.count(request.socket.remoteAddress ?? 'unknown')
  return fail(outcome.rejected, { why: outcome.why, ...nonceOf(outcome) })
}

/** A server, and whether the path is the one for clients that know only HTTP+SSE. */
type Located = { readonly upstream: Addressed; readonly isSse: boolean }

/** The server a path names, if this caller may use it. One that is not there and one that is not granted look the same. */
function locate(parts: DoorParts, exchange: Exchange, principal: Principal): Located {
  const address = mcpAddressOf(pathOf(exchange))
  if (address === undefined)
    fail('access.not_found', { fix: 'The address of a server is /mcp/{group}/{server}/server.' })
  const { server, isSse } = address
  if (server === undefined) return { upstream: everythingOf(parts, exchange, principal), isSse }
  exchange.target = `${server.group}/${server.name}`
  const upstream = parts.servers.find(server.group, server.name)
  if (upstream === undefined || !mayUse(parts.access, principal, upstream)) {
    exchange.decision = { allowed: false, reason: upstream === undefined ? 'no such server' : 'no grant' }
    fail('access.not_found')
  }
  exchange.served = upstream
  checkScope(principal, upstream)
  return { upstream, isSse }
}

function ownHeaders({ config }: DoorParts, { request }: Exchange, upstream: Addressed): Exchange['own'] {
  const isOne = !isComposed(upstream)
  return readClientHeaders(request.headers, {
    servers: isOne ? [upstream] : upstream.composition().sources,
    isComposed: !isOne,
    mayAuthenticate: config.mcp.clientAuthOverride,
  })
}

function everythingOf(parts: DoorParts, exchange: Exchange, principal: Principal): Addressed {
  const everything = parts.servers.everything(principal)
  exchange.served = everything
  return everything
}

// GET and DELETE exist for sessions only; a stateless client gets the plain answer its revision asks for.
function checkSessionMethod({ request }: Exchange): void {
  if (request.headers['mcp-session-id'] === undefined) fail('mcp.method_not_allowed')
}

function accepts(request: IncomingMessage, type: string): boolean {
  const { accept } = request.headers
  return (
    accept === undefined ||
    accept.includes(type) ||
    accept.includes('*/*') ||
    accept.includes(`${type.split('/')[0]}/*`)
  )
}

async function post(parts: DoorParts, visit: Omit<Visit, 'bytes'>, isSse: boolean): Promise<void> {
  const { exchange } = visit
  const { request } = exchange
  const mayStream = accepts(request, 'application/json') && accepts(request, 'text/event-stream')
  if (!isSse && !mayStream) fail('http.bad_accept')
  const bytes = await readBody(request, parts.requestBytes)
  exchange.bytesIn = bytes.length
  const body = parseBounded(bytes)
  noteId(exchange, bytes, body)
  const whole = { ...visit, bytes }
  if (Array.isArray(body) && !isSse)
    return serveBatch(parts, whole, { body, refuse: (part, thrown) => refuse(parts, part, thrown) })
  const incoming = classify(body, request.headers)
  noteMessage(exchange, incoming)
  if (isSse) return postSse(parts, whole, incoming)
  if (incoming.era === 'session') return serveSession(parts, whole, incoming)
  // In this revision there is nothing a client could notify us of; what is sent all the same is taken and dropped.
  if (incoming.kind === 'notification' && incoming.method.startsWith('notifications/'))
    return accepted(exchange)
  if (incoming.kind !== 'request')
    fail('mcp.invalid_request', { why: 'A request of this revision has an id.' })
  return serveStateless(parts, whole, incoming)
}
