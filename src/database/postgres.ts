import { type Dialect, PostgresDialect } from 'kysely'
import { openPool } from './postgres-pool.ts'

const connections = 10

export function postgresDialect(databaseUrl: string): Dialect {
  return new PostgresDialect({ pool: openPool(databaseUrl, connections) })
}
