/** Going through everything that is sealed, a few rows at a time. */
import type { Kysely } from 'kysely'
import type { Tables } from '../../database/index.ts'
import { asGatewayError } from '../../foundation/errors.ts'
import type { Seal, SealedColumn } from '../../foundation/sealed-column.ts'
import { nextRows, type SealedRow } from './sealed-values-table.ts'

/** A value that does not open, without a word of it. */
export type Unopened = {
  /** table.column */
  readonly where: string
  /** The key of its row. */
  readonly record: string
  readonly why: string
}

export type Walk = {
  readonly kysely: Kysely<Tables>
  readonly columns: readonly SealedColumn[]
  /** Only rows with a seal that begins so. */
  readonly prefix?: string
  readonly rows: number
  /** Called after each few rows; false ends the walk. */
  step(column: SealedColumn, rows: readonly SealedRow[]): Promise<boolean>
}

export async function walk({ kysely, columns, prefix, rows: many, step }: Walk): Promise<void> {
  for (const column of columns) {
    let after: SealedRow | undefined
    do {
      const rows: SealedRow[] = await nextRows(kysely, column, { after, prefix, rows: many })
      if (rows.length > 0 && !(await step(column, rows))) return
      after = rows.at(-1)
    } while (after !== undefined)
  }
}

/** The seals of a row, or why they cannot be found in it. */
export function sealsOf(column: SealedColumn, { row, text }: SealedRow): readonly Seal[] | Unopened {
  try {
    return column.find(text, row)
  } catch {
    return unopened(column, row, new Error('It is not what this column holds.'))
  }
}

export function unopened(column: SealedColumn, row: SealedRow['row'], error: unknown): Unopened {
  const record = column.key.map(name => row[name] ?? '').join(' ')
  return { where: `${column.table}.${column.column}`, record, why: reason(error) }
}

function reason(error: unknown): string {
  const { code, why, internal } = asGatewayError(error)
  return code === 'internal.unexpected' ? (internal ?? why) : why
}
