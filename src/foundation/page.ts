/** Whole pages: one look, no script from anywhere else, nothing that may frame them. */
import { createHash } from 'node:crypto'
import { type Html, html } from './html.ts'

export type Page = { readonly html: string; readonly headers: Readonly<Record<string, string>> }

export type PageParts = {
  readonly title: string
  readonly body: Html
  /** Inline script of ours; none unless told. Never anything that came from outside. */
  readonly script?: string
  /** Further origins that forms may lead to, such as the client an authorization goes back to. */
  readonly formTargets?: readonly string[]
}

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

export function page({ title, body, script = '', formTargets = [] }: PageParts): Page {
  const document = html`<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="icon" href="data:,">`
  const text = [
    '<!doctype html>',
    document,
    `<style>${style}</style>`,
    html`</head>
<body>
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
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'cross-origin-opener-policy': 'same-origin',
  }
}

function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`
}
