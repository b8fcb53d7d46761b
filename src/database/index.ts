import type { Appender, Target } from './append.ts'
import type { Database, DatabaseOptions } from './open.ts'

export type { Appender, Row, Target } from './append.ts'
export type { Database, DatabaseOptions } from './open.ts'
export type { Tables } from './tables.ts'

// Both are loaded when they are called: a thread that only appends needs no query builder, the most of what is behind this door.

/** Opens the database, creating and migrating it as needed. Throws `database.newer` and `database.unavailable`. */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { openDatabase: open } = await import('./open.ts')
  return open(options)
}

/** Opens a connection of its own that only adds rows to one table, for a thread of its own. The database must be open. */
export async function openAppender(options: DatabaseOptions, target: Target): Promise<Appender> {
  const { openAppender: open } = await import('./append.ts')
  return open(options, target)
}
