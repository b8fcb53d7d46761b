/** Where people sign in: by what there is. */
import { html } from '../foundation/html.ts'
import { page } from '../foundation/page.ts'
import { redirect, show } from './answers.ts'
import { hidden } from './form.ts'
import { passkeyScript } from './passkey-script.ts'
import type { Place } from './place.ts'
import { returnPath } from './return-path.ts'
import type { Visit } from './visit.ts'

export const welcomePages: readonly Place[] = [{ method: 'GET', path: '/sign-in', act: welcome }]

async function welcome(visit: Visit): Promise<void> {
  const { before } = visit.arriving
  const isAgain = visit.query.get('again') === '1'
  const onTo = returnPath(visit.query.get('return'))
  if (before !== undefined && !isAgain) return redirect(visit, onTo)
  const offersPasskeys = await visit.parts.identity.signIn.passkeys.areThere()
  show(
    visit,
    page({
      title: 'Sign in to Gatehouse',
      script: offersPasskeys ? passkeyScript : '',
      body: html`
<h1>${isAgain ? 'Confirm that it is you' : 'Sign in'}</h1>
${before === undefined ? html`<p>to the Gatehouse at ${new URL(visit.origin).host}</p>` : html`<p>You are signed in as ${before.principal.name}. For what comes next, sign in once more.</p>`}
<p role="alert"></p>
${offersPasskeys ? passkeyForm(visit, onTo) : nothingToOffer}`,
    }),
  )
}

const nothingToOffer = html`
<p>Nothing to sign in with is set up yet. There are two ways on:</p>
<ul>
  <li>An admin makes you a link that signs you in once: <code>gatehouse user link &lt;email&gt;</code>. You can add a passkey then.</li>
  <li>An admin connects the identity provider of your company.</li>
</ul>`

function passkeyForm(visit: Visit, onTo: string) {
  return html`
<form method="post" action="/sign-in/passkey" data-begin="/sign-in/passkey/begin" data-kind="get" data-passkeys hidden>
${hidden(visit, { return: onTo, flow: '', response: '' })}
<button class="wide">Sign in with a passkey</button>
</form>
<noscript><p>Passkeys need JavaScript.</p></noscript>`
}
