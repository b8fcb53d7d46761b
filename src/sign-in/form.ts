/** Forms of our pages: what each carries, and what is believed of one that comes back. */
import { formTokenField } from '../foundation/browsers.ts'
import { GatewayError } from '../foundation/errors.ts'
import { type Html, html } from '../foundation/html.ts'
import { checkOwnPage } from '../foundation/own-page.ts'
import { readForm } from '../foundation/read-form.ts'
import type { Visit } from './visit.ts'

/** The hidden fields of a form for this browser. */
export function hidden({ mark, parts }: Visit, more: Readonly<Record<string, string>> = {}): Html {
  const fields = { [formTokenField]: parts.browsers.formToken(mark), ...more }
  return html`${Object.entries(fields).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">\n`,
  )}`
}

/** Throws `identity.cross_site` or `identity.form_refused`, with one event; a form from elsewhere does nothing. */
export async function postedForm(visit: Visit): Promise<ReadonlyMap<string, string>> {
  const { request, origin, mark, parts, path } = visit
  try {
    checkOwnPage(request, origin)
    const fields = await readForm(request)
    parts.browsers.checkForm(mark, fields)
    return fields
  } catch (thrown) {
    if (thrown instanceof GatewayError)
      await parts.identity.signIn.noteRefusal(
        { action: 'identity.form', target: path },
        visit.arriving,
        thrown,
      )
    throw thrown
  }
}
