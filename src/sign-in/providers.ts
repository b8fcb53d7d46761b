/** To the identity provider of a company and back. */

import { GatewayError } from '../foundation/errors.ts'
import { readForm } from '../foundation/read-form.ts'
import { afterSignIn, redirect } from './answers.ts'
import type { Place } from './place.ts'
import { returnPath } from './return-path.ts'
import type { Visit } from './visit.ts'

export const providerPages: readonly Place[] = [
  { method: 'GET', path: '/sign-in/callback', act: finish },
  { method: 'GET', path: '/sign-in/{provider}', act: begin },
  { method: 'POST', path: '/sign-in/{provider}/logout', act: loggedOut },
]

type Params = Readonly<Record<string, string>>

/** A link may begin it: what is begun is bound to the browser, and nobody else's ends there. */
async function begin(visit: Visit, { provider = '' }: Params): Promise<void> {
  const { parts, query, mark, origin, arriving } = visit
  parts.beginnings.count(arriving.address ?? 'unknown')
  const onTo = returnPath(query.get('return'))
  const isAgain = query.get('again') === '1'
  redirect(visit, await parts.identity.signIn.atProviders.begin(provider, { mark, origin, onTo, isAgain }))
}

async function finish(visit: Visit): Promise<void> {
  const { parts, query, mark, arriving } = visit
  const { onTo, opened } = await parts.identity.signIn.atProviders.finish({ query, mark }, arriving)
  redirect(visit, await afterSignIn(visit, onTo, opened), opened)
}

/** From the provider itself, so without a cookie or a form of ours: its signature is what counts. */
async function loggedOut({ request, response, parts, arriving }: Visit, { provider = '' }: Params) {
  const token = (await readForm(request)).get('logout_token')
  try {
    await parts.identity.signIn.atProviders.loggedOut(provider, token ?? '', arriving)
  } catch (thrown) {
    if (thrown instanceof GatewayError && thrown.code === 'identity.logout_refused')
      return answerRefusal(response, thrown)
    throw thrown
  }
  response.writeHead(200, { 'cache-control': 'no-store' }).end()
}

/** Back-Channel Logout 1.0, 2.8. */
function answerRefusal(response: Visit['response'], { status, why }: GatewayError): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
  response.end(JSON.stringify({ error: 'invalid_request', error_description: why }))
}
