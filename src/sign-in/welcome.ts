/** Where people sign in: by what there is. */
import { type Html, html } from '../foundation/html.ts'
import { page } from '../foundation/page.ts'
import type { BrowserSession, IdentityProvider } from '../identity/index.ts'
import { redirect, show } from './answers.ts'
import { hidden } from './form.ts'
import { passkeyScript } from './passkey-script.ts'
import type { Place } from './place.ts'
import { returnPath } from './return-path.ts'
import type { Visit } from './visit.ts'

export const welcomePages: readonly Place[] = [{ method: 'GET', path: '/sign-in', act: welcome }]

/** Of more than these nobody looks for their own in a list. */
const mostListed = 5

type Asked = { readonly onTo: string; readonly isAgain: boolean; readonly email: string | undefined }

async function welcome(visit: Visit): Promise<void> {
  const { query, arriving, parts } = visit
  const { before } = arriving
  const isAgain = query.get('again') === '1'
  const onTo = returnPath(query.get('return'))
  if (before !== undefined && !isAgain) return redirect(visit, onTo)
  const asked = { onTo, isAgain, email: query.get('email')?.slice(0, 254) }
  const ways = waysOf(visit, asked)
  const offersPasskeys = await parts.identity.signIn.passkeys.areThere()
  show(
    visit,
    page({
      title: 'Sign in to Gatehouse',
      script: offersPasskeys ? passkeyScript : '',
      body: html`
<h1>${isAgain ? 'Confirm that it is you' : 'Sign in'}</h1>
${greeting(visit, before)}
${ways}
${ways !== undefined && offersPasskeys && html`<p class="or" data-passkeys hidden>or</p>`}
${offersPasskeys && passkeyForm(visit, { onTo, isOneOfTwo: ways !== undefined })}
${ways === undefined && !offersPasskeys && nothingToOffer}`,
    }),
  )
}

function greeting({ origin }: Visit, before: BrowserSession | undefined): Html {
  if (before !== undefined)
    return html`<p>You are signed in as ${before.principal.name}. For what comes next, sign in once more.</p>`
  return html`<p>to the Gatehouse at ${new URL(origin).host}</p>`
}

/** Providers to choose from; the address first, where there are many. Undefined where there are none. */
function waysOf({ parts }: Visit, asked: Asked): Html | undefined {
  const { atProviders } = parts.identity.signIn
  const providers = atProviders.list()
  if (providers.length === 0) return undefined
  if (providers.length <= mostListed) return html`${providers.map(one => way(one, asked))}`
  const found = asked.email === undefined ? undefined : atProviders.ofAddress(asked.email)
  return html`${found && way(found, asked)}${addressForm(asked, found === undefined)}`
}

function way({ name, title }: IdentityProvider, { onTo, isAgain }: Asked): Html {
  const query = new URLSearchParams({ return: onTo, ...(isAgain ? { again: '1' } : {}) })
  return html`<a class="button wide" href="/sign-in/${name}?${query.toString()}">Sign in with ${title}</a>\n`
}

function addressForm({ onTo, isAgain, email }: Asked, isNeeded: boolean): Html {
  return html`
${isNeeded && email !== undefined && html`<p role="alert">No identity provider here is for that address. Check it, or ask your admin.</p>`}
<form method="get" action="/sign-in">
<input type="hidden" name="return" value="${onTo}">
${isAgain && html`<input type="hidden" name="again" value="1">`}
<label for="email">Your e-mail address at work</label>
<input id="email" name="email" type="email" autocomplete="email" required value="${email}"${isNeeded && html` autofocus`}>
<button class="wide${!isNeeded && ' quiet'}">Go on</button>
</form>`
}

const nothingToOffer = html`
<p>Nothing to sign in with is set up yet. There are two ways on:</p>
<ul>
  <li>An admin makes you a link that signs you in once: <code>gatehouse user link &lt;email&gt;</code>. You can add a passkey then.</li>
  <li>An admin connects the identity provider of your company.</li>
</ul>`

function passkeyForm(visit: Visit, { onTo, isOneOfTwo }: { onTo: string; isOneOfTwo: boolean }): Html {
  return html`
<p role="alert"></p>
<form method="post" action="/sign-in/passkey" data-begin="/sign-in/passkey/begin" data-kind="get" data-passkeys hidden>
${hidden(visit, { return: onTo, flow: '', response: '' })}
<button class="wide${isOneOfTwo && ' quiet'}">Sign in with a passkey</button>
</form>
<noscript><p class="muted">Passkeys need JavaScript.</p></noscript>`
}
