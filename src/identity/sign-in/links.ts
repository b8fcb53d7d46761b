/** One-time links: how somebody without an identity provider or a passkey comes in. An admin makes them, and hands them over. */
import { z } from 'zod'
import { fail } from '../../foundation/errors.ts'
import type { Caller } from '../../foundation/route.ts'
import type { OpenedSession } from '../sessions.ts'
import { type From, type User, userById } from '../table.ts'
import { knownUser } from '../users.ts'
import { type Arriving, enter, orRefused, type SignInRoom } from './enter.ts'
import { asked, deed } from './journal.ts'

const kind = 'sign-in link'
const goodSeconds = 15 * 60
const kept = z.object({ userId: z.string(), email: z.string() })

export type Link = { readonly secret: string /** Milliseconds since 1970. */; readonly expiresAt: number }

export type Links = {
  /** A link for a person of the gateway itself. Throws `identity.unknown` or `http.conflict`. */
  make(email: string, by: { caller: Caller; requestId: string }): Promise<Link>
  /** Whose it is, without using it up: whoever looks at links before people do must not. Throws `identity.link_refused`. */
  look(secret: string): Promise<{ readonly email: string }>
  /** Signs in with it. Throws `identity.link_refused`. */
  use(secret: string, arriving: Arriving): Promise<OpenedSession>
}

export function openLinks(room: SignInRoom): Links {
  const { database, audit, clock, flows } = room
  return {
    async make(email, { caller, requestId }) {
      const user = localUser(await knownUser(database.kysely, email))
      const expiresAt = clock.now() + goodSeconds * 1000
      const secret = await flows.begin(kind, { userId: user.id, email }, { seconds: goodSeconds })
      const what = { action: 'identity.make_link', target: `user:${email}` } as const
      await audit.recorded(deed(what, asked(requestId), caller))
      return { secret, expiresAt }
    },
    async look(secret) {
      const link = await flows.peek(kind, secret, kept)
      return { email: (await holder(database.kysely, link)).email }
    },
    use: (secret, arriving) =>
      orRefused(room, { action: 'identity.sign_in', target: null }, arriving, async () => {
        const user = await holder(database.kysely, await flows.take(kind, secret, kept))
        return enter(room, { user, method: 'link' }, arriving)
      }),
  }
}

/** Whoever an identity provider brought comes in by it, for it may have reasons to let them in no more. */
export function localUser(user: User): User {
  if (user.disabled_at !== null)
    fail('http.conflict', { why: `${user.email} is disabled.`, fix: 'Enable them first.' })
  if (user.provider_id === null) return user
  return fail('http.conflict', {
    why: `${user.email} comes from an identity provider.`,
    fix: 'Have them sign in there.',
  })
}

async function holder(from: From, link: z.infer<typeof kept> | undefined): Promise<User> {
  if (link === undefined)
    fail('identity.link_refused', { why: 'It was used, is older than 15 minutes, or was not copied whole.' })
  const user = await userById(from, link.userId)
  if (user?.email !== link.email || user.disabled_at !== null || user.provider_id !== null)
    fail('identity.link_refused', { why: 'The user it was made for may not sign in with it any more.' })
  return user
}
