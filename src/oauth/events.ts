/** One audit event for each grant, refusal, registration and revocation, before its answer goes out. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Provider } from 'oidc-provider'
import type { AuditEvent, AuditRecord } from '../audit/index.ts'
import { asGatewayError } from '../foundation/errors.ts'
import type { FailureLimit } from '../foundation/failure-limit.ts'
import { newId } from '../foundation/id.ts'
import { isObject } from '../foundation/json.ts'
import type { Caller } from '../foundation/route.ts'
import { idJagProfile } from './grants/names.ts'
import { scopesSupported } from './scopes.ts'
import { visit } from './visit.ts'

type Said = {
  readonly action: `oauth.${string}`
  readonly outcome: AuditEvent['outcome']
  readonly who?: Pick<Caller, 'id' | 'kind' | 'name'> | undefined
  readonly clientId?: string | undefined
  readonly error?: string | undefined
  readonly why?: string | undefined
  readonly detail?: Readonly<Record<string, unknown>>
}

/** Tells the audit what was decided about the present request. */
export async function tell(audit: AuditRecord, said: Said): Promise<void> {
  const { request, requestId, about } = visit()
  about.isTold = true
  const at = Date.now()
  const isOk = said.outcome === 'ok'
  await audit.recorded({
    id: newId(at),
    at,
    kind: 'identity',
    requestId,
    who: {
      id: said.who?.id ?? null,
      kind: said.who?.kind ?? 'nobody',
      name: said.who?.name ?? null,
      tokenId: null,
      address: request.socket.remoteAddress ?? null,
      client: request.headers['user-agent']?.slice(0, 200) ?? null,
    },
    action: said.action,
    target: said.clientId === undefined ? null : `oauth-client:${said.clientId.slice(0, 300)}`,
    subject: null,
    decision: isOk ? null : { allowed: false, reason: (said.why ?? said.error ?? '').slice(0, 300) },
    outcome: said.outcome,
    error: said.error ?? null,
    input: null,
    bytes: { in: 0, out: 0 },
    time: { total: 0, upstream: 0 },
    era: null,
    detail: said.detail ?? null,
  })
}

/** What the library calls its endpoints, and what the audit does. Where nothing is decided, only errors are told. */
const actions: Readonly<
  Record<string, { readonly action: `oauth.${string}`; readonly isDecision: boolean }>
> = {
  authorization: { action: 'oauth.authorize', isDecision: false },
  resume: { action: 'oauth.authorize', isDecision: false },
  token: { action: 'oauth.token', isDecision: true },
  registration: { action: 'oauth.register_client', isDecision: true },
  client: { action: 'oauth.read_client', isDecision: false },
  client_update: { action: 'oauth.update_client', isDecision: true },
  client_delete: { action: 'oauth.delete_client', isDecision: true },
  revocation: { action: 'oauth.revoke', isDecision: true },
  introspection: { action: 'oauth.introspect', isDecision: false },
}

const errorEvents = [
  'authorization.error',
  'grant.error',
  'registration_create.error',
  'registration_read.error',
  'registration_update.error',
  'registration_delete.error',
  'revocation.error',
  'introspection.error',
  'server_error',
] as const

export type Told = {
  readonly audit: AuditRecord
  readonly failures: FailureLimit
  takesIdJags(): boolean
}

/** Has the library's answers told to the audit before they are sent. */
export function tellOf(provider: Provider, { audit, failures, takesIdJags }: Told): void {
  const failed = (_: unknown, error: Error) => {
    const { about } = visit()
    about.error = 'error' in error && typeof error.error === 'string' ? error.error : 'server_error'
    about.why = whyOf(error)
  }
  const events: NodeJS.EventEmitter = provider
  for (const event of errorEvents) events.on(event, failed)
  provider.on('authorization.success', () => {
    visit().about.isDecided = true
  })
  provider.use(async (ctx, next) => {
    visit().about.authentication = () => authenticationOf(ctx.oidc.params, ctx.headers)
    await next()
    if (ctx.oidc.route === 'discovery') completeMetadata(ctx.body, takesIdJags())
    const known = actions[ctx.oidc.route]
    if (known === undefined) return
    const { about, session, request } = visit()
    // Where a browser asks there is no secret to be guessed.
    if (about.error === 'invalid_client' && ctx.oidc.route !== 'authorization')
      slowDown(failures, request, ctx)
    if (about.error === undefined && !known.isDecision && about.isDecided !== true) return
    const { params = {}, entities } = ctx.oidc
    const { grant_type: grantType, resource, scope } = { grant_type: undefined, ...params }
    await tell(audit, {
      action: known.action,
      outcome: about.error === undefined ? 'ok' : 'rejected',
      who: about.who ?? session?.principal ?? personOf(entities.Grant?.accountId),
      clientId: ctx.oidc.client?.clientId ?? asText(params.client_id),
      error: about.error,
      why: about.why,
      detail: {
        ...{ grantType, resource: asText(resource), scope: asText(scope), grant: entities.Grant?.jti },
        ...(about.held?.act !== undefined && { act: about.held.act }),
      },
    })
  })
}

type Answer = { status: number; body: unknown; set(name: string, value: string): void }

/** Whoever guesses secrets from one address is soon told to wait. */
function slowDown(failures: FailureLimit, { socket }: IncomingMessage, answer: Answer): void {
  try {
    failures.count(socket.remoteAddress ?? 'unknown')
  } catch (thrown) {
    const { status, why, data } = asGatewayError(thrown)
    answer.status = status
    answer.body = { error: 'invalid_client', error_description: why }
    answer.set('retry-after', String(data?.retryAfterSeconds ?? 60))
  }
}

/** More than the client is told. */
function whyOf(error: Error): string {
  const detail = 'error_detail' in error ? error.error_detail : undefined
  if (typeof detail === 'string' && detail !== '') return detail
  return 'error_description' in error ? String(error.error_description) : error.message
}

/** The library knows the scopes of OpenID only, and lists response modes that no client of ours may use. */
function completeMetadata(body: unknown, takesIdJags: boolean): void {
  if (!isObject(body)) return
  const own = Array.isArray(body.scopes_supported) ? body.scopes_supported : []
  Object.assign(body, {
    scopes_supported: [...scopesSupported, ...own],
    response_modes_supported: ['query'],
    ...(takesIdJags && { authorization_grant_profiles_supported: [idJagProfile] }),
  })
}

/** A secret or an assertion is what a client authenticates by; an assertion that is a grant is not. */
type Sent = Readonly<Record<string, unknown>> | undefined

function authenticationOf(params: Sent, { authorization }: IncomingHttpHeaders): 'none' | 'secret' | 'key' {
  if (params?.client_assertion !== undefined) return 'key'
  return params?.client_secret !== undefined || authorization !== undefined ? 'secret' : 'none'
}

function personOf(id: string | undefined) {
  return id === undefined ? undefined : ({ id, kind: 'user', name: '' } as const)
}

function asText(value: unknown): string | undefined {
  return typeof value === 'string' ? value.slice(0, 300) : undefined
}
