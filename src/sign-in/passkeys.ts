/** Signing in with a passkey, and adding one. */
import { fail } from '../foundation/errors.ts'
import { passkeyNameSchema } from '../identity/index.ts'
import { afterSignIn, answerJson, goOn, redirect } from './answers.ts'
import { postedForm } from './form.ts'
import { freshSession } from './fresh.ts'
import type { Place } from './place.ts'
import { returnPath } from './return-path.ts'
import type { Visit } from './visit.ts'

export const passkeyPages: readonly Place[] = [
  { method: 'POST', path: '/sign-in/passkey/begin', act: beginSignIn },
  { method: 'POST', path: '/sign-in/passkey', act: finishSignIn },
  { method: 'POST', path: '/account/passkeys/begin', act: beginAdding },
  { method: 'POST', path: '/account/passkeys', act: finishAdding },
]

async function beginSignIn(visit: Visit): Promise<void> {
  await postedForm(visit)
  visit.parts.beginnings.count(visit.arriving.address ?? 'unknown')
  answerJson(visit, await visit.parts.identity.signIn.passkeys.beginSignIn(visit.origin))
}

async function finishSignIn(visit: Visit): Promise<void> {
  const fields = await postedForm(visit)
  const opened = await visit.parts.identity.signIn.passkeys.finishSignIn(answerIn(fields), visit.arriving)
  goOn(visit, await afterSignIn(visit, returnPath(fields.get('return')), opened), opened)
}

async function beginAdding(visit: Visit): Promise<void> {
  await postedForm(visit)
  const session = freshSession(visit)
  visit.parts.beginnings.count(visit.arriving.address ?? 'unknown')
  answerJson(visit, await visit.parts.identity.signIn.passkeys.beginRegistration(session, visit.origin))
}

async function finishAdding(visit: Visit): Promise<void> {
  const fields = await postedForm(visit)
  const name = nameIn(fields)
  await visit.parts.identity.signIn.passkeys.finishRegistration(freshSession(visit), {
    answer: answerIn(fields),
    name,
    visitor: visit.arriving,
  })
  redirect(visit, '/account#passkeys')
}

function answerIn(fields: ReadonlyMap<string, string>) {
  return { flow: fields.get('flow') ?? '', response: fields.get('response') ?? '' }
}

/** Throws `http.bad_request`. */
export function nameIn(fields: ReadonlyMap<string, string>): string {
  const name = passkeyNameSchema.safeParse(fields.get('name'))
  return name.success
    ? name.data
    : fail('http.bad_request', {
        why: 'A passkey is called by 1 to 100 visible characters.',
        fix: 'Give it another name.',
      })
}
