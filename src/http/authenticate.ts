/** Who asks, and whether they may enter a route at all. */
import type { IncomingMessage } from 'node:http'
import type { AuditEvent, AuditRecord } from '../audit/index.ts'
import type { Clock } from '../foundation/clock.ts'
import { asGatewayError, fail, GatewayError } from '../foundation/errors.ts'
import type { FailureLimit } from '../foundation/failure-limit.ts'
import { newId } from '../foundation/id.ts'
import type { Caller, Entry, Route } from '../foundation/route.ts'
import { apiResource, type Principal, type Rejection } from '../identity/index.ts'

/** How a request came in: over the network, or over the socket only the operator can open. */
export type Over = 'tcp' | 'local'

export type Doorkeeping = {
  identify(
    authorization: string | undefined,
    resource: string,
  ): Principal | Rejection | Promise<Principal | Rejection>
  operator(): Principal
  readonly audit: AuditRecord
  readonly failures: FailureLimit
  readonly clock: Clock
}

export type Visit = {
  readonly request: IncomingMessage
  readonly over: Over
  readonly requestId: string
}

/** Refusals that are in the audit before they are answered. */
const toldRefusals: readonly string[] = ['identity.bad_token', 'identity.forbidden', 'identity.not_admitted']

/** Stands in for the caller of a route that anyone may enter. */
const nobody: Caller = { id: '', kind: 'user', name: '', role: 'member', subjects: [], tokenId: undefined }

/** The caller of a route, if they may enter it. A refused token or role is in the audit before it is answered. */
export async function enter(route: Route, visit: Visit, parts: Doorkeeping): Promise<Caller> {
  if (visit.over === 'local') return parts.operator()
  if (route.entry === 'anyone') return nobody
  const startedAt = parts.clock.elapsed()
  let caller: Caller | undefined
  try {
    caller = await authenticate(visit, parts)
    checkRole(route, caller)
    return caller
  } catch (thrown) {
    const error = asGatewayError(thrown)
    const total = parts.clock.elapsed() - startedAt
    if (toldRefusals.includes(error.code))
      await parts.audit.recorded({
        ...refusal(visit, caller, error),
        ...whatAndWhen(route, parts.clock.now(), total),
      })
    throw error
  }
}

/** The caller behind the Authorization header. Throws `identity.*`; only bad tokens count against the address. */
export async function authenticate(visit: Visit, parts: Doorkeeping): Promise<Caller> {
  const outcome = await check(visit.request.headers.authorization, parts)
  if (!('rejected' in outcome)) return outcome
  if (outcome.rejected === 'identity.bad_token') parts.failures.count(addressOf(visit) ?? 'unknown')
  return fail(outcome.rejected, { why: outcome.why })
}

async function check(authorization: string | undefined, parts: Doorkeeping): Promise<Principal | Rejection> {
  try {
    return await parts.identify(authorization, apiResource)
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

function whatAndWhen(route: Route, at: number, total: number): Pick<AuditEvent, 'at' | 'action' | 'time'> {
  return { at, action: `${route.method} ${route.path}`, time: { total, upstream: 0 } }
}

function refusal(
  visit: Visit,
  caller: Caller | undefined,
  error: GatewayError,
): Omit<AuditEvent, 'at' | 'action' | 'time'> {
  return {
    id: newId(),
    kind: 'identity',
    requestId: visit.requestId,
    who: {
      id: caller?.id ?? null,
      kind: caller?.kind ?? 'nobody',
      name: caller?.name ?? null,
      tokenId: caller?.tokenId ?? null,
      address: addressOf(visit) ?? null,
      client: visit.request.headers['user-agent']?.slice(0, 200) ?? null,
    },
    target: null,
    subject: null,
    decision: { allowed: false, reason: error.why },
    outcome: caller === undefined ? 'rejected' : 'denied',
    error: error.code,
    input: null,
    bytes: { in: 0, out: 0 },
    era: null,
    detail: null,
  }
}
