import { html } from '../foundation/html.ts'
import { page } from '../foundation/page.ts'
import { onwardPage, redirect, show } from './answers.ts'
import { postedForm } from './form.ts'
import type { Place } from './place.ts'
import type { Visit } from './visit.ts'

export const signOutPages: readonly Place[] = [
  { method: 'POST', path: '/sign-out', act: signOut },
  { method: 'GET', path: '/signed-out', act: signedOut },
]

async function signOut(visit: Visit): Promise<void> {
  await postedForm(visit)
  const { arriving, origin } = visit
  const { signIn } = visit.parts.identity
  const { before = arriving.idled } = arriving
  if (before === undefined) return redirect(visit, '/signed-out', 'signed out')
  const idToken = await signIn.signOut(before, arriving)
  const exit = await signIn.atProviders.exitOf({ session: before, origin, idToken })
  if (exit === undefined) redirect(visit, '/signed-out', 'signed out')
  else show(visit, onwardPage('You are signed out here', exit), 'signed out')
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
