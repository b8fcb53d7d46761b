/** Errors that must not go back to the application, because nobody knows whether it is the one it says. */
import type { ServerResponse } from 'node:http'
import type { KoaContextWithOIDC } from 'oidc-provider'
import { html } from '../foundation/html.ts'
import { type Page, page } from '../foundation/page.ts'
import { visibly } from '../foundation/visible.ts'
import { kindOf } from './client-rules.ts'

export type Trouble = {
  readonly title: string
  readonly why: string
  readonly fix: string
  readonly code: string
}
export type ErrorPage = (trouble: Trouble) => Page

export function errorPage({ title, why, fix, code }: Trouble): Page {
  return page({
    title,
    body: html`
<h1>${title}</h1>
<p role="alert">${visibly(why)}</p>
<p>${fix}</p>
<p><small>${code}</small></p>`,
  })
}

const fixes: Readonly<Record<string, string>> = {
  invalid_client:
    'Remove this server from the application and add it again; it then registers anew. Or ask an admin: gatehouse oauth-client list.',
  invalid_redirect_uri:
    'The application asked to be answered at an address that it did not register. Update it, or have an admin register that address.',
}

const fixOfDocument =
  'The application is described by a document at its own address, which the gateway could not read or may not trust. Try again; if the gateway has no way to that address, an admin can start it with GATEHOUSE_OAUTH_CLIENT_METADATA=off, and applications register themselves instead.'

/** What oidc-provider shows in a browser instead of redirecting. */
export function showError(
  show: ErrorPage,
  ctx: KoaContextWithOIDC,
  { error, error_description: description = '' }: { error: string; error_description?: string | undefined },
): void {
  const isDocument = error === 'invalid_client' && kindOf(String(ctx.oidc?.params?.client_id)) === 'document'
  const known = isDocument ? fixOfDocument : fixes[error]
  const said = description === '' ? error.replaceAll('_', ' ') : description
  const shown = show({
    title: 'This application cannot be connected',
    why: isDocument ? `The document that describes it cannot be used: ${said}.` : sentence(said),
    fix: known ?? 'Go back to the application and start again from there.',
    code: error,
  })
  for (const [name, value] of Object.entries(shown.headers)) ctx.set(name, value)
  ctx.body = shown.html
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`
}

/** Sends a page where no framework is at hand. Forms of ours say where they come from, so the referrer stays for this site. */
export function sendPage(response: ServerResponse, status: number, shown: Page): void {
  response.writeHead(status, { ...shown.headers, 'referrer-policy': 'same-origin' })
  response.end(shown.html)
}
