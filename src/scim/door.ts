/** SCIM 2.0 at `/scim/v2`: identity providers keep their people and groups here. Owns no rule of who may be what. */
import type { IncomingMessage } from 'node:http'
import { type AuditRecord, refusalEvent } from '../audit/index.ts'
import type { Addresses } from '../foundation/addresses.ts'
import type { Clock } from '../foundation/clock.ts'
import { fail, GatewayError } from '../foundation/errors.ts'
import type { FailureLimit } from '../foundation/failure-limit.ts'
import { checkFraming, checkQuery, type Guards } from '../foundation/guards.ts'
import { newId } from '../foundation/id.ts'
import type { Log } from '../foundation/log.ts'
import { type Identity, isRejection, type Principal } from '../identity/index.ts'
import { type Answer, refusalOf, send } from './answer.ts'
import type { Scim } from './index.ts'
import { readScim } from './read-scim.ts'
import { type Ask, declareResources } from './resources.ts'
import { routeOf, type Target } from './routes.ts'

export type ScimParts = {
  readonly identity: Pick<Identity, 'identify' | 'provisioning'>
  readonly addresses: Pick<Addresses, 'origin'>
  readonly guards: Guards
  readonly failures: FailureLimit
  readonly audit: AuditRecord
  readonly clock: Clock
  readonly log: Log
  readonly requestBytes: number
}

/** How often a patch is made again of what another left meanwhile. */
const mostAttempts = 5

export function openDoor(parts: ScimParts): Scim['handle'] {
  declareResources()
  return (request, response) => {
    const requestId = newId()
    const visit: Visit = { parts, request, requestId, at: parts.clock.now(), principal: undefined }
    serve(visit)
      .catch(thrown => refused(visit, thrown))
      .then(answer => send(response, answer, requestId))
      .catch(error => parts.log.error({ err: error, requestId }, 'An answer of SCIM was lost.'))
  }
}

type Visit = {
  readonly parts: ScimParts
  readonly request: IncomingMessage
  readonly requestId: string
  readonly at: number
  principal: Principal | undefined
}

async function serve(visit: Visit): Promise<Answer> {
  const { parts, request } = visit
  const target = request.url ?? '/'
  checkFraming(request.rawHeaders, target, request.headers.host)
  parts.guards.checkHost(request.headers.host)
  parts.guards.checkOrigin(request.headers.origin, request.headers.host)
  checkQuery(target)
  const provisioning = await provisioningFor(visit)
  const route = routeOf(target, `${parts.addresses.origin()}/scim/v2`)
  const by = { caller: visit.principal ?? fail('identity.no_token'), requestId: visit.requestId }
  const ask = (): Ask => ({ provisioning, by, failure: undefined, read: undefined })
  switch (request.method) {
    case 'GET':
      return { status: 200, body: await tried(ask(), one => route.read(one)) }
    case 'POST':
      return route.isSearch ? search(visit, route, ask()) : create(visit, route, ask())
    case 'PUT':
      return { status: 200, body: await write(visit, route, ask()) }
    case 'PATCH':
      return patch(visit, route, ask)
    case 'DELETE':
      await tried(ask(), one => route.remove(one))
      return { status: 204 }
    default:
      return fail('http.method_not_allowed', { data: { allow: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] } })
  }
}

async function provisioningFor(visit: Visit): Promise<Ask['provisioning']> {
  const { parts, request } = visit
  const outcome = await parts.identity.identify(request.headers.authorization, 'scim')
  if (isRejection(outcome)) {
    if (outcome.rejected === 'identity.bad_token')
      parts.failures.count(request.socket.remoteAddress ?? 'unknown')
    return fail(outcome.rejected, { why: outcome.why })
  }
  visit.principal = outcome
  return (
    parts.identity.provisioning(outcome) ??
    fail('identity.forbidden', {
      why: 'No identity provider provisions with this token.',
      fix: 'Name its virtual account in the settings of the identity provider: scim: { account: <name> }.',
    })
  )
}

async function create({ parts, request }: Visit, route: Target, ask: Ask): Promise<Answer> {
  const body = await readScim(request, parts.requestBytes)
  return { status: 201, body: await tried(ask, one => route.create(body, one)) }
}

async function write({ parts, request }: Visit, route: Target, ask: Ask): Promise<unknown> {
  const body = await readScim(request, parts.requestBytes)
  return tried(ask, one => route.write(body, one))
}

async function search({ parts, request }: Visit, route: Target, ask: Ask): Promise<Answer> {
  const body = await readScim(request, parts.requestBytes)
  return { status: 200, body: await tried(ask, one => route.search(body, one)) }
}

/** Of two patches at the same time each is made of what the other left, whichever process had it. */
async function patch({ parts, request }: Visit, route: Target, ask: () => Ask): Promise<Answer> {
  const body = await readScim(request, parts.requestBytes)
  for (let attempt = 1; ; attempt++) {
    try {
      const patched = await tried(ask(), one => route.patch(body, one))
      return patched === undefined ? { status: 204 } : { status: 200, body: patched }
    } catch (error) {
      const isStale = error instanceof GatewayError && error.data?.stale === true
      if (!isStale || attempt >= mostAttempts) throw error
    }
  }
}

async function tried<T>(ask: Ask, work: (ask: Ask) => Promise<T>): Promise<T> {
  try {
    return await work(ask)
  } catch (error) {
    throw ask.failure ?? error
  }
}

/** Every refusal of somebody is in the audit before it is answered; changes were recorded where they were made. */
async function refused(visit: Visit, thrown: unknown): Promise<Answer> {
  const { parts, requestId } = visit
  const { error, answer } = refusalOf(thrown, requestId)
  if (error.status >= 500) parts.log.error({ err: error.cause, requestId }, error.internal ?? error.message)
  if (error.code !== 'identity.bad_token' && error.code !== 'identity.forbidden') return answer
  try {
    const { request, principal: caller, at } = visit
    const total = parts.clock.now() - at
    await parts.audit.recorded(
      refusalEvent(error, {
        caller,
        requestId,
        action: `${request.method} /scim/v2`,
        address: request.socket.remoteAddress,
        client: request.headers['user-agent'],
        at,
        total,
      }),
    )
    return answer
  } catch (failure) {
    return refusalOf(failure, requestId).answer
  }
}
