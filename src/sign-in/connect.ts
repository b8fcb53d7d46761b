/** A person connects an account of theirs at a server behind the gateway: asked here before they leave, and thanked when they are back. */
import { fail, GatewayError } from '../foundation/errors.ts'
import { type Html, html } from '../foundation/html.ts'
import { page } from '../foundation/page.ts'
import { visibly } from '../foundation/visible.ts'
import type { Upstream } from '../upstreams/index.ts'
import type { Question } from '../vault/index.ts'
import { answerJson, onwardPage, redirect, show } from './answers.ts'
import { hidden, postedForm } from './form.ts'
import { openSession } from './fresh.ts'
import type { Place } from './place.ts'
import { returnPath } from './return-path.ts'
import type { Visit } from './visit.ts'

export const connectPages: readonly Place[] = [
  { method: 'GET', path: '/connect/client.json', act: ownDocument },
  { method: 'GET', path: '/connect/callback', act: finish },
  { method: 'GET', path: '/connect/{group}/{server}', act: look },
  { method: 'POST', path: '/connect/{group}/{server}', act: begin },
]

type Params = Readonly<Record<string, string>>

/** Read by authorization servers, not by browsers: it says who the gateway is. */
function ownDocument(visit: Visit): void {
  answerJson(visit, visit.parts.connect.clientDocument(visit.query.has('public')))
}

async function look(visit: Visit, params: Params): Promise<void> {
  const { parts, query, path, arriving } = visit
  // The cookies of a browser are of one name of the gateway, and it comes back to the first.
  if (visit.origin !== parts.addresses.origin())
    return redirect(visit, parts.addresses.origin() + here(visit))
  if (arriving.before === undefined)
    return redirect(visit, `/sign-in?return=${encodeURIComponent(here(visit))}`)
  const { principal } = arriving.before
  const asked = await noted(visit, () => askedOf(visit, params, query))
  const question = await parts.connect.ask(asked.upstream, asked.owner.id, asked.scopes)
  // Back from their identity provider, or with what was there already.
  if (question.kind === 'sign-in' && question.isReady)
    return done(visit, asked.upstream, returnPath(query.get('return') ?? undefined, ''))
  if (question.kind === 'sign-in' && asked.owner.id !== principal.id)
    fail('vault.connect_refused', {
      why: `${asked.upstream.group}/${asked.upstream.name} is called as a person of ${question.at}, and a virtual account is nobody there.`,
      fix: 'Let people call it, or ask a manager for another way of authenticating there.',
    })
  const fields = {
    for: query.get('for') ?? '',
    account: query.get('account') ?? '',
    return: query.get('return') ?? '',
  }
  const server = `${asked.upstream.group}/${asked.upstream.name}`
  show(
    visit,
    page({
      title: `Connect ${server}`,
      body: html`
<h1>${question.kind === 'sign-in' ? html`Sign in at ${question.at} again` : html`Connect your account at ${question.kind === 'tokens' ? question.at : server}?`}</h1>
<p>${asked.owner.id !== principal.id ? html`Calls of your virtual account <strong>${asked.owner.name}</strong>` : asked.client === undefined ? html`Calls that you make` : html`<strong>${visibly(asked.client)}</strong>, and what else calls for you,`} through this gateway
to <strong>${server}</strong> will be made with it. You are <strong>${principal.name}</strong>.</p>
${presentOf(question)}
${whatFollows(question)}
<form method="post" action="${path}">
${hidden(visit, fields)}
${inputsOf(question)}
<button class="wide" autofocus>${question.kind === 'values' ? html`Keep them` : html`Go on to ${question.at}`}</button>
</form>
${query.has('return') && html`<p><a href="${returnPath(query.get('return'))}">Not now</a></p>`}
<p><small>You can take it back at any time, at <a href="/account#connections">your account</a>.</small></p>`,
    }),
  )
}

function presentOf({ present }: Question): Html | undefined {
  if (present === undefined) return undefined
  const who = present.account === null ? html`An account` : html`<strong>${visibly(present.account)}</strong>`
  return present.isBroken
    ? html`<p>${who} was connected and cannot be used any more. This repairs it.</p>`
    : html`<p>${who} is connected now; this takes its place.</p>`
}

function whatFollows(question: Question): Html {
  const sealed = html`The gateway keeps what it is given sealed; nobody sees it, you neither.`
  if (question.kind === 'values')
    return html`<p>The server wants something of yours. ${sealed} ${shownTo(question)}</p>`
  if (question.kind === 'sign-in')
    return html`<p>You go on to <strong>${question.at}</strong>, sign in there, and come back here. ${sealed} ${shownTo(question)}</p>`
  return html`${scopesOf(question.scopes)}
<p>You go on to <strong>${question.at}</strong>, sign in there, and come back here. ${sealed} ${shownTo(question)}</p>`
}

/** A server is called what its manager likes; its host is what it is. */
function shownTo({ shownTo: [first, ...others] }: Question): Html | undefined {
  if (first === undefined) return undefined
  const more = others.map(host => html` and <strong>${host}</strong>`)
  return html`It is sent to <strong>${first}</strong>${more}, and nowhere else.`
}

function inputsOf(question: Question): Html | undefined {
  if (question.kind !== 'values') return undefined
  return html`${question.fields.map(
    ({ name, title, description }) => html`
<label for="value-${name}">${title}</label>
${description !== undefined && html`<small id="about-${name}">${description}</small>`}
<input id="value-${name}" name="value:${name}" type="password" required maxlength="8192" autocomplete="off" spellcheck="false"${description !== undefined && html` aria-describedby="about-${name}"`}>`,
  )}`
}

function scopesOf(scopes: readonly string[]): Html | undefined {
  if (scopes.length === 0) return undefined
  return html`<h2>It asks for</h2>
<ul>${scopes.map(scope => html`<li><code>${visibly(scope)}</code></li>`)}</ul>`
}

async function begin(visit: Visit, params: Params): Promise<void> {
  const fields = await postedForm(visit)
  const { principal: caller } = openSession(visit)
  const { parts, mark, arriving } = visit
  parts.beginnings.count(arriving.address ?? 'unknown')
  const { upstream, scopes, owner } = await noted(visit, () => askedOf(visit, params, fields))
  const person = { caller, mark, requestId: arriving.requestId }
  const onTo = returnPath(fields.get('return') || undefined, '')
  const given = valuesIn(fields)
  if (given !== undefined) {
    await parts.connect.give(upstream, { ...person, owner: owner.id }, given)
    return done(visit, upstream, onTo)
  }
  const question = await parts.connect.ask(upstream, owner.id)
  if (question.kind === 'sign-in')
    return show(visit, onwardPage(`On to ${question.at}`, wayBack(visit, fields, question)))
  const url = await parts.connect.begin(upstream, person, { owner: owner.id, onTo, scopes })
  // A form may lead only here, so there is a page between.
  show(visit, onwardPage(`On to ${new URL(url).host}`, url))
}

/** Through the sign-in and back to this page, which then has nothing left to ask. */
function wayBack(
  { path }: Visit,
  fields: ReadonlyMap<string, string>,
  { provider }: { provider: string },
): string {
  const kept = ['for', 'account', 'return'].flatMap(name => {
    const value = fields.get(name) ?? ''
    return value === '' ? [] : [[name, value] as [string, string]]
  })
  const here = kept.length === 0 ? path : `${path}?${new URLSearchParams(kept)}`
  return `/sign-in/${provider}?return=${encodeURIComponent(here)}`
}

function valuesIn(fields: ReadonlyMap<string, string>): Record<string, string> | undefined {
  const given = [...fields].filter(([name]) => name.startsWith('value:'))
  if (given.length === 0) return undefined
  return Object.fromEntries(given.map(([name, value]) => [name.slice('value:'.length), value.trim()]))
}

async function finish(visit: Visit): Promise<void> {
  const { parts, query, mark, arriving } = visit
  if (arriving.before === undefined)
    fail('vault.connect_refused', { why: 'You are not signed in to the gateway in this browser any more.' })
  const person = { caller: arriving.before.principal, mark, requestId: arriving.requestId }
  const { upstream, onTo } = await noted(visit, () => parts.connect.finish(person, query))
  done(visit, upstream, onTo)
}

function done(visit: Visit, upstream: Upstream, onTo: string): void {
  // After a form there is a page between, for it may go on to an application.
  if (onTo !== '' && visit.request.method === 'POST') return show(visit, onwardPage('Connected', onTo))
  if (onTo !== '') return redirect(visit, onTo)
  const server = `${upstream.group}/${upstream.name}`
  show(
    visit,
    page({
      title: `${server} is connected`,
      body: html`
<h1>${server} is connected</h1>
<p>You can close this page and go back to your application. What waited for it goes on by itself; otherwise make the call again.</p>
<p><a href="/account#connections">Your connections</a></p>`,
    }),
  )
}

/** What is refused leaves one event. */
async function noted<T>({ parts, path, arriving }: Visit, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    if (thrown instanceof GatewayError)
      await parts.identity.signIn.noteRefusal({ action: 'identity.connect', target: path }, arriving, thrown)
    throw thrown
  }
}

type Asked = {
  readonly upstream: Upstream
  readonly scopes: readonly string[] | undefined
  /** The application that the link was given to. */
  readonly client: string | undefined
  /** Whose account it will be: the person, or a virtual account that they answer for. */
  readonly owner: Owner
}

type Owner = { readonly id: string; readonly name: string }

/** What the link is about. Throws `access.not_found`, and `vault.connect_refused` for a link that was given to somebody else. */
async function askedOf(
  visit: Visit,
  { group = '', server = '' }: Params,
  given: ReadonlyMap<string, string>,
): Promise<Asked> {
  const { principal } = openSession(visit)
  const { connect } = visit.parts
  const upstream = connect.find(group, server) ?? fail('access.not_found')
  const link = connect.openLink(upstream, given.get('for') ?? '')
  const account = given.get('account') ?? ''
  if (account !== '')
    return {
      upstream,
      scopes: undefined,
      client: undefined,
      owner: await accountOf(visit, upstream, account),
    }
  // Who got a link may call it, if only as a part of another.
  if (link === undefined && !connect.mayUse(principal, upstream)) fail('access.not_found')
  const owner =
    link === undefined || link.personId === principal.id
      ? principal
      : await connect.answersFor(principal, link.personId)
  if (owner === undefined)
    fail('vault.connect_refused', {
      why: `This link was made for somebody else, and you are ${principal.name}.`,
      fix: 'Whoever gave it to you has to open it themselves: with it you would give them your account.',
    })
  return { upstream, scopes: link?.scopes, client: link?.client, owner }
}

/** A virtual account of this person that may use the server; others are as if they were not there. */
async function accountOf({ parts, arriving }: Visit, upstream: Upstream, name: string): Promise<Owner> {
  const { connect, identity } = parts
  const account = (await identity.standInOf(`account:${name}`))?.caller
  const person = arriving.before?.principal
  const owner = account && person && (await connect.answersFor(person, account.id))
  return account !== undefined && owner !== undefined && connect.mayUse(account, upstream)
    ? owner
    : fail('access.not_found')
}

function here({ request }: Visit): string {
  return request.url ?? '/'
}
