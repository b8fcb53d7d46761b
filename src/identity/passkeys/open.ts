import { fail } from '../../foundation/errors.ts'
import type { Caller } from '../../foundation/route.ts'
import type { SignInRoom } from '../sign-in/enter.ts'
import { deed, type Visitor } from '../sign-in/journal.ts'
import type { From } from '../table.ts'
import {
  deletePasskey,
  hasPasskeys,
  type Passkey,
  passkeyById,
  passkeysOf,
  renamePasskey,
} from './passkeys-table.ts'
import { beginRegistration, finishRegistration } from './register.ts'
import { relyingParty } from './relying-party.ts'
import { beginPasskeySignIn, finishPasskeySignIn } from './sign-in.ts'

type Whose = { readonly caller: Caller; readonly id: string; readonly visitor: Visitor }
type Bound<Work> = Work extends (room: SignInRoom, ...rest: infer Rest) => infer Answer
  ? (...rest: Rest) => Answer
  : never

/** Passkeys of people of the gateway itself. Their names and keys are here; the secrets never leave their devices. */
export type Passkeys = {
  readonly beginRegistration: Bound<typeof beginRegistration>
  readonly finishRegistration: Bound<typeof finishRegistration>
  readonly beginSignIn: Bound<typeof beginPasskeySignIn>
  readonly finishSignIn: Bound<typeof finishPasskeySignIn>
  /** Throws `identity.passkey_unavailable` where no passkey can be made on pages of this origin. */
  checkOrigin(origin: string): void
  /** Has anybody one? */
  areThere(): Promise<boolean>
  of(userId: string): Promise<Passkey[]>
  /** Throws `identity.unknown` for a passkey of somebody else. */
  rename(name: string, whose: Whose): Promise<void>
  /** Throws `identity.unknown` for a passkey of somebody else. */
  remove(whose: Whose): Promise<void>
}

export function openPasskeys(room: SignInRoom): Passkeys {
  const { kysely } = room.database
  const alter = (verb: string, whose: Whose, detail: object, work: (tx: From) => Promise<void>) =>
    kysely.transaction().execute(async tx => {
      const { caller, id, visitor } = whose
      if ((await passkeyById(tx, id))?.user_id !== caller.id)
        fail('identity.unknown', { why: 'You have no such passkey.' })
      await work(tx)
      const what = { action: `identity.${verb}_passkey`, target: `user:${caller.name}` } as const
      await room.audit.recorded(deed({ ...what, detail: { id, ...detail } }, visitor, caller))
    })
  return {
    beginRegistration: (...rest) => beginRegistration(room, ...rest),
    finishRegistration: (...rest) => finishRegistration(room, ...rest),
    beginSignIn: (...rest) => beginPasskeySignIn(room, ...rest),
    finishSignIn: (...rest) => finishPasskeySignIn(room, ...rest),
    checkOrigin: origin => void relyingParty(origin),
    areThere: () => hasPasskeys(kysely),
    of: userId => passkeysOf(kysely, userId),
    rename: (name, whose) => alter('rename', whose, { name }, tx => renamePasskey(tx, whose.id, name)),
    remove: whose => alter('remove', whose, {}, tx => deletePasskey(tx, whose.id)),
  }
}
