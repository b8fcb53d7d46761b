import { type AuditEvent, type AuditRecord, changeEvent } from '../audit/index.ts'
import type { Database } from '../database/index.ts'
import type { Clock } from '../foundation/clock.ts'
import type { ErrorCode } from '../foundation/errors.ts'
import type { Caller } from '../foundation/route.ts'
import { operator } from './principal.ts'
import type { SealSecret } from './providers/stored.ts'
import type { From } from './table.ts'

/** What the parts of this room share. */
export type Room = {
  readonly database: Database
  readonly audit: AuditRecord
  readonly clock: Clock
  /** Keys the hashes of tokens and of the claim secret. */
  readonly pepper: Buffer
  /** Forgets what was remembered and tells the other rooms. */
  refresh(): Promise<void>
  readonly namers: readonly Namer[]
  readonly sealSecret: SealSecret
}

/** A room that keeps names of subjects. It must not outlive them: whoever gets the name next is somebody else. */
export type Namer = {
  /** Drops the name, inside the transaction that removes `user:...`, `team:...` or `account:...`. */
  forget(tx: From, subject: string): Promise<void>
  /** Lets it follow somebody whose address changes. Throws `http.conflict` where it cannot, before it changes anything. */
  rename(tx: From, from: string, to: string): Promise<void>
  /** After such a transaction. */
  refresh(): Promise<void>
}

/** Who makes a change; `nobody` is the person with the claim link. */
export type By = { readonly caller: Caller | 'nobody'; readonly requestId: string }

export type Act = By & {
  readonly action: `identity.${string}`
  /** `user:...`, `team:...`, `account:...`, `identity-provider:...` */
  readonly target: string
  readonly detail?: Readonly<Record<string, unknown>>
}

/** Makes one change, audited in its transaction: without the record there is no change. */
export function change<T>(room: Room, act: Act, work: (tx: From) => Promise<T>): Promise<T> {
  return changeToldAfter(room, async tx => ({ answer: await work(tx), act }))
}

/** The same for work that knows only at its end what it did. */
export async function changeToldAfter<T>(
  room: Room,
  work: (tx: From) => Promise<{ readonly answer: T; readonly act: Act }>,
): Promise<T> {
  const answer = await room.database.change(async tx => {
    const outcome = await work(tx)
    await room.audit.recorded(eventOf(outcome.act))
    return outcome.answer
  })
  await room.refresh()
  return answer
}

/** Puts into the audit that something was refused, and why. */
export function recordRefusal(
  room: Pick<Room, 'audit'>,
  act: Act,
  error: ErrorCode,
  reason: string,
): Promise<void> {
  return room.audit.recorded({
    ...eventOf(act),
    kind: 'identity',
    decision: { allowed: false, reason },
    outcome: 'rejected',
    error,
  })
}

/** A change that removes its target. */
export async function removal(room: Room, act: Act, work: (tx: From) => Promise<void>): Promise<void> {
  await change(room, act, work)
  for (const namer of room.namers) await namer.refresh()
}

/** Has every room drop the name of a subject that is being removed. */
export async function forget({ namers }: Pick<Room, 'namers'>, tx: From, subject: string): Promise<void> {
  for (const namer of namers) await namer.forget(tx, subject)
}

const nobody = { id: null, kind: 'nobody', name: null, tokenId: null, address: null, client: null } as const

export function eventOf({ caller, requestId, ...made }: Act): AuditEvent {
  if (caller !== 'nobody') return changeEvent(caller, requestId, made)
  return { ...changeEvent(operator, requestId, made), kind: 'identity', who: nobody }
}
