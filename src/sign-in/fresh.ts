import { fail } from '../foundation/errors.ts'
import { type BrowserSession, isFresh } from '../identity/index.ts'
import type { Visit } from './visit.ts'

/** The session of the browser. Throws `identity.signed_out`. */
export function openSession({ arriving }: Visit): BrowserSession {
  return arriving.before ?? fail('identity.signed_out')
}

/** The same, of somebody who has just proved who they are. Throws `identity.step_up_required` too. */
export function freshSession(visit: Visit): BrowserSession {
  const session = openSession(visit)
  if (isFresh(session, visit.parts.clock.now())) return session
  return fail('identity.step_up_required', {
    fix: 'Sign in again at /sign-in?again=1, then repeat it within 10 minutes.',
  })
}
