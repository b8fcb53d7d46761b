/** One-time links. A page comes first, for mail programs and chats open links before their people do. */
import { html } from '../foundation/html.ts'
import { page } from '../foundation/page.ts'
import { redirect, show } from './answers.ts'
import { hidden, postedForm } from './form.ts'
import type { Place } from './place.ts'
import type { Visit } from './visit.ts'

export const linkPages: readonly Place[] = [
  { method: 'GET', path: '/link/{secret}', act: look },
  { method: 'POST', path: '/link/{secret}', act: use },
]

type Params = Readonly<Record<string, string>>

async function look(visit: Visit, { secret = '' }: Params): Promise<void> {
  const { email } = await visit.parts.identity.signIn.links.look(secret)
  show(
    visit,
    page({
      title: 'Sign in to Gatehouse',
      body: html`
<h1>Sign in as ${email}?</h1>
<p>This link signs you in to the Gatehouse at ${new URL(visit.origin).host}. It works once. Is this not your address, then leave it.</p>
<form method="post" action="/link/${secret}">
${hidden(visit)}
<button class="wide" autofocus>Sign in as ${email}</button>
</form>`,
    }),
  )
}

async function use(visit: Visit, { secret = '' }: Params): Promise<void> {
  await postedForm(visit)
  redirect(visit, '/account', await visit.parts.identity.signIn.links.use(secret, visit.arriving))
}
