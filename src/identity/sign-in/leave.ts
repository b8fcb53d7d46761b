/** Ways out: one session, every session of a person, by themselves or by an admin. */
import type { Caller } from '../../foundation/route.ts'
import type { BrowserSession } from '../sessions.ts'
import type { From, User } from '../table.ts'
import type { SignInRoom } from './enter.ts'
import { deed, type Visitor } from './journal.ts'

export type Exits = {
  /** Ends the session of this browser. Gives what says at its identity provider who leaves, where there is that. */
  signOut(session: BrowserSession, visitor: Visitor): Promise<string | undefined>
  /** Ends one session of a person; false when they have none of this id. */
  endOne(user: Pick<User, 'id' | 'email'>, sessionId: string, by: By): Promise<boolean>
  /** Ends every session of a person, and says how many there were. */
  endAll(user: Pick<User, 'id' | 'email'>, by: By): Promise<number>
}

type By = { readonly caller: Caller; readonly visitor: Visitor }

export function openExits(room: SignInRoom): Exits {
  const { sessions } = room
  const leave = async <T>(
    what: { email: string; detail?: unknown },
    by: By,
    work: (tx: From) => Promise<T>,
  ) =>
    room.database.change(async tx => {
      const answer = await work(tx)
      const told = { action: 'identity.sign_out', target: `user:${what.email}`, detail: what.detail } as const
      await room.audit.recorded(deed(told, by.visitor, by.caller))
      return answer
    })
  return {
    async signOut({ id, principal }, visitor) {
      const idToken = await sessions.idTokenOf(id)
      await leave({ email: principal.name }, { caller: principal, visitor }, tx => sessions.end(id, tx))
      return idToken
    },
    async endOne({ id, email }, sessionId, by) {
      const isTheirs = (await sessions.of(id)).some(session => session.id === sessionId)
      if (isTheirs)
        await leave({ email, detail: { session: sessionId } }, by, tx => sessions.end(sessionId, tx))
      return isTheirs
    },
    async endAll({ id, email }, by) {
      const { length } = await sessions.of(id)
      await leave({ email, detail: { everywhere: true } }, by, tx => sessions.endAll(id, tx))
      return length
    },
  }
}
