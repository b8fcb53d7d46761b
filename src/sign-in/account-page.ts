/** Who you are here, where you are signed in, and what you can sign in with. */
import { type Html, html } from '../foundation/html.ts'
import { type Page, page } from '../foundation/page.ts'
import { visibly } from '../foundation/visible.ts'
import type { Authorization, Notice, PasskeyView, SessionView } from '../identity/index.ts'
import type { Connection } from '../vault/index.ts'
import { browserName } from './browser-name.ts'
import { passkeyScript } from './passkey-script.ts'

export type Account = {
  readonly email: string
  readonly role: string
  readonly teams: readonly string[]
  readonly notices: readonly Notice[]
  /** Where they were going when they were told. */
  readonly onTo: string | undefined
  readonly sessions: readonly SessionView[]
  readonly passkeys: readonly PasskeyView[]
  readonly authorizations: readonly Authorization[]
  readonly connections: readonly Connection[]
  /** Why no passkey can be added here; undefined where one can. */
  readonly noPasskeys: { readonly why: string; readonly fix: string } | undefined
  /** Has to sign in once more before changing how they sign in. */
  readonly isStale: boolean
  /** The hidden fields of a form. */
  hidden(more?: Readonly<Record<string, string>>): Html
}

export function accountPage(account: Account): Page {
  const { email, role, teams, hidden } = account
  return page({
    title: 'Your account at Gatehouse',
    script: passkeyScript,
    body: html`
<h1>${email}</h1>
<p>${roles[role] ?? role}${teams.length > 0 && html`, in ${teams.join(', ')}`}</p>
${notices(account)}
<p role="alert"></p>
<form method="post" action="/sign-out">${hidden()}<button class="quiet">Sign out</button></form>
<section aria-labelledby="passkeys">
<h2 id="passkeys">Passkeys</h2>
${passkeys(account)}
</section>
<section aria-labelledby="applications">
<h2 id="applications">Applications that act for you</h2>
${applications(account)}
</section>
<section aria-labelledby="connections">
<h2 id="connections">Your accounts at servers</h2>
${connectionsOf(account)}
</section>
<section aria-labelledby="sessions">
<h2 id="sessions">Where you are signed in</h2>
<ul class="rows">${account.sessions.map(session => sessionRow(session, hidden))}</ul>
<form method="post" action="/account/sign-out-everywhere">${hidden()}<button class="danger">Sign out everywhere</button></form>
<p><small>Tokens and connected applications go on; they are not browsers.</small></p>
</section>`,
  })
}

function notices({ notices, onTo, hidden }: Account): Html | false {
  if (notices.length === 0) return false
  return html`
<section aria-labelledby="notices">
<h2 id="notices">Something happened</h2>
${notices.map(
  ({ id, about, createdAt }) => html`
<p role="alert">What ${visibly(about)} was given to act for you was used twice, at ${when(createdAt)}: somebody may have a copy. All of it has ended.</p>
<p>Connect ${visibly(about)} again when you need it. If you do not know why this happened, tell your admin: the audit says from where.</p>
<form method="post" action="/account/notices/${id}/seen">${hidden()}<button class="quiet">I have seen it</button></form>`,
)}
${onTo !== undefined && html`<p><a href="${onTo}">Go on</a> to where you were going.</p>`}
</section>`
}

const roles: Readonly<Record<string, string>> = { admin: 'Admin', member: 'Member', auditor: 'Auditor' }

const methods = {
  provider: 'an identity provider',
  passkey: 'a passkey',
  link: 'a link',
  claim: 'the claim link',
} as const satisfies Record<SessionView['method'], string>

function sessionRow(session: SessionView, hidden: Account['hidden']): Html {
  const { id, isThisOne, client, method, provider } = session
  const by = provider ?? methods[method]
  return html`
<li><div>${browserName(client)}${isThisOne && html` <strong>(this one)</strong>`}
<small>with ${by}, since ${when(session.createdAt)}; used ${when(session.seenAt)}</small></div>
<form method="post" action="/account/sessions/${id}/end">${hidden()}<button class="quiet" aria-label="Sign out ${browserName(client)}, since ${spoken(session.createdAt)}">Sign out</button></form></li>`
}

function applications({ authorizations, hidden }: Account): Html {
  if (authorizations.length === 0) return html`<p>None. An MCP client asks you here when you connect it.</p>`
  return html`<ul class="rows">${authorizations.map(
    ({ id, client, resource, scopes, createdAt, lastUsedAt }) => html`
<li><div>${visibly(client)}
<small>${scopes.join(', ')} at ${resource}, since ${when(createdAt)}; ${lastUsedAt === null ? 'not used yet' : html`used ${when(lastUsedAt)}`}</small></div>
<form method="post" action="/account/authorizations/${id}/take-back">${hidden()}<button class="danger" aria-label="Take back what ${visibly(client)} may do, allowed ${spoken(createdAt)}">Take back</button></form></li>`,
  )}</ul>`
}

function connectionsOf({ connections, hidden }: Account): Html {
  if (connections.length === 0) return html`<p>None of the servers that you may use needs one.</p>`
  return html`<ul class="rows">${connections.map(
    ({ id, server, owner, state, account, scopes, connectedAt, trouble, repair }) => html`
<li><div>${server}${owner.startsWith('account:') && html` for ${owner.slice('account:'.length)}`}${owner.startsWith('team:') && html` of the team ${owner.slice('team:'.length)}`}${account !== null && html` as <strong>${visibly(account)}</strong>`}
<small>${trouble ?? html`${scopes.join(', ')}${connectedAt !== null && html`, since ${when(connectedAt)}`}`}</small></div>
<div class="acts">${repair !== null && html`<a class="button" href="${repair.slice(new URL(repair).origin.length)}">${state === 'needed' ? 'Connect' : 'Connect again'}</a>`}
${id !== null && !owner.startsWith('team:') && html`<form method="post" action="/account/connections/${id}/disconnect">${hidden()}<button class="danger" aria-label="Disconnect ${server}">Disconnect</button></form>`}</div></li>`,
  )}</ul>`
}

function passkeys({ passkeys, noPasskeys, isStale, hidden }: Account): Html {
  const list =
    passkeys.length === 0
      ? noPasskeys === undefined &&
        html`<p>You have none. With a passkey you sign in by your finger, your face or the PIN of your device.</p>`
      : html`<ul class="rows">${passkeys.map(passkey => passkeyRow(passkey, hidden))}</ul>`
  return html`${list}${adding({ noPasskeys, isStale, hidden })}`
}

function passkeyRow({ id, name, createdAt, usedAt }: PasskeyView, hidden: Account['hidden']): Html {
  return html`
<li><div>${name}<small>added ${when(createdAt)}; ${usedAt === null ? 'not used yet' : html`used ${when(usedAt)}`}</small></div>
<div class="acts"><form method="post" action="/account/passkeys/${id}/rename">${hidden()}
<input name="name" value="${name}" aria-label="New name of ${name}" required maxlength="100"><button class="quiet">Rename</button></form>
<form method="post" action="/account/passkeys/${id}/remove">${hidden()}<button class="danger" aria-label="Remove ${name}">Remove</button></form></div></li>`
}

function adding({ noPasskeys, isStale, hidden }: Pick<Account, 'noPasskeys' | 'isStale' | 'hidden'>): Html {
  if (noPasskeys !== undefined) return html`<p class="muted">${noPasskeys.why} ${noPasskeys.fix}</p>`
  if (isStale)
    return html`<p>To add or remove a passkey, <a href="/sign-in?again=1&amp;return=/account">show once more that it is you</a>.</p>`
  return html`
<form method="post" action="/account/passkeys" data-begin="/account/passkeys/begin" data-kind="create" data-passkeys hidden>
${hidden({ flow: '', response: '' })}
<label for="passkey-name">Name of the new passkey</label>
<input id="passkey-name" name="name" required maxlength="100" value="Passkey" autocomplete="off">
<button>Add a passkey</button>
</form>
<noscript><p class="muted">Adding one needs JavaScript.</p></noscript>`
}

function when(time: string): Html {
  return html`<time datetime="${time}">${spoken(time)}</time>`
}

function spoken(time: string): string {
  return `${time.slice(0, 16).replace('T', ' ')} UTC`
}
