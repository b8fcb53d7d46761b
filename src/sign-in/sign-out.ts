import { html } from '../foundation/html.ts'
import { page } from '../foundation/page.ts'
import { redirect, show } from './answers.ts'
import { postedForm } from './form.ts'
import type { Place } from './place.ts'
import type { Visit } from './visit.ts'

export const signOutPages: readonly Place[] = [
  { method: 'POST', path: '/sign-out', act: signOut },
  { method: 'GET', path: '/signed-out', act: signedOut },
]

async function signOut(visit: Visit): Promise<void> {
  await postedForm(visit)
  const { before } = visit.arriving
  if (before !== undefined) await visit.parts.identity.signIn.signOut(before, visit.arriving)
  redirect(visit, '/signed-out', 'signed out')
}

function signedOut(visit: Visit): void {
  show(
    visit,
    page({
      title: 'Signed out of Gatehouse',
      body: html`
<h1>You are signed out</h1>
<p>This browser is not signed in here any more.</p>
<p><a href="/sign-in">Sign in again</a></p>`,
    }),
  )
}
