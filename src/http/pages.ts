/** The two pages the gateway has before its console: what this is, and claiming it. Nothing in them comes from outside. */
import { html } from '../foundation/html.ts'
import { type Page, page } from '../foundation/page.ts'

const claimScript = `
const form = document.querySelector('form')
const problem = document.querySelector('[role=alert]')
const secret = location.hash.slice(1)
history.replaceState(null, '', location.pathname)
if (secret === '') {
  form.hidden = true
  problem.textContent = 'This link has no secret in it. Copy the whole claim link that the gateway printed, with everything after the #.'
}
form.addEventListener('submit', async event => {
  event.preventDefault()
  const button = form.querySelector('button')
  button.disabled = true
  problem.textContent = ''
  try {
    const response = await fetch('/api/v1/claim', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ secret, email: form.elements.email.value }),
    })
    const answer = await response.json()
    if (response.ok) show(answer.token)
    else problem.textContent = answer.title + ' ' + answer.why + '\\n' + answer.fix
  } catch {
    problem.textContent = 'The gateway did not answer. Check that it runs, then try again.'
  }
  button.disabled = false
})
function show(token) {
  form.hidden = true
  document.querySelector('#token').textContent = token
  document.querySelector('#snippet').textContent =
    'export GATEHOUSE_URL=' + location.origin + '\\nexport GATEHOUSE_TOKEN=' + token +
    '\\ncurl -H "Authorization: Bearer $GATEHOUSE_TOKEN" $GATEHOUSE_URL/api/v1/me'
  document.querySelector('#done').hidden = false
  document.querySelector('#done h1').focus()
}
document.querySelector('#copy').addEventListener('click', async event => {
  await navigator.clipboard.writeText(document.querySelector('#token').textContent)
  event.target.textContent = 'Copied'
})
`

export const claimPage: Page = page({
  title: 'Claim this Gatehouse',
  script: claimScript,
  body: html`
<noscript><p>This page needs JavaScript, because the secret of the link never leaves your browser otherwise.</p></noscript>
<form>
  <h1>Claim this Gatehouse</h1>
  <p>The link makes one person its admin, and works once.</p>
  <label for="email">Your e-mail address</label>
  <input id="email" name="email" type="email" autocomplete="email" required autofocus>
  <button>Become admin</button>
</form>
<p role="alert"></p>
<section id="done" hidden>
  <h1 tabindex="-1">This Gatehouse is yours</h1>
  <p>Your token, shown only now. Keep it like a password.</p>
  <pre><output id="token"></output></pre>
  <button id="copy" type="button">Copy the token</button>
  <p>Try it:</p>
  <pre id="snippet"></pre>
  <p>Next, register a server: <code>gatehouse server add --help</code></p>
</section>`,
})

export const landingPage: Page = page({
  title: 'Gatehouse',
  body: html`
<h1>Gatehouse</h1>
<p>An MCP gateway: one place between AI agents and the tools they call.</p>
<ul>
  <li>MCP servers are at <code>/mcp/{group}/{server}/server</code></li>
  <li>The management API is described in <a href="/api/v1/openapi.json">openapi.json</a></li>
  <li>Not claimed yet? Open the link the gateway printed at its start; it leads to <a href="/claim">/claim</a></li>
</ul>`,
})
