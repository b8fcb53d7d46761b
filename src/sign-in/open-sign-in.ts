/** The plane of people in a browser: pages and redirects. What they come to is decided in the identity room. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { asGatewayError, type ErrorCode, fail, type GatewayError } from '../foundation/errors.ts'
import { checkFraming, checkQuery } from '../foundation/guards.ts'
import { newId } from '../foundation/id.ts'
import { accountPages } from './account.ts'
import { errorFace, errorPage } from './answers.ts'
import { claimPages } from './claim.ts'
import { connectPages } from './connect.ts'
import { linkPages } from './link.ts'
import { passkeyPages } from './passkeys.ts'
import { type Place, placeOf } from './place.ts'
import { providerPages } from './providers.ts'
import { signOutPages } from './sign-out.ts'
import { openVisit, type SignInParts } from './visit.ts'
import { welcomePages } from './welcome.ts'

export type SignInPages = {
  /** The paths at which and below which it answers. */
  readonly at: readonly string[]
  handle(request: IncomingMessage, response: ServerResponse): void
}

const places: readonly Place[] = [
  ...passkeyPages,
  ...signOutPages,
  ...claimPages,
  ...linkPages,
  ...accountPages,
  ...welcomePages,
  ...providerPages,
  ...connectPages,
]

/** Refusals that count against the address they came from. */
const guesses: readonly ErrorCode[] = [
  'identity.link_refused',
  'identity.claim_refused',
  'identity.passkey_refused',
  'identity.form_refused',
]

export function openSignInPages(parts: SignInParts): SignInPages {
  return {
    at: ['/sign-in', '/sign-out', '/signed-out', '/claim', '/link', '/account', '/connect'],
    handle(request, response) {
      const requestId = newId()
      response.setHeader('x-request-id', requestId)
      answer({ request, response, requestId, parts }).catch(thrown => {
        const error = afterGuess(asGatewayError(thrown), request, parts)
        logError(parts, error, requestId)
        answerError(request, response, { error, requestId })
      })
    },
  }
}

type Coming = Parameters<typeof openVisit>[0]

async function answer(coming: Coming): Promise<void> {
  const { request, parts } = coming
  const target = request.url ?? '/'
  checkFraming(request.rawHeaders, target, request.headers.host)
  parts.guards.checkHost(request.headers.host)
  parts.guards.checkOrigin(request.headers.origin, request.headers.host)
  checkQuery(target)
  const [path = '/'] = target.split('?')
  const { place, params } = placeOf(places, request.method ?? 'GET', path) ?? fail('http.not_found')
  await place.act(await openVisit(coming), params)
}

function afterGuess(error: GatewayError, request: IncomingMessage, { failures }: SignInParts): GatewayError {
  if (!guesses.includes(error.code)) return error
  try {
    failures.count(request.socket.remoteAddress ?? 'unknown')
    return error
  } catch (limit) {
    return asGatewayError(limit)
  }
}

type Failed = { readonly error: GatewayError; readonly requestId: string }

function answerError(request: IncomingMessage, response: ServerResponse, { error, requestId }: Failed): void {
  if (response.headersSent) return void response.destroy()
  const retryAfter = error.data?.retryAfterSeconds
  if (typeof retryAfter === 'number') response.setHeader('retry-after', String(retryAfter))
  const allow = error.data?.allow
  if (Array.isArray(allow)) response.setHeader('allow', allow.join(', '))
  // The rest of the body was not read, so the connection cannot be used again.
  if (error.status === 413) response.setHeader('connection', 'close')
  if (request.headers.accept?.includes('application/json') === true) {
    response.writeHead(error.status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
    response.end(JSON.stringify(errorFace(error, requestId)))
    return
  }
  const { html, headers } = errorPage(error, requestId)
  response.writeHead(error.status, headers).end(html)
}

function logError({ log }: SignInParts, error: GatewayError, requestId: string): void {
  if (error.status < 500) return
  const level = error.code === 'internal.unexpected' ? 'error' : 'warn'
  log[level]({ requestId, code: error.code, internal: error.internal, cause: error.cause }, error.message)
}
