/** Something that is renewed by one at a time, in all processes: a row with a version, which whoever renews it leases. */
import { setTimeout as rest } from 'node:timers/promises'
import type { Clock } from './clock.ts'
import { newHandle } from './id.ts'

/** As long as a request for tokens may take twice, and then some. */
const leaseMilliseconds = 25_000
const patienceMilliseconds = 30_000
const lookMilliseconds = 150

export type Lease = { readonly lease: string; readonly now: number; readonly until: number }

export type Turns<Row> = {
  readonly clock: Clock
  /** As it is now; throws where it is gone. */
  read(): Promise<Row>
  /** Is it another than the one that was to be renewed? Then somebody was faster. */
  isNews(row: Row): boolean
  /** False where somebody else has it, or has changed the row. */
  lease(lease: Lease): Promise<boolean>
  renew(row: Row, lease: string): Promise<Row>
  /** Somebody else has been renewing it for too long. */
  tired(): Error
}

const keepMilliseconds = 20_000
const againMilliseconds = 250

/** What was given may be the only token that is good now: a database that does not answer at the moment is asked again for a while. */
export async function untilWritten<Written>(clock: Clock, write: () => Promise<Written>): Promise<Written> {
  const until = clock.elapsed() + keepMilliseconds
  for (;;) {
    try {
      return await write()
    } catch (error) {
      if (clock.elapsed() > until) throw error
      await rest(againMilliseconds)
    }
  }
}

/** The row after somebody renewed it, here or in another process. */
export async function takeTurns<Row>(turns: Turns<Row>): Promise<Row> {
  const { clock } = turns
  const until = clock.elapsed() + patienceMilliseconds
  const lease = newHandle()
  for (;;) {
    const row = await turns.read()
    if (turns.isNews(row)) return row
    const now = clock.now()
    if (await turns.lease({ lease, now, until: now + leaseMilliseconds })) return turns.renew(row, lease)
    if (clock.elapsed() > until) throw turns.tired()
    await rest(lookMilliseconds)
  }
}
