import type { Kysely } from 'kysely'
import { DEFAULT_MIGRATION_TABLE, Migrator } from 'kysely/migration'
import { fail } from '../foundation/errors.ts'
import { migrations } from './migrations/index.ts'
import type { Tables } from './tables.ts'

/**
 * Brings the database to the newest migration of this binary. Two processes may do this at once: one waits for the
 * other's advisory lock (PostgreSQL) or `begin immediate` (SQLite) and then finds nothing left to do.
 */
export async function migrate(kysely: Kysely<Tables>): Promise<void> {
  const migrator = new Migrator({ db: kysely, provider: { getMigrations: async () => migrations } })
  const { error } = await migrator.migrateToLatest()
  if (error === undefined) return
  const unknown = (await executed(kysely)).filter(name => !(name in migrations))
  if (unknown.length > 0) {
    fail('database.newer', {
      why: `It has the migrations ${unknown.join(', ')}, which this version does not know.`,
    })
  }
  throw error
}

async function executed(kysely: Kysely<Tables>): Promise<string[]> {
  const tables = await kysely.introspection.getTables({ withInternalKyselyTables: true })
  if (!tables.some(table => table.name === DEFAULT_MIGRATION_TABLE)) return []
  const rows = await kysely
    .withTables<{ [DEFAULT_MIGRATION_TABLE]: { name: string } }>()
    .selectFrom(DEFAULT_MIGRATION_TABLE)
    .select('name')
    .execute()
  return rows.map(row => row.name)
}
