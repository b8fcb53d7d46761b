/** Reminders of tokens that are about to expire: an audit event and a line in the log, once for each threshold, of whichever process is first. */
import type { AuditRecord } from '../audit/index.ts'
import type { Clock } from '../foundation/clock.ts'
import { newId } from '../foundation/id.ts'
import type { Log } from '../foundation/log.ts'
import { eventOf } from './room.ts'
import { isoTime } from './schemas.ts'
import { type From, noteReminder, type Token, tokensExpiring } from './table.ts'
import { subjectOf } from './tokens.ts'

const dayMilliseconds = 86_400_000
/** So many days before; the last first, so that who is late hears once. */
const thresholds = [1, 3, 14]
const everyMilliseconds = 3_600_000
/** A gateway that only serves one command is gone by then. */
const settledMilliseconds = 10_000

type Parts = { readonly kysely: From; readonly audit: AuditRecord; readonly clock: Clock; readonly log: Log }

export type Expiring = { readonly id: string; readonly subject: string; readonly expiresAt: number }

/** Tokens that expire within so many days and have no successor, the first to go first. */
export async function expiringTokens(
  { kysely, clock }: Pick<Parts, 'kysely' | 'clock'>,
  days: number,
): Promise<Expiring[]> {
  const now = clock.now()
  const rows = await tokensExpiring(kysely, now, now + days * dayMilliseconds)
  return rows.map(token => ({ id: token.id, subject: subjectOf(token), expiresAt: token.expires_at }))
}

/** Reminds soon and every hour; the answer stops it. */
export function openReminders(parts: Parts): () => void {
  const look = () => {
    remind(parts).catch(error =>
      parts.log.warn({ err: error }, 'Tokens that expire soon could not be looked up.'),
    )
  }
  const first = setTimeout(look, settledMilliseconds).unref()
  const timer = setInterval(look, everyMilliseconds).unref()
  return () => {
    clearTimeout(first)
    clearInterval(timer)
  }
}

export async function remind({ kysely, audit, clock, log }: Parts): Promise<void> {
  const now = clock.now()
  for (const days of thresholds) {
    for (const token of await tokensExpiring(kysely, now, now + days * dayMilliseconds)) {
      if (!(await noteReminder(kysely, token.id, days))) continue
      await audit.recorded(eventOf({ ...reminderOf(token), caller: 'nobody', requestId: newId(now) }))
      log.warn(
        reminderOf(token),
        `A token of ${subjectOf(token)} expires soon. Rotate it with: gatehouse token rotate ${token.id}`,
      )
    }
  }
}

function reminderOf(token: Token) {
  const { id, name, expires_at, last_used_at } = token
  const lastUsedAt = last_used_at === null ? null : isoTime(last_used_at)
  return {
    action: 'identity.token_expires_soon',
    target: subjectOf(token),
    detail: { id, name, expiresAt: isoTime(expires_at), lastUsedAt },
  } as const
}
