/** Every way a visit is answered. Each gives the browser its mark, so that what it sends next is known to be its own. */
import { asGatewayError, errorTable, publicFace } from '../foundation/errors.ts'
import { html } from '../foundation/html.ts'
import { type Page, page } from '../foundation/page.ts'
import type { OpenedSession } from '../identity/index.ts'
import type { Visit } from './visit.ts'

/** What becomes of the session of the browser: a new one, or none any more. */
export type Outcome = OpenedSession | 'signed out' | undefined

type Answer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly outcome?: Outcome
}

function answer({ response, parts, markCookie }: Visit, { status, headers, body, outcome }: Answer): void {
  const { sessionCookie } = parts.identity
  const session = outcome === 'signed out' ? [sessionCookie()] : outcome && [sessionCookie(outcome)]
  response.writeHead(status, { ...headers, 'set-cookie': [markCookie, ...(session ?? [])] })
  response.end(body)
}

export function show(visit: Visit, { html: body, headers }: Page, outcome?: Outcome, status = 200): void {
  answer(visit, { status, headers, body, outcome })
}

export function redirect(visit: Visit, location: string, outcome?: Outcome): void {
  answer(visit, { status: 303, headers: { location, 'cache-control': 'no-store' }, body: '', outcome })
}

export function answerJson(visit: Visit, value: unknown, status = 200): void {
  const headers = {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  }
  answer(visit, { status, headers, body: JSON.stringify(value) })
}

/**
 * After a form. Browsers hold wherever a form leads, through every redirect, against the policy of its page, and an authorization
 * goes on to a client that no page of ours can know. So there is a page between.
 */
export function goOn(visit: Visit, path: string, outcome?: Outcome): void {
  if (path.startsWith('/account')) redirect(visit, path, outcome)
  else show(visit, onwardPage('You are signed in', path), outcome)
}

/** Somebody has just signed in. What they have to be told comes first, with the way on. */
export async function afterSignIn(visit: Visit, onTo: string, opened: OpenedSession): Promise<string> {
  const notices = await visit.parts.identity.signIn.notices.of(opened.userId)
  return notices.length === 0 ? onTo : `/account?${new URLSearchParams({ return: onTo })}`
}

export function onwardPage(title: string, onTo: string): Page {
  return page({
    title,
    onTo,
    body: html`
<h1>${title}</h1>
<p><a href="${onTo}">Go on</a>, if your browser does not by itself.</p>`,
  })
}

export function errorPage(thrown: unknown, requestId: string): Page {
  const { code, why, fix } = asGatewayError(thrown)
  const { sentence } = errorTable[code]
  return page({
    title: `${sentence} Gatehouse`,
    body: html`
<h1>${sentence}</h1>
${why !== sentence && html`<p role="alert">${why}</p>`}
<p>${fix}</p>
<p><a href="/sign-in">Sign in</a></p>
<p><small>Error <code>${code}</code>, request <code>${requestId}</code></small></p>`,
  })
}

/** For the scripts of our pages, in the members that every error has. */
export function errorFace(thrown: unknown, requestId: string): unknown {
  const error = asGatewayError(thrown)
  return { title: errorTable[error.code].sentence, ...publicFace(error, requestId) }
}
