/** The way in for OAuth: the gateway as authorization server for MCP clients, and the metadata they find it by. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Addresses } from '../foundation/addresses.ts'
import type { Announcements } from '../foundation/announcements.ts'
import { allowPage } from '../foundation/cors.ts'
import { asGatewayError, fail, type GatewayError } from '../foundation/errors.ts'
import { openFailureLimit } from '../foundation/failure-limit.ts'
import { checkFraming, checkQuery, type Guards } from '../foundation/guards.ts'
import { newId } from '../foundation/id.ts'
import type { Log } from '../foundation/log.ts'
import type { Identity } from '../identity/index.ts'
import { ask } from './ask.ts'
import type { ConsentParts } from './consent.ts'
import { errorPage, sendPage } from './error-page.ts'
import { tell } from './events.ts'
import { type KeeperParts, keepProvider } from './keep-provider.ts'
import { protectedResource } from './protected-resource.ts'
import { during, type Visit } from './visit.ts'

export type OAuthParts = Omit<KeeperParts, 'store' | 'isSecure' | 'showPage'> &
  Omit<ConsentParts, 'store'> & {
    readonly addresses: Addresses
    readonly announcements: Announcements
    readonly identity: Pick<Identity, 'oauth' | 'sessionOf'>
    readonly guards: Guards
    readonly log: Log
    /** How errors are told to programs. */
    answerProblem(response: ServerResponse, error: GatewayError, requestId: string): void
  }

export { documentFetch } from './fetch-document.ts'

export type OAuth = {
  /** The paths at which and below which it answers. The last three are where clients of MCP 2025-03-26 look that found no metadata. */
  readonly at: readonly string[]
  handle(request: IncomingMessage, response: ServerResponse, over: 'tcp' | 'local'): void
}

export function openOAuth(parts: OAuthParts): OAuth {
  const whole = { ...parts, store: parts.identity.oauth }
  const provider = keepProvider(whole)
  const registrations = openFailureLimit(parts.clock, 20)
  const serve = async (visit: Visit, over: string) => {
    const { request, response } = visit
    guard(parts, request, over)
    if (over === 'tcp' && allowPage(request, response)) return
    const path = pathOf(request)
    if (isTokenEndpoint(path)) checkMethod(request, ['POST'])
    if (path.startsWith('/.well-known/oauth-protected-resource')) return describe(parts, request, response)
    if (path.startsWith('/.well-known/')) checkMethod(request, ['GET'])
    if (request.method === 'POST' && path === '/oauth/register') countRegistration(registrations, request)
    const session = await parts.identity.sessionOf(request)
    await during({ ...visit, session }, () => ask(whole, provider))
  }
  return {
    at: [
      '/oauth',
      '/.well-known/oauth-authorization-server',
      '/.well-known/oauth-protected-resource',
      '/.well-known/openid-configuration',
      '/authorize',
      '/token',
      '/register',
    ],
    handle(request, response, over) {
      const requestId = newId()
      for (const [name, value] of safeHeaders) response.setHeader(name, value)
      response.setHeader('x-request-id', requestId)
      const visit: Visit = { request, response, requestId, session: undefined, about: {} }
      serve(visit, over)
        .catch(thrown => toldFirst(parts, visit, asGatewayError(thrown)))
        .catch(thrown => refuse(parts, visit, asGatewayError(thrown)))
    },
  }
}

const safeHeaders = [
  ['cache-control', 'no-store'],
  ['x-content-type-options', 'nosniff'],
  ['referrer-policy', 'same-origin'],
  ['x-frame-options', 'DENY'],
] as const

export const pathOf = ({ url = '/' }: IncomingMessage) => url.split('?', 1)[0] ?? '/'

const isTokenEndpoint = (path: string) => path === '/oauth/token' || path === '/token'

/** Answers an error. That of the token endpoint is in the audit first: the library tells only of what comes to it. */
async function toldFirst({ audit, ...parts }: OAuthParts, visit: Visit, error: GatewayError): Promise<void> {
  if (isTokenEndpoint(pathOf(visit.request)) && visit.about.isTold !== true)
    await during(visit, () =>
      tell(audit, { action: 'oauth.token', outcome: 'rejected', error: error.code, why: error.why }),
    )
  refuse(parts, visit, error)
}

function guard({ guards }: OAuthParts, request: IncomingMessage, over: string): void {
  checkFraming(request.rawHeaders, request.url ?? '/', request.headers.host)
  if (over === 'local') return
  guards.checkHost(request.headers.host)
  guards.checkOrigin(request.headers.origin, request.headers.host)
  checkQuery(request.url ?? '/')
}

function checkMethod({ method = '' }: IncomingMessage, allow: readonly string[]): void {
  if (!allow.includes(method)) fail('http.method_not_allowed', { data: { allow } })
}

function describe({ addresses }: OAuthParts, request: IncomingMessage, response: ServerResponse): void {
  checkMethod(request, ['GET'])
  const described = protectedResource(addresses, pathOf(request), request.headers.host)
  if (described === undefined) fail('http.not_found')
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(described))
}

function countRegistration(limit: ReturnType<typeof openFailureLimit>, { socket }: IncomingMessage): void {
  try {
    limit.count(socket.remoteAddress ?? 'unknown')
  } catch (thrown) {
    fail('oauth.too_many_registrations', { data: asGatewayError(thrown).data ?? {} })
  }
}

type Refused = Pick<Visit, 'request' | 'response' | 'requestId'>
type Refusing = Pick<OAuthParts, 'log' | 'answerProblem'>

/** People get a page, programs a problem. */
function refuse(parts: Refusing, { request, response, requestId }: Refused, error: GatewayError): void {
  if (error.code === 'internal.unexpected') parts.log.error({ err: error.cause, requestId }, error.internal)
  if (response.headersSent) return void response.end()
  if (!(request.headers.accept ?? '').includes('text/html'))
    return parts.answerProblem(response, error, requestId)
  const { message: title, why, fix, code } = error
  sendPage(response, error.status, errorPage({ title, why, fix, code: `${code} ${requestId}` }))
}
