/** Calls, counted where they are kept. */
import { sql } from 'kysely'
import type { Database } from '../database/index.ts'
import { timePart } from '../foundation/id.ts'

/** What calls are told apart by. */
export type CountedBy = 'who' | 'target' | 'subject'

export type CountFilter = {
  /** Milliseconds since 1970: from, and up to and not including. */
  readonly since: number
  readonly until: number
  readonly by: readonly CountedBy[]
  /** Calls of this principal, and calls of servers in these groups; undefined for all there are. */
  readonly only?: { readonly principalId: string; readonly groups: readonly string[] } | undefined
  /** Lines at most. */
  readonly limit: number
}

export type Counted = {
  /** Id of the user or account; of older events their name. */
  readonly whoId: string | null
  /** `user:<email>` as it was at the last of these calls, and the id of that event. */
  readonly who: string | null
  readonly lastId: string
  readonly target: string | null
  readonly subject: string | null
  readonly outcome: string
  readonly calls: number
}

/** What a client asks a server to do, as opposed to listing and listening. */
const calling = ['tools/call', 'resources/read', 'prompts/get']
const whoId = sql<string | null>`coalesce(principal_id, principal)`
const nothing = sql<string | null>`null`

export async function countCalls({ kysely }: Database, filter: CountFilter): Promise<Counted[]> {
  const { since, until, by, only, limit } = filter
  const has = (what: CountedBy) => by.includes(what)
  let query = kysely
    .selectFrom('audit_events')
    .select([
      (has('who') ? whoId : nothing).as('whoId'),
      (has('who') ? sql<string | null>`max(id || ' ' || principal)` : nothing).as('latest'),
      (has('target') ? sql<string | null>`target` : nothing).as('target'),
      (has('subject') ? sql<string | null>`subject` : nothing).as('subject'),
      'outcome',
    ])
    .select(({ fn }) => fn.countAll<number>().as('calls'))
    // Ids begin with their time: what is read is the time that was asked for.
    .where('id', '>=', timePart(since))
    .where('id', '<', timePart(until))
    .where('action', 'in', calling)
    .groupBy('outcome')
  if (has('who')) query = query.groupBy(whoId)
  if (has('target')) query = query.groupBy('target')
  if (has('subject')) query = query.groupBy('subject')
  if (only !== undefined)
    query = query.where(({ eb, or, and }) =>
      or([
        eb('principal_id', '=', only.principalId),
        // `0` follows `/`.
        ...only.groups.map(group => and([eb('target', '>=', `${group}/`), eb('target', '<', `${group}0`)])),
      ]),
    )
  const rows = await query.limit(limit).execute()
  return rows.map(({ calls, latest, ...row }) => ({ ...row, ...whoIn(latest), calls: Number(calls) }))
}

function whoIn(latest: string | null): Pick<Counted, 'who' | 'lastId'> {
  const at = latest?.indexOf(' ') ?? -1
  return latest === null
    ? { who: null, lastId: '' }
    : { who: latest.slice(at + 1), lastId: latest.slice(0, at) }
}
