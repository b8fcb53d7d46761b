/** Claiming: the secret is in the fragment of the link, which no browser sends anywhere before its person says so. */
import { GatewayError } from '../foundation/errors.ts'
import { html } from '../foundation/html.ts'
import { page } from '../foundation/page.ts'
import { emailSchema, type IssuedToken } from '../identity/index.ts'
import { show } from './answers.ts'
import { hidden, postedForm } from './form.ts'
import type { Place } from './place.ts'
import type { Visit } from './visit.ts'

export const claimPages: readonly Place[] = [
  { method: 'GET', path: '/claim', act: visit => ask(visit, { secret: '', email: '', problem: '' }) },
  { method: 'POST', path: '/claim', act: claim },
]

type Asked = { readonly secret: string; readonly email: string; readonly problem: string }

const claimScript = `
const form = document.querySelector('form')
const secret = form.elements.secret
if (location.hash.length > 1) secret.value = location.hash.slice(1)
history.replaceState(null, '', location.pathname)
if (secret.value === '') {
  form.hidden = true
  document.querySelector('[role=alert]').textContent = 'This link has no secret in it. Copy the whole claim link that the gateway printed, with everything after the #.'
}
`

function ask(visit: Visit, { secret, email, problem }: Asked): void {
  const form = page({
    title: 'Claim this Gatehouse',
    script: claimScript,
    body: html`
<h1>Claim this Gatehouse</h1>
<noscript><p>This page needs JavaScript, because the secret of the link never leaves your browser otherwise.</p></noscript>
<p role="alert">${problem}</p>
<form method="post" action="/claim">
${hidden(visit, { secret })}
<p>The link makes one person its admin, and works once.</p>
<label for="email">Your e-mail address</label>
<input id="email" name="email" type="email" autocomplete="email" required autofocus value="${email}">
<button class="wide">Become admin</button>
</form>`,
  })
  show(visit, form, undefined, problem === '' ? 200 : 400)
}

async function claim(visit: Visit): Promise<void> {
  const fields = await postedForm(visit)
  const [secret, typed] = [fields.get('secret') ?? '', fields.get('email') ?? '']
  const email = emailSchema.safeParse(typed.trim())
  if (!email.success) return ask(visit, { secret, email: typed, problem: 'This is not an e-mail address.' })
  const { token, opened } = await visit.parts.identity.signIn.claim(secret, email.data, visit.arriving)
  show(visit, claimedPage(visit, token), opened)
}

const copyScript = `
const button = document.querySelector('#copy')
button.hidden = !navigator.clipboard
button.addEventListener('click', async () => {
  await navigator.clipboard.writeText(document.querySelector('#token').textContent)
  button.textContent = 'Copied'
})
`

function claimedPage(visit: Visit, { token, subject }: IssuedToken) {
  return page({
    title: 'This Gatehouse is yours',
    script: copyScript,
    body: html`
<h1>This Gatehouse is yours</h1>
<p>You are its admin, ${subject.slice('user:'.length)}, and signed in.</p>
<h2>Your token</h2>
<p>For the command line and programs. It is shown only now; keep it like a password.</p>
<pre><output id="token">${token}</output></pre>
<button id="copy" class="quiet" type="button" hidden>Copy the token</button>
<p>Try it:</p>
<pre>export GATEHOUSE_URL=${visit.origin}
export GATEHOUSE_TOKEN=${token}
curl -H "Authorization: Bearer $GATEHOUSE_TOKEN" $GATEHOUSE_URL/api/v1/me</pre>
<h2>Next</h2>
${mayAddPasskey(visit) ? html`<p><a href="/account#passkeys">Add a passkey</a>, so that you can sign in again with this browser.</p>` : html`<p>Sign in again later with a link: <code>gatehouse user link ${subject.slice('user:'.length)}</code></p>`}
<p>Register a server: <code>gatehouse server add --help</code></p>`,
  })
}

function mayAddPasskey({ parts, origin }: Visit): boolean {
  try {
    parts.identity.signIn.passkeys.checkOrigin(origin)
    return true
  } catch (thrown) {
    if (thrown instanceof GatewayError) return false
    throw thrown
  }
}
