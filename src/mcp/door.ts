/** The way in for MCP: guards, identity, the body, then the era's own path. Owns no rule of access. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { asGatewayError, fail, type GatewayError } from '../foundation/errors.ts'
import type { FailureLimit } from '../foundation/failure-limit.ts'
import { checkFraming, checkQuery, type Guards } from '../foundation/guards.ts'
import { newId } from '../foundation/id.ts'
import { parseBounded, spanAt } from '../foundation/json.ts'
import type { Log } from '../foundation/log.ts'
import { type Identity, isRejection, type Principal } from '../identity/index.ts'
import type { Register, Upstream } from '../upstreams/index.ts'
import { answerError, type ErrorHeaders } from './answer-error.ts'
import { accepted } from './answer-ok.ts'
import { classify } from './classify.ts'
import { mayUse } from './clear.ts'
import { allowPage, preflight } from './cors.ts'
import { Exchange, type ExchangeParts, type Over } from './exchange.ts'
import { methods } from './methods.ts'
import { readBody } from './read-body.ts'
import { endSession, follow, type SessionParts, serveSession } from './session-door.ts'
import { serveStateless, type Visit } from './stateless.ts'

export type DoorParts = SessionParts &
  ExchangeParts & {
    readonly guards: Guards
    readonly failures: FailureLimit
    readonly identity: Pick<Identity, 'identify' | 'operator'>
    readonly register: Pick<Register, 'find'>
    readonly requestBytes: number
    readonly log: Log
  }

export type Door = (request: IncomingMessage, response: ServerResponse, over: Over) => void

/** Handles every request whose path is `/mcp` or below it. */
export function openDoor(parts: DoorParts): Door {
  return (request, response, over) => {
    const exchange = new Exchange(parts, request, response, over, newId())
    serve(parts, exchange).catch(thrown => {
      const error = asGatewayError(thrown)
      if (error.code === 'internal.unexpected')
        parts.log.error({ err: error.cause, requestId: exchange.requestId }, error.internal)
      answerError(exchange, error, headersFor(error, exchange))
    })
  }
}

// RFC 6750: why the caller is asked for a token, and whether the one that came was the trouble.
function headersFor(error: GatewayError, exchange: Exchange): ErrorHeaders {
  if (error.status === 405) return { allow: 'POST, GET, DELETE' }
  if (error.status !== 401) return {}
  const wasSent = exchange.request.headers.authorization !== undefined
  return {
    'www-authenticate': wasSent
      ? 'Bearer realm="gatehouse", error="invalid_token"'
      : 'Bearer realm="gatehouse"',
  }
}

async function serve(parts: DoorParts, exchange: Exchange): Promise<void> {
  const { request, response, over } = exchange
  guard(parts, exchange)
  allowPage(exchange)
  if (request.method === 'OPTIONS') return preflight(exchange)
  const principal = over === 'local' ? parts.identity.operator() : await authenticate(parts, exchange)
  exchange.principal = principal
  const upstream = locate(parts, exchange, principal)
  switch (request.method) {
    case 'POST':
      return post(parts, { exchange, principal, upstream })
    case 'GET':
      exchange.action = 'GET'
      checkSessionMethod(exchange)
      if (!accepts(request, 'text/event-stream'))
        fail('http.bad_accept', { why: 'A GET must accept text/event-stream.' })
      return follow(parts, { exchange, principal, upstream })
    case 'DELETE':
      exchange.action = 'DELETE'
      checkSessionMethod(exchange)
      return endSession(parts, { exchange, principal, upstream })
    default:
      response.setHeader('allow', 'POST, GET, DELETE')
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

async function authenticate(parts: DoorParts, { request }: Exchange): Promise<Principal> {
  const outcome = await parts.identity.identify(request.headers.authorization)
  if (!isRejection(outcome)) return outcome
  if (outcome.rejected === 'identity.bad_token')
    parts.failures.count(request.socket.remoteAddress ?? 'unknown')
  return fail(outcome.rejected, { why: outcome.why })
}

const address = /^\/mcp\/([a-z0-9-]{1,63})\/([a-z0-9-]{1,63})(\/server)?\/?$/

/** The server a path names, if this caller may use it. One that is not there and one that is not granted look the same. */
function locate(parts: DoorParts, exchange: Exchange, principal: Principal): Upstream {
  const path = (exchange.request.url ?? '').split('?', 1)[0] ?? ''
  const [, group, server] = address.exec(path) ?? []
  if (group === undefined || server === undefined)
    fail('access.not_found', { fix: 'The address of a server is /mcp/{group}/{server}/server.' })
  exchange.target = `${group}/${server}`
  const upstream = parts.register.find(group, server)
  if (upstream === undefined || !mayUse(parts.access, principal, upstream)) {
    exchange.decision = { allowed: false, reason: upstream === undefined ? 'no such server' : 'no grant' }
    fail('access.not_found')
  }
  return upstream
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

async function post(parts: DoorParts, visit: Omit<Visit, 'bytes'>): Promise<void> {
  const { exchange } = visit
  const { request } = exchange
  if (!accepts(request, 'application/json') || !accepts(request, 'text/event-stream')) fail('http.bad_accept')
  const bytes = await readBody(request, parts.requestBytes)
  exchange.bytesIn = bytes.length
  exchange.action = 'POST'
  const body = parseBounded(bytes)
  noteId(exchange, bytes, body)
  const incoming = classify(body, request.headers)
  exchange.era = incoming.era
  exchange.action = 'method' in incoming ? known(incoming.method) : 'response'
  const whole = { ...visit, bytes }
  if (incoming.era === 'session') return serveSession(parts, whole, incoming)
  // In this revision there is nothing a client could notify us of; what is sent all the same is taken and dropped.
  if (incoming.kind === 'notification' && incoming.method.startsWith('notifications/'))
    return accepted(exchange)
  if (incoming.kind !== 'request')
    fail('mcp.invalid_request', { why: 'A request of this revision has an id.' })
  return serveStateless(parts, whole, incoming)
}

// Errors about a message carry its id where it has a usable one, exactly as it was written.
function noteId(exchange: Exchange, bytes: Buffer, body: unknown): void {
  if (typeof body !== 'object' || body === null || !('id' in body)) return
  const { id } = body
  const isUsable = typeof id === 'string' ? id.length <= 128 : Number.isSafeInteger(id)
  const span = isUsable ? spanAt(bytes, ['id']) : undefined
  if (span) exchange.clientId = bytes.toString('utf8', span.start, span.end)
}

function known(method: string): string {
  return methods.has(method) || method === 'initialize' ? method : 'other'
}
