import { sql } from 'kysely'
import type { Database } from '../database/index.ts'
import { timePart } from '../foundation/id.ts'
import type { AuditEvent } from './event.ts'
import type { Batch } from './spool.ts'

/** Longer values are cut in the columns that are searched by; the event itself stays whole. */
const columnLength = 400

/** Text as both databases take it into an indexed column: PostgreSQL refuses NUL, lone surrogates and very long values. */
export function columnText(text: string): string {
  return text.slice(0, columnLength).toWellFormed().replaceAll('\0', '\ufffd')
}

/** How callers are written in the `principal` column and filter: `user:<email>`, `account:<name>`. */
export function principalOf({ kind, name }: Pick<AuditEvent['who'], 'kind' | 'name'>): string | null {
  return name === null ? null : columnText(`${kind}:${name}`)
}

function row(event: AuditEvent, line: string): unknown[] {
  const target = event.target === null ? null : columnText(event.target)
  return [
    event.id,
    event.at,
    event.kind,
    principalOf(event.who),
    target,
    columnText(event.action),
    event.outcome,
    line,
  ]
}

/** Stores events, each once however often it comes: one statement with one parameter. */
export async function insertEvents(database: Database, { events, lines }: Batch): Promise<void> {
  const rows = JSON.stringify(events.map((event, i) => row(event, lines[i] ?? '')))
  const source =
    database.dialect === 'sqlite' ? sql`json_each(${rows})` : sql`json_array_elements(${rows}::json)`
  await sql`
    insert into audit_events (id, at, kind, principal, target, action, outcome, event)
    select value ->> 0, cast(value ->> 1 as bigint), value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7
    from ${source} where true on conflict (id) do nothing
  `.execute(database.kysely)
}

export type Filter = {
  readonly limit: number
  /** Only events older than the one with this id. */
  readonly before?: string | undefined
  /** Milliseconds since 1970. */
  readonly since?: number | undefined
  readonly principal?: string | undefined
  readonly target?: string | undefined
  readonly action?: string | undefined
  readonly outcome?: string | undefined
}

/** Events as JSON text with their ids, newest first. */
export function findEvents({ kysely }: Database, filter: Filter): Promise<{ id: string; event: string }[]> {
  let query = kysely.selectFrom('audit_events').select(['id', 'event'])
  if (filter.before !== undefined) query = query.where('id', '<', filter.before)
  // Ids begin with their time, so the order of ids serves this filter too.
  if (filter.since !== undefined) query = query.where('id', '>=', timePart(filter.since))
  for (const column of ['principal', 'target', 'action', 'outcome'] as const) {
    const wanted = filter[column]
    if (wanted !== undefined) query = query.where(column, '=', columnText(wanted))
  }
  return query.orderBy('id', 'desc').limit(filter.limit).execute()
}
