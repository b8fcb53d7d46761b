/** What the management API asks of a browser's session, which a bearer token is not asked. */
import type { IncomingMessage } from 'node:http'
import type { Clock } from '../foundation/clock.ts'
import { fail } from '../foundation/errors.ts'
import { checkOwnPage } from '../foundation/own-page.ts'
import type { Route } from '../foundation/route.ts'
import { type BrowserSession, isFresh } from '../identity/index.ts'

/** Only pages of ours change anything with a cookie, and in a form that no plain form can have. Throws `identity.cross_site`. */
export function checkChange(request: IncomingMessage, ownOrigin: string): void {
  if (request.method === 'GET' || request.method === 'HEAD') return
  checkOwnPage(request, ownOrigin)
  const isJson = /^application\/json\s*(?:;|$)/i.test(request.headers['content-type'] ?? '')
  if (hasBody(request) && !isJson)
    fail('identity.cross_site', { why: 'With a cookie, a body has to be application/json.' })
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/** Throws `identity.step_up_required` when the route wants a fresh session and this one is not. */
export function checkFresh(route: Route, session: BrowserSession | undefined, clock: Clock): void {
  if (session === undefined || route.stepUp !== true) return
  if (isFresh(session, clock.now())) return
  fail('identity.step_up_required', { data: { signIn: '/sign-in?again=1&return=/account' } })
}
