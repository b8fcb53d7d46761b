/** Whole pages: one look, no script from anywhere else, nothing that may frame them. */
import { createHash } from 'node:crypto'
import { type Html, html } from './html.ts'

export type Page = { readonly html: string; readonly headers: Readonly<Record<string, string>> }

export type PageParts = {
  readonly title: string
  readonly body: Html
  /** Inline script of ours; none unless told. Never anything that came from outside. */
  readonly script?: string
  /** Where the browser goes on to by itself, at once: unlike the answer to a form, wherever that leads. */
  readonly onTo?: string
  /** Further origins that forms may lead to, such as the client an authorization goes back to. */
  readonly formTargets?: readonly string[]
}

const style = `
:root { color-scheme: light dark; --ink: #1c2024; --paper: #f4f4f1; --card: #fff; --line: #d6d6d0; --muted: #565c61;
  --accent: #2f5d50; --on: #fff; --danger: #b3261e }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e4; --paper: #131517; --card: #1b1e20; --line: #3a3e41;
  --muted: #a9afb4; --accent: #8fc4b1; --on: #10201b; --danger: #f2a29b } }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; align-content: center; justify-items: center; gap: 1rem; padding: 1.5rem;
  background: var(--paper); color: var(--ink); font: 1rem/1.6 system-ui, sans-serif }
body > header { font-weight: 700; letter-spacing: .01em }
body > header a { color: inherit; text-decoration: none }
main { overflow-wrap: anywhere; width: min(34rem, 100%); padding: clamp(1.25rem, 5vw, 2.25rem); background: var(--card); border: 1px solid var(--line);
  border-radius: 1rem }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .5rem }
h2 { font-size: 1.0625rem; line-height: 1.3; margin: 2rem 0 .25rem }
p { margin: .5rem 0 1rem }
form + p, button + p { margin-top: 1.25rem }
a { color: var(--accent) }
small, .muted { color: var(--muted); font-size: .875rem }
label { display: block; font-weight: 600; margin: .75rem 0 .25rem }
input, pre { width: 100%; padding: .65rem .75rem; border: 1px solid var(--line); border-radius: .5rem; background: transparent;
  color: inherit; font: inherit }
input[type=checkbox] { flex: none; width: auto; margin: 0 .5rem 0 0 }
fieldset { margin: .5rem 0; padding: .25rem 1rem .75rem; border: 1px solid var(--line); border-radius: .5rem }
fieldset label { display: flex; align-items: center; font-weight: 400; margin: .5rem 0 0 }
pre, code, output { font-family: ui-monospace, monospace; font-size: .875rem; overflow-wrap: anywhere }
pre { overflow-x: auto; margin: .25rem 0 1rem; white-space: pre-wrap }
button, a.button { display: inline-block; margin: .75rem 0 0; padding: .6rem 1.1rem; border: 1px solid transparent; border-radius: .5rem; background: var(--accent);
  color: var(--on); font: inherit; font-weight: 600; cursor: pointer; text-align: center; text-decoration: none }
.wide { width: 100% }
button.quiet { background: transparent; color: inherit; border-color: var(--line) }
button.danger { background: transparent; color: var(--danger); border-color: currentcolor }
button:hover, a.button:hover { filter: brightness(1.08) }
button:disabled { opacity: .6; cursor: wait }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
ul.rows { list-style: none; margin: .5rem 0; padding: 0 }
ul.rows > li { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: .25rem 1rem;
  padding: .75rem 0; border-top: 1px solid var(--line) }
ul.rows > li > div { flex: 1 1 13rem }
ul.rows > li > div.acts { display: flex; flex-wrap: wrap; gap: .5rem; flex-basis: 100% }
ul.rows small { display: block }
ul.rows form { display: flex; gap: .5rem; align-items: center; flex-wrap: wrap }
ul.rows input { width: 11rem; padding: .4rem .6rem }
ul.rows button, ul.rows a.button { margin: 0; padding: .4rem .8rem; font-size: .875rem }
.or { display: flex; align-items: center; gap: .75rem; margin: 1rem 0 .25rem; color: var(--muted); font-size: .875rem }
.or::before, .or::after { content: ''; flex: 1; border-top: 1px solid var(--line) }
[role=alert]:not(:empty) { border-left: 4px solid var(--danger); padding-left: .75rem; white-space: pre-line }
[hidden] { display: none }
`

export function page({ title, body, script = '', onTo, formTargets = [] }: PageParts): Page {
  const document = html`<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="icon" href="data:,">${
    onTo !== undefined &&
    html`
<meta http-equiv="refresh" content="0; url=${onTo}">`
  }`
  const text = [
    '<!doctype html>',
    document,
    `<style>${style}</style>`,
    html`</head>
<body>
<header><a href="/">Gatehouse</a></header>
<main>${body}</main>`,
    script === '' ? '' : `<script>${script}</script>`,
    '</body>\n</html>\n',
  ].join('\n')
  return { html: text, headers: headersFor(script, formTargets) }
}

function headersFor(script: string, formTargets: readonly string[]): Page['headers'] {
  const policy = [
    `default-src 'none'`,
    `script-src ${script === '' ? `'none'` : hashOf(script)}`,
    `style-src ${hashOf(style)}`,
    `img-src data:`,
    `connect-src 'self'`,
    `base-uri 'none'`,
    `form-action ${["'self'", ...formTargets].join(' ')}`,
    `frame-ancestors 'none'`,
  ]
  return {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': policy.join('; '),
    'x-frame-options': 'DENY',
    'cache-control': 'no-store',
    // With none at all, browsers send the forms of a page with the Origin null.
    'referrer-policy': 'same-origin',
    'x-content-type-options': 'nosniff',
    'cross-origin-opener-policy': 'same-origin',
  }
}

function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`
}
