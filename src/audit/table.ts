import type { Database, Target } from '../database/index.ts'
import { timePart } from '../foundation/id.ts'

/** Longer values are cut in the columns that are searched by; the event itself stays whole. */
const columnLength = 400

/** Where `rowOf` goes. */
export const auditTarget: Target = {
  table: 'audit_events',
  columns: ['id', 'principal', 'target', 'action', 'outcome', 'event', 'principal_id', 'subject'],
}

/** Text as both databases take it into an indexed column: PostgreSQL refuses NUL, lone surrogates and very long values. */
export function columnText(text: string): string {
  return text.slice(0, columnLength).toWellFormed().replaceAll('\0', '\ufffd')
}

/** How callers are written in the `principal` column and filter: `user:<email>`, `account:<name>`. */
export function principalOf({ kind, name }: { kind: string; name: string | null }): string | null {
  return name === null ? null : columnText(`${kind}:${name}`)
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
