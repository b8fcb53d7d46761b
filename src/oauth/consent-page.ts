/** The page that asks a person whether a client may act for them. */
import { type Html, html } from '../foundation/html.ts'
import { type Page, page } from '../foundation/page.ts'
import { visibly } from '../foundation/visible.ts'
import type { ClientKind } from './client-rules.ts'
import { inWords } from './scopes.ts'

export type Question = {
  readonly client: { readonly id: string; readonly name: string; readonly kind: ClientKind }
  readonly person: string
  /** Where the answer goes, and whether only to this machine. */
  readonly redirect: { readonly host: string; readonly origin: string; readonly isLocal: boolean }
  readonly resource: string
  readonly scopes: readonly string[]
  /** `group/server` of those that the person could let it use. */
  readonly servers: readonly string[]
  /** The person may choose among them. */
  readonly isChoice: boolean
  /** The client did not say which server it is for. */
  readonly isUnsaid: boolean
  readonly action: string
  readonly csrf: string
}

export function consentPage(question: Question): Page {
  const { client, person, redirect, scopes, action, csrf } = question
  const name = visibly(client.name)
  return page({
    title: `Allow ${name}?`,
    formTargets: [redirect.origin],
    body: html`
<h1>Allow <strong>${name}</strong> to act for you?</h1>
<p>${whoIs(question)}</p>
<p>You are <strong>${person}</strong>. The answer goes to <strong>${visibly(redirect.host)}</strong>.${
      redirect.isLocal &&
      html` That is a program on the machine this browser runs on. Go on only if you have just started to connect it yourself.`
    }</p>
<form method="post" action="${action}">
<input type="hidden" name="csrf" value="${csrf}">
<h2>It may</h2>
<ul>${scopes.map(scope => html`<li>${inWords(scope)} <small><code>${scope}</code></small></li>`)}</ul>
<h2>At</h2>
<p><code>${visibly(question.resource)}</code></p>
${question.isUnsaid && html`<p>It did not say which server it is for, as older applications do not. Leave only those it needs.</p>`}
${serversOf(question)}
<button name="decision" value="approve">Allow</button>
<button name="decision" value="deny" class="quiet">Do not allow</button>
</form>
<p>You can take this back at any time, at <a href="/account#applications">your account</a>.</p>`,
  })
}

function whoIs({ client, redirect }: Question): Html {
  switch (client.kind) {
    case 'company':
      return html`Your company registered it as <code>${client.id}</code>.`
    case 'document':
      return html`Its identity is verified: it is published by <strong>${visibly(URL.parse(client.id)?.host ?? client.id)}</strong>.`
    case 'itself':
      return html`It registered itself, and its name is <strong>unverified</strong>: anybody can take it.${
        !redirect.isLocal && html` What is known of it is where the answer goes.`
      }`
  }
}

function serversOf({ servers, isChoice }: Question): Html {
  if (servers.length === 0) return html`<p>There is no server that you may use yet.</p>`
  if (!isChoice) return html`<ul>${servers.map(server => html`<li>${server}</li>`)}</ul>`
  return html`<fieldset><legend>Servers it reaches</legend>
${servers.map(
  server =>
    html`<label><input type="checkbox" name="server:${server}" value="yes" checked> ${server}</label>`,
)}
</fieldset>
<p><small>All of them also means those that you may use later.</small></p>`
}
