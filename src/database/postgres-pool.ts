import { Pool, types } from 'pg'

const int8 = 20

/** Connections to PostgreSQL. Counters and times (int8) are read as numbers; all of ours are below 2^53. */
export function openPool(databaseUrl: string, max: number): Pool {
  const pool = new Pool({
    connectionString: databaseUrl,
    application_name: 'gatehouse',
    max,
    connectionTimeoutMillis: 5000,
    statement_timeout: 60_000,
    idle_in_transaction_session_timeout: 60_000,
    keepAlive: true,
    types: {
      getTypeParser: (oid: number, format?: 'text' | 'binary') =>
        oid === int8 ? Number : types.getTypeParser(oid, format as 'text'),
    },
  })
  // The pool has already dropped the broken connection; whoever needs one next meets the error.
  pool.on('error', () => undefined)
  return pool
}
