/** Sessions, passkeys and sign-in links in the management API. */
import { z } from 'zod'
import type { Addresses } from '../../foundation/addresses.ts'
import { fail } from '../../foundation/errors.ts'
import { type Route, route } from '../../foundation/route.ts'
import { emailSchema, isoTime, listed, listOf } from '../schemas.ts'
import { knownUser } from '../users.ts'
import type { SignInRoom } from './enter.ts'
import { asked } from './journal.ts'
import type { SignIn } from './open.ts'
import { passkeyNameSchema, passkeyView, sessionView } from './views.ts'

const byId = z.object({ id: z.string().max(1400) })
const byEmail = z.object({ email: emailSchema })
const noSessions = 'There is no open session of a browser.'

type Parts = {
  readonly room: SignInRoom
  readonly signIn: SignIn
  readonly addresses: Pick<Addresses, 'origin'>
}

export function signInRoutes(parts: Parts): Route[] {
  return [...ownSessions(parts), ...ownPasskeys(parts), ...sessionsOfUsers(parts), makeLink(parts)]
}

function ownSessions({ signIn }: Parts): Route[] {
  return [
    route({
      method: 'GET',
      path: '/api/v1/me/sessions',
      summary: 'List the browsers you are signed in with',
      entry: 'signed-in',
      answer: listOf(sessionView),
      act: async ({ caller }) => listed(await signIn.sessionsOf(caller.id, caller.tokenId), noSessions),
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/me/sessions',
      summary: 'Sign out of every browser',
      entry: 'signed-in',
      async act({ caller, requestId }) {
        await signIn.endAll({ id: caller.id, email: caller.name }, { caller, visitor: asked(requestId) })
      },
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/me/sessions/{id}',
      summary: 'Sign out of one browser',
      entry: 'signed-in',
      params: byId,
      async act({ caller, requestId, params }) {
        const user = { id: caller.id, email: caller.name }
        if (!(await signIn.endOne(user, params.id, { caller, visitor: asked(requestId) })))
          fail('identity.unknown', { why: 'You have no such session.' })
      },
    }),
  ]
}

function ownPasskeys({ signIn }: Parts): Route[] {
  const { passkeys } = signIn
  return [
    route({
      method: 'GET',
      path: '/api/v1/me/passkeys',
      summary: 'List your passkeys',
      entry: 'signed-in',
      answer: listOf(passkeyView),
      act: async ({ caller }) =>
        listed(await signIn.passkeysOf(caller.id), 'You have none. Add one in a browser, at /account.'),
    }),
    route({
      method: 'PATCH',
      path: '/api/v1/me/passkeys/{id}',
      summary: 'Rename a passkey of yours',
      entry: 'signed-in',
      params: byId,
      body: z.strictObject({ name: passkeyNameSchema }),
      act: ({ caller, requestId, params: { id }, body }) =>
        passkeys.rename(body.name, { caller, id, visitor: asked(requestId) }),
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/me/passkeys/{id}',
      summary: 'Remove a passkey of yours',
      entry: 'signed-in',
      stepUp: true,
      params: byId,
      act: ({ caller, requestId, params: { id } }) =>
        passkeys.remove({ caller, id, visitor: asked(requestId) }),
    }),
  ]
}

function sessionsOfUsers({ room, signIn }: Parts): Route[] {
  const { kysely } = room.database
  return [
    route({
      method: 'GET',
      path: '/api/v1/users/{email}/sessions',
      summary: 'List the browsers a user is signed in with',
      entry: 'admin',
      params: byEmail,
      answer: listOf(sessionView),
      async act({ caller, params }) {
        const { id } = await knownUser(kysely, params.email)
        return listed(await signIn.sessionsOf(id, caller.tokenId), noSessions)
      },
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/users/{email}/sessions',
      summary: 'Sign a user out of every browser',
      entry: 'admin',
      params: byEmail,
      answer: z.object({ ended: z.int() }),
      async act({ caller, requestId, params }) {
        const user = await knownUser(kysely, params.email)
        return { ended: await signIn.endAll(user, { caller, visitor: asked(requestId) }) }
      },
    }),
  ]
}

function makeLink({ signIn, addresses }: Parts): Route {
  return route({
    method: 'POST',
    path: '/api/v1/users/{email}/link',
    summary: 'Make a link that signs a user in once, within 15 minutes',
    entry: 'admin',
    stepUp: true,
    status: 201,
    params: byEmail,
    answer: z.object({ url: z.string().describe('For this person only.'), expiresAt: z.iso.datetime() }),
    async act({ caller, requestId, params }) {
      const { secret, expiresAt } = await signIn.links.make(params.email, { caller, requestId })
      return { url: `${addresses.origin()}/link/${secret}`, expiresAt: isoTime(expiresAt) }
    },
  })
}
