import { Kysely, type Transaction } from 'kysely'
import { fail, GatewayError } from '../foundation/errors.ts'
import { migrate } from './migrate.ts'
import { postgresDialect } from './postgres.ts'
import { sqliteDialect } from './sqlite.ts'
import type { Tables } from './tables.ts'

export type Database = {
  readonly dialect: 'sqlite' | 'postgres'
  /** Opens the same database once more. */
  readonly place: DatabaseOptions
  /** For reading, and for records that are no configuration. Never inside `change`, where `tx` is the way. */
  readonly kysely: Kysely<Tables>
  /**
   * Runs the work in one transaction and raises the revision in it. Every change to identity, access or upstreams goes
   * through here. Changes run one after the other, across all processes, so the work may read, decide and write.
   */
  change<T>(work: (tx: Transaction<Tables>) => Promise<T>): Promise<T>
  /** A number that moves with every change of any process. */
  revision(): Promise<number>
  close(): Promise<void>
}

export type DatabaseOptions = {
  /** Holds `gatehouse.db` when there is no `databaseUrl`. */
  readonly dataDir: string
  /** `postgres://...` */
  readonly databaseUrl?: string | undefined
}

export async function openDatabase(place: DatabaseOptions): Promise<Database> {
  const { dataDir, databaseUrl } = place
  const dialect = databaseUrl === undefined ? 'sqlite' : 'postgres'
  const kysely = new Kysely<Tables>({
    dialect: databaseUrl === undefined ? sqliteDialect(dataDir) : postgresDialect(databaseUrl),
  })
  try {
    await migrate(kysely)
  } catch (cause) {
    await kysely.destroy()
    if (cause instanceof GatewayError) throw cause
    return fail('database.unavailable', { why: `The database answers: ${messageOf(cause)}`, cause })
  }
  return { dialect, place, kysely, ...revisions(kysely), close: () => kysely.destroy() }
}

function revisions(kysely: Kysely<Tables>): Pick<Database, 'change' | 'revision'> {
  return {
    change: work =>
      kysely.transaction().execute(async tx => {
        // First of all, because the lock on this row is what puts changes one after the other on PostgreSQL.
        await tx
          .updateTable('revisions')
          .set(row => ({ revision: row('revision', '+', 1) }))
          .execute()
        return work(tx)
      }),
    async revision() {
      const row = await kysely.selectFrom('revisions').select('revision').executeTakeFirstOrThrow()
      return row.revision
    },
  }
}

function messageOf(thrown: unknown): string {
  // A refused connection to a name with several addresses is an AggregateError without a message of its own.
  if (thrown instanceof AggregateError) return thrown.errors.map(messageOf).join('; ')
  return thrown instanceof Error ? thrown.message : String(thrown)
}
