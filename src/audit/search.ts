import type { Database } from '../database/index.ts'
import type { Caller } from '../foundation/route.ts'
import type { AuditEvent } from './event.ts'
import { columnText, type Filter, findEvents, principalOf } from './table.ts'

export type Found = {
  readonly items: readonly AuditEvent[]
  /** Why there are none. */
  readonly why?: string
  /** Pass it as `before` for the next older page; absent when there is none. */
  readonly next?: string
}

export type { Filter } from './table.ts'

/** Finds events, newest first. Admins and auditors see all of them, everybody else their own. */
export async function searchEvents(database: Database, caller: Caller, filter: Filter): Promise<Found> {
  const seesAll = caller.role === 'admin' || caller.role === 'auditor'
  const own = principalOf(caller) ?? undefined
  if (!seesAll && filter.principal !== undefined && columnText(filter.principal) !== own) {
    return {
      items: [],
      why: 'You may see only your own events; ask an auditor or admin for those of others.',
    }
  }
  const rows = await findEvents(database, seesAll ? filter : { ...filter, principal: own })
  // The table was filled from events; what comes out is what went in.
  const events = rows.map(row => JSON.parse(row.event) as AuditEvent)
  // A name may have belonged to somebody else before.
  const items = seesAll ? events : events.filter(event => event.who.id === caller.id)
  const last = rows.length === filter.limit ? rows.at(-1) : undefined
  return {
    items,
    ...(items.length === 0 && { why: whyNone(filter, seesAll) }),
    ...(last && { next: last.id }),
  }
}

function whyNone(filter: Filter, seesAll: boolean): string {
  const { limit: _, ...narrowing } = filter
  const used = Object.entries(narrowing).flatMap(([name, value]) => (value === undefined ? [] : [name]))
  const whose = seesAll ? 'No event' : 'No event of yours'
  if (used.length === 0) return `${whose} has been recorded yet.`
  return `${whose} matches all of: ${used.join(', ')}.`
}
