import type { Appender, Target } from './append.ts'
import { openPool } from './postgres-pool.ts'

/** One statement for all rows, with one array for each column. Its commit is on the disk when it answers. */
export function postgresAppender(databaseUrl: string, { table, columns }: Target): Appender {
  const pool = openPool(databaseUrl, 1)
  const arrays = columns.map((_, i) => `$${i + 1}::text[]`).join(', ')
  const insert = `insert into ${table} (${columns.join(', ')}) select * from unnest(${arrays}) on conflict do nothing`
  return {
    async append(rows) {
      await pool.query(
        insert,
        columns.map((_, i) => rows.map(row => row[i])),
      )
    },
    secure: async () => true,
    close: () => pool.end(),
  }
}
