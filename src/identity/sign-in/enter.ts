/** The one way in: whoever has proved who they are gets a new session, and the audit an event. */
import type { AuditRecord } from '../../audit/index.ts'
import type { Database } from '../../database/index.ts'
import type { Clock } from '../../foundation/clock.ts'
import type { Flows, Seals } from '../flows.ts'
import type { BrowserSession, OpenedSession, Sessions, SignedIn } from '../sessions.ts'
import type { From, User } from '../table.ts'
import { type Deed, deed, refusal, type Visitor } from './journal.ts'

/** What the rules of signing in share. */
export type SignInRoom = {
  readonly database: Database
  readonly audit: AuditRecord
  readonly clock: Clock
  readonly sessions: Sessions
  readonly flows: Flows
  readonly seals: Seals
}

/** A browser that signs in, with the session it has so far. */
export type Arriving = Visitor & {
  readonly before: BrowserSession | undefined
  /** The one it has instead of that, which idled for too long: all that becomes of it is that it ends. */
  readonly idled?: BrowserSession | undefined
}

export type Proof = Omit<SignedIn, 'userId' | 'client'> & {
  readonly user: Pick<User, 'id' | 'email'>
  /** For the audit. */
  readonly detail?: Readonly<Record<string, unknown>>
  /** In the same transaction. */
  also?(tx: From, opened: OpenedSession): Promise<void>
}

/** Opens a session in place of the one the browser had: no value that was known before signing in is worth anything after. */
export function enter(
  { database, audit, sessions }: SignInRoom,
  proof: Proof,
  arriving: Arriving,
): Promise<OpenedSession> {
  const { user, detail, also, ...how } = proof
  const { before = arriving.idled, client } = arriving
  // Who was signed in there is signed out by it, which every process has to hear of.
  const isExit = before !== undefined && before.principal.id !== user.id
  const work = async (tx: From) => {
    const opened = await sessions.open({ ...how, userId: user.id, client }, tx)
    if (before !== undefined) await sessions.replace(before, opened, tx)
    await also?.(tx, opened)
    const doer = { id: user.id, kind: 'user', name: user.email, tokenId: opened.id } as const
    const what = { action: 'identity.sign_in', target: `user:${user.email}` } as const
    await audit.recorded(deed({ ...what, detail: { method: how.method, ...detail } }, arriving, doer))
    return opened
  }
  return isExit ? database.change(work) : database.kysely.transaction().execute(work)
}

/** Does what may be refused; a refusal is in the audit before anybody hears of it. */
export async function orRefused<T>(
  { audit }: Pick<SignInRoom, 'audit'>,
  what: Deed,
  visitor: Visitor,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    await audit.recorded(refusal(what, visitor, thrown))
    throw thrown
  }
}
