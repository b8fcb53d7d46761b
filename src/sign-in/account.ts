/** What people may do with their own account, each a form of one page. */
import { fail, GatewayError } from '../foundation/errors.ts'
import { type BrowserSession, isFresh } from '../identity/index.ts'
import { accountPage } from './account-page.ts'
import { redirect, show } from './answers.ts'
import { hidden, postedForm } from './form.ts'
import { freshSession, openSession } from './fresh.ts'
import { nameIn } from './passkeys.ts'
import type { Place } from './place.ts'
import { returnPath } from './return-path.ts'
import type { Visit } from './visit.ts'

type Params = Readonly<Record<string, string>>

export const accountPages: readonly Place[] = [
  { method: 'GET', path: '/account', act: look },
  { method: 'POST', path: '/account/sign-out-everywhere', act: signOutEverywhere },
  { method: 'POST', path: '/account/sessions/{id}/end', act: endSession },
  { method: 'POST', path: '/account/notices/{id}/seen', act: seeNotice },
  { method: 'POST', path: '/account/authorizations/{id}/take-back', act: takeBack },
  { method: 'POST', path: '/account/passkeys/{id}/rename', act: renamePasskey },
  { method: 'POST', path: '/account/passkeys/{id}/remove', act: removePasskey },
]

async function look(visit: Visit): Promise<void> {
  const session = visit.arriving.before
  if (session === undefined) return redirect(visit, '/sign-in?return=/account')
  const { signIn, authorizations } = visit.parts.identity
  const { id, name, role, subjects } = session.principal
  show(
    visit,
    accountPage({
      email: name,
      role,
      teams: subjects.flatMap(subject => (subject.startsWith('team:') ? subject.slice('team:'.length) : [])),
      notices: await signIn.notices.of(id),
      onTo: visit.query.has('return') ? returnPath(visit.query.get('return')) : undefined,
      sessions: await signIn.sessionsOf(id, session.id),
      passkeys: await signIn.passkeysOf(id),
      authorizations: await authorizations.of(id),
      noPasskeys: whyNoPasskeys(visit, session),
      isStale: !isFresh(session, visit.parts.clock.now()),
      hidden: more => hidden(visit, more),
    }),
  )
}

function whyNoPasskeys({ parts, origin }: Visit, { method }: BrowserSession) {
  if (method === 'provider')
    return { why: 'You sign in at your identity provider.', fix: 'Passkeys for it are added there.' }
  try {
    parts.identity.signIn.passkeys.checkOrigin(origin)
    return undefined
  } catch (thrown) {
    if (thrown instanceof GatewayError) return thrown
    throw thrown
  }
}

async function signOutEverywhere(visit: Visit): Promise<void> {
  await postedForm(visit)
  const { principal } = openSession(visit)
  const user = { id: principal.id, email: principal.name }
  await visit.parts.identity.signIn.endAll(user, { caller: principal, visitor: visit.arriving })
  redirect(visit, '/signed-out', 'signed out')
}

async function endSession(visit: Visit, { id = '' }: Params): Promise<void> {
  await postedForm(visit)
  const session = openSession(visit)
  const { principal } = session
  const user = { id: principal.id, email: principal.name }
  const by = { caller: principal, visitor: visit.arriving }
  if (!(await visit.parts.identity.signIn.endOne(user, id, by)))
    fail('identity.unknown', {
      why: 'You have no such session; perhaps it ended already.',
      fix: 'Open /account anew.',
    })
  if (id === session.id) redirect(visit, '/signed-out', 'signed out')
  else redirect(visit, '/account#sessions')
}

async function seeNotice(visit: Visit, { id = '' }: Params): Promise<void> {
  await postedForm(visit)
  await visit.parts.identity.signIn.notices.seen(openSession(visit).principal.id, id)
  redirect(visit, '/account')
}

async function takeBack(visit: Visit, { id = '' }: Params): Promise<void> {
  await postedForm(visit)
  const { principal: caller } = openSession(visit)
  await visit.parts.identity.authorizations.takeBack({ caller, id, requestId: visit.arriving.requestId })
  redirect(visit, '/account#applications')
}

async function renamePasskey(visit: Visit, { id = '' }: Params): Promise<void> {
  const fields = await postedForm(visit)
  const whose = { caller: openSession(visit).principal, id, visitor: visit.arriving }
  await visit.parts.identity.signIn.passkeys.rename(nameIn(fields), whose)
  redirect(visit, '/account#passkeys')
}

async function removePasskey(visit: Visit, { id = '' }: Params): Promise<void> {
  await postedForm(visit)
  const whose = { caller: freshSession(visit).principal, id, visitor: visit.arriving }
  await visit.parts.identity.signIn.passkeys.remove(whose)
  redirect(visit, '/account#passkeys')
}
