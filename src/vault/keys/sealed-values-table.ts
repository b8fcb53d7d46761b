/** The SQL that finds sealed text wherever it stands. Seals under one key begin alike, so no row has to be read to know. */
import { type Kysely, sql, type Transaction } from 'kysely'
import type { Tables } from '../../database/index.ts'
import type { SealedColumn } from '../../foundation/sealed-column.ts'
import { sealPrefixLength } from '../seal.ts'

type From = Kysely<Tables> | Transaction<Tables>
type Place = Pick<SealedColumn, 'table' | 'column'>

export type SealedRow = {
  /** The columns of the key and those that are needed, as text. */
  readonly row: Readonly<Record<string, string>>
  readonly text: string
}

// LIKE would take the underscores of a prefix for wildcards, and the two databases name its alternative differently.
const has = (column: string, prefix: string) =>
  sql<boolean>`replace(${sql.ref(column)}, ${prefix}, '') <> ${sql.ref(column)}`

/** How many values of the column are under the key that this prefix stands for. */
export async function countSeals(from: From, { table, column }: Place, prefix: string): Promise<number> {
  const cut = sql`length(${sql.ref(column)}) - length(replace(${sql.ref(column)}, ${prefix}, ''))`
  const { rows } = await sql<{ n: number | string | null }>`
    select sum((${cut}) / ${sql.lit(sealPrefixLength)}) as n from ${sql.table(table)}
    where ${sql.ref(column)} is not null`.execute(from)
  return Number(rows[0]?.n ?? 0)
}

export type Batch = {
  readonly after: SealedRow | undefined
  readonly rows: number
  /** Only rows with a seal that begins so. */
  readonly prefix?: string | undefined
}

/** The next rows that have something in the column, in the order of their keys. */
export async function nextRows(from: From, place: SealedColumn, batch: Batch): Promise<SealedRow[]> {
  const { table, column, key, needs } = place
  const text = (name: string) => sql`cast(${sql.ref(name)} as text) as ${sql.ref(name)}`
  const keys = sql.join(key.map(name => sql.ref(name)))
  const after =
    batch.after === undefined ? sql`` : sql`and (${keys}) > (${sql.join(values(place, batch.after))})`
  const wanted = batch.prefix === undefined ? sql`` : sql`and ${has(column, batch.prefix)}`
  const { rows } = await sql<Record<string, string>>`
    select ${sql.join([...key, ...needs].map(text))}, ${sql.ref(column)} as sealed_text from ${sql.table(table)}
    where ${sql.ref(column)} is not null ${wanted} ${after}
    order by ${keys} limit ${sql.lit(batch.rows)}`.execute(from)
  return rows.map(({ sealed_text, ...row }) => ({ row, text: sealed_text ?? '' }))
}

/** Puts another text in place of what was read; false when somebody wrote there meanwhile. */
export async function replaceText(
  from: From,
  place: SealedColumn,
  { was, text }: { was: SealedRow; text: string },
): Promise<boolean> {
  const { table, column, key } = place
  const keys = sql.join(key.map(name => sql.ref(name)))
  const { numAffectedRows } = await sql`
    update ${sql.table(table)} set ${sql.ref(column)} = ${text}
    where (${keys}) = (${sql.join(values(place, was))}) and ${sql.ref(column)} = ${was.text}`.execute(from)
  return numAffectedRows === 1n
}

const values = ({ key }: SealedColumn, { row }: SealedRow) => key.map(name => row[name] ?? '')

/** Events are written as they were shown, and are too many to read. */
const unread = ['audit_events', 'kysely_migration', 'kysely_migration_lock']

/** Columns of any table, as table.column, that hold a seal which begins so and are none of these. */
export async function strayColumns(from: From, known: readonly Place[], prefix: string): Promise<string[]> {
  const names = new Set(known.map(({ table, column }) => `${table}.${column}`))
  const found: string[] = []
  for (const { name: table, columns } of await from.introspection.getTables()) {
    if (unread.includes(table)) continue
    for (const { name: column, dataType } of columns) {
      if (names.has(`${table}.${column}`) || dataType.toLowerCase() !== 'text') continue
      const { rows } =
        await sql`select 1 from ${sql.table(table)} where ${has(column, prefix)} limit 1`.execute(from)
      if (rows.length > 0) found.push(`${table}.${column}`)
    }
  }
  return found
}
