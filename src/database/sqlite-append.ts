import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Appender, Row, Target } from './append.ts'

const patienceMilliseconds = 10_000

/** Blocks its thread while it writes, or waits for another writer. */
export function sqliteAppender(dataDir: string, { table, columns }: Target): Appender {
  const sqlite = new DatabaseSync(join(dataDir, 'gatehouse.db'), { timeout: patienceMilliseconds })
  // Commits survive this process, and power loss once `secure` said so: a sync each would cost more than all the rest.
  sqlite.exec('pragma synchronous = normal')
  const places = columns.map(() => '?').join(', ')
  const insert = `insert into ${table} (${columns.join(', ')}) values (${places}) on conflict do nothing`
  return {
    append: async rows => transact(sqlite, insert, rows),
    async secure() {
      // A passive checkpoint syncs the log first, and makes nobody wait; a reader may keep it from reaching the end.
      const state = sqlite.prepare('pragma wal_checkpoint(passive)').get()
      return state?.busy === 0 && state.log === state.checkpointed
    },
    close: async () => sqlite.close(),
  }
}

function transact(sqlite: DatabaseSync, insert: string, rows: readonly Row[]): void {
  const statement = sqlite.prepare(insert)
  sqlite.exec('begin immediate')
  try {
    for (const row of rows) statement.run(...row)
    sqlite.exec('commit')
  } catch (error) {
    // Some errors, a full disk for one, make SQLite roll back by itself.
    if (sqlite.isTransaction) sqlite.exec('rollback')
    throw error
  }
}
