/** Who asks, and whether they may enter a route at all. */
import type { IncomingMessage } from 'node:http'
import { type AuditRecord, refusalEvent } from '../audit/index.ts'
import type { Addresses } from '../foundation/addresses.ts'
import type { Clock } from '../foundation/clock.ts'
import { asGatewayError, type ErrorCode, fail, GatewayError } from '../foundation/errors.ts'
import type { FailureLimit } from '../foundation/failure-limit.ts'
import type { Caller, Entry, Route } from '../foundation/route.ts'
import {
  apiResource,
  type BrowserSession,
  isFailure,
  nonceOf,
  type Principal,
  type Rejection,
  type ShownRequest,
} from '../identity/index.ts'
import { checkChange, checkFresh } from './browser-session.ts'

/** How a request came in: over the network, or over the socket only the operator can open. */
export type Over = 'tcp' | 'local'

export type Doorkeeping = {
  identify(
    authorization: string | undefined,
    resource: string,
    shown?: ShownRequest,
  ): Principal | Rejection | Promise<Principal | Rejection>
  /** The session of the browser that sends the request. */
  sessionOf(request: IncomingMessage): Promise<BrowserSession | undefined>
  operator(): Principal
  readonly addresses: Addresses
  readonly audit: AuditRecord
  readonly failures: FailureLimit
  readonly clock: Clock
}

export type Visit = {
  readonly request: IncomingMessage
  readonly over: Over
  readonly requestId: string
}

/** Stands in for the caller of a route that anyone may enter. */
const nobody: Caller = { id: '', kind: 'user', name: '', role: 'member', subjects: [], tokenId: undefined }

/** Refusals that are worth an event. */
const recorded: readonly ErrorCode[] = [
  'identity.bad_token',
  'identity.bad_proof',
  'identity.forbidden',
  'identity.not_admitted',
  'identity.cross_site',
  'identity.step_up_required',
]

/** The caller of a route, if they may enter it. A refused token or role is in the audit before it is answered. */
export async function enter(route: Route, visit: Visit, parts: Doorkeeping): Promise<Caller> {
  if (visit.over === 'local') return parts.operator()
  if (route.entry === 'anyone') return nobody
  const startedAt = parts.clock.elapsed()
  let caller: Caller | undefined
  try {
    const session = await signedIn(visit, parts)
    caller = session?.principal ?? (await bearer(visit, parts))
    if (session !== undefined)
      checkChange(visit.request, parts.addresses.originOf(visit.request.headers.host))
    checkRole(route, caller)
    checkFresh(route, session, parts.clock)
    return caller
  } catch (thrown) {
    const error = asGatewayError(thrown)
    const total = parts.clock.elapsed() - startedAt
    if (recorded.includes(error.code))
      await parts.audit.recorded(
        refusalEvent(error, {
          caller,
          requestId: visit.requestId,
          action: `${route.method} ${route.path}`,
          address: addressOf(visit),
          client: visit.request.headers['user-agent'],
          at: parts.clock.now(),
          total,
        }),
      )
    throw error
  }
}

/** Who reads: by the session of a browser, or by the Authorization header. Throws `identity.*`. */
export async function authenticate(visit: Visit, parts: Doorkeeping): Promise<Caller> {
  return (await signedIn(visit, parts))?.principal ?? bearer(visit, parts)
}

/** The session of a request that brings no Authorization header, which is looked at first and alone. */
async function signedIn({ request }: Visit, parts: Doorkeeping): Promise<BrowserSession | undefined> {
  const { authorization, cookie } = request.headers
  if (authorization !== undefined || cookie === undefined) return undefined
  try {
    return await parts.sessionOf(request)
  } catch (cause) {
    return fail('identity.unavailable', { why: 'The store of sessions does not answer.', cause })
  }
}

/** The caller behind the Authorization header. Only bad tokens count against the address. */
async function bearer(visit: Visit, parts: Doorkeeping): Promise<Caller> {
  const outcome = await check(visit.request, parts)
  if (!('rejected' in outcome)) return outcome
  if (isFailure(outcome)) parts.failures.count(addressOf(visit) ?? 'unknown')
  return fail(outcome.rejected, { why: outcome.why, ...nonceOf(outcome) })
}

async function check(request: IncomingMessage, parts: Doorkeeping): Promise<Principal | Rejection> {
  try {
    return await parts.identify(request.headers.authorization, apiResource, request)
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause
    return fail('identity.unavailable', { cause })
  }
}

function checkRole(route: Route, caller: Caller): void {
  if (caller.kind === 'account' && !(route.method === 'GET' && route.path === '/api/v1/me'))
    fail('identity.forbidden', {
      why: 'The token of a virtual account is for MCP; here it may only ask GET /api/v1/me.',
      fix: 'Use the token of a user.',
    })
  if (!mayEnter(route.entry, caller))
    fail('identity.forbidden', { why: `This needs the role ${route.entry}; yours is ${caller.role}.` })
}

/** Does the caller's role open this entry? */
export function mayEnter(entry: Entry, caller: Caller): boolean {
  if (entry === 'anyone' || entry === 'signed-in') return true
  return caller.role === 'admin' || (entry === 'auditor' && caller.role === 'auditor')
}

function addressOf(visit: Visit): string | undefined {
  return visit.request.socket.remoteAddress
}
