import type { DatabaseOptions } from './open.ts'
import type { Tables } from './tables.ts'

/** Where rows go: text columns of one table. */
export type Target = { readonly table: keyof Tables; readonly columns: readonly string[] }

/** One value for each column of the target. */
export type Row = readonly (string | null)[]

export type Appender = {
  /** Adds the rows in one transaction; a row whose key is there already changes nothing. All or none on failure. */
  append(rows: readonly Row[]): Promise<void>
  /** Has all that was appended reach the disk itself. Returns false when that must be asked for again, a moment later. */
  secure(): Promise<boolean>
  close(): Promise<void>
}

export async function openAppender(
  { dataDir, databaseUrl }: DatabaseOptions,
  target: Target,
): Promise<Appender> {
  if (databaseUrl === undefined) {
    const { sqliteAppender } = await import('./sqlite-append.ts')
    return sqliteAppender(dataDir, target)
  }
  const { postgresAppender } = await import('./postgres-append.ts')
  return postgresAppender(databaseUrl, target)
}
