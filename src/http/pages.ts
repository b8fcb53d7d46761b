/** The two pages the gateway has before its console: what this is, and claiming it. Nothing in them comes from outside. */
import { createHash } from 'node:crypto'

export type Page = { readonly html: string; readonly headers: Readonly<Record<string, string>> }

const style = `
:root { color-scheme: light dark; --ink: #1c2024; --paper: #fbfbfa; --line: #d9d9d4; --accent: #2f5d50; --on: #fff }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e4; --paper: #16181a; --line: #3a3d40; --accent: #8fc4b1; --on: #10201b } }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.6 system-ui, sans-serif }
main { width: min(36rem, 100%) }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .5rem }
p { margin: .5rem 0 1rem }
a { color: var(--accent) }
label { display: block; font-weight: 600; margin-bottom: .25rem }
input, pre { width: 100%; padding: .65rem .75rem; border: 1px solid var(--line); border-radius: .5rem; background: transparent;
  color: inherit; font: inherit }
pre, code, output { font-family: ui-monospace, monospace; font-size: .875rem }
pre { overflow-x: auto; margin: .25rem 0 1rem; white-space: pre-wrap; overflow-wrap: anywhere }
button { margin: .75rem 0; padding: .6rem 1.1rem; border: 0; border-radius: .5rem; background: var(--accent); color: var(--on);
  font: inherit; font-weight: 600; cursor: pointer }
button:disabled { opacity: .6; cursor: wait }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
[role=alert]:not(:empty) { border-left: 4px solid #b3261e; padding-left: .75rem; white-space: pre-line }
[hidden] { display: none }
`

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
  body: `
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
  script: '',
  body: `
<h1>Gatehouse</h1>
<p>An MCP gateway: one place between AI agents and the tools they call.</p>
<ul>
  <li>MCP servers are at <code>/mcp/{group}/{server}/server</code></li>
  <li>The management API is described in <a href="/api/v1/openapi.json">openapi.json</a></li>
  <li>Not claimed yet? Open the link the gateway printed at its start; it leads to <a href="/claim">/claim</a></li>
</ul>`,
})

function page(parts: { title: string; body: string; script: string }): Page {
  const script = parts.script === '' ? '' : `<script>${parts.script}</script>`
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${parts.title}</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<main>${parts.body}</main>
${script}
</body>
</html>
`
  return {
    html,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policyFor(parts.script),
    },
  }
}

function policyFor(script: string): string {
  const scripts = script === '' ? `'none'` : hashOf(script)
  return [
    `default-src 'none'`,
    `script-src ${scripts}`,
    `style-src ${hashOf(style)}`,
    `img-src data:`,
    `connect-src 'self'`,
    `base-uri 'none'`,
    `form-action 'none'`,
    `frame-ancestors 'none'`,
  ].join('; ')
}

function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`
}
