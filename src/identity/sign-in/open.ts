import { claim } from '../claim.ts'
import { type Notices, openNotices } from '../notices.ts'
import { openPasskeys, type Passkeys } from '../passkeys/open.ts'
import type { Room } from '../room.ts'
import type { IssuedToken } from '../schemas.ts'
import type { OpenedSession } from '../sessions.ts'
import { type AtProviders, openAtProviders, type ProviderParts } from './at-provider/open.ts'
import { type Arriving, orRefused } from './enter.ts'
import { type Deed, refusal, type Visitor } from './journal.ts'
import { type Exits, openExits } from './leave.ts'
import { type Links, openLinks } from './links.ts'
import { type PasskeyView, type SessionView, viewPasskey, viewSession } from './views.ts'

/** How people come in, in a browser, and out again. The pages for it are a plane of their own. */
export type SignIn = Exits & {
  readonly links: Links
  readonly passkeys: Passkeys
  readonly atProviders: AtProviders
  /** Makes the first admin, who is signed in at once. Throws `identity.claim_refused`. */
  claim(
    secret: string,
    email: string,
    arriving: Arriving,
  ): Promise<{ token: IssuedToken; opened: OpenedSession }>
  /** The open sessions of a user. */
  sessionsOf(userId: string, currentId: string | undefined): Promise<SessionView[]>
  passkeysOf(userId: string): Promise<PasskeyView[]>
  /** What people have to be told. */
  readonly notices: Notices
  /** One event of something that was refused before any rule was asked. */
  noteRefusal(what: Deed, visitor: Visitor, thrown: unknown): Promise<void>
}

export function openSignIn(parts: ProviderParts, identity: Room): SignIn {
  const { room } = parts
  const passkeys = openPasskeys(room)
  return {
    ...openExits(room),
    links: openLinks(room),
    passkeys,
    notices: openNotices(room.database.kysely),
    atProviders: openAtProviders(parts),
    claim: (secret, email, arriving) =>
      orRefused(room, { action: 'identity.claim', target: `user:${email}` }, arriving, async () => {
        const { requestId, client, before = arriving.idled } = arriving
        const opened = Promise.withResolvers<OpenedSession>()
        const token = await claim(identity, secret, {
          email,
          requestId,
          async also(tx, user) {
            if (before !== undefined) await room.sessions.end(before.id, tx)
            opened.resolve(await room.sessions.open({ userId: user.id, method: 'claim', client }, tx))
          },
        })
        return { token, opened: await opened.promise }
      }),
    async sessionsOf(userId, currentId) {
      return (await room.sessions.of(userId)).map(row => viewSession(row, currentId))
    },
    noteRefusal: (what, visitor, thrown) => room.audit.recorded(refusal(what, visitor, thrown)),
    passkeysOf: async userId => (await passkeys.of(userId)).map(viewPasskey),
  }
}
