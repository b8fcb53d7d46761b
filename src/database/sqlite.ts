import { closeSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'

const patienceMilliseconds = 10_000
const busy = 5

/** SQLite through the driver of Node itself, in `<dataDir>/gatehouse.db`, readable by its owner only. */
export function sqliteDialect(dataDir: string): Dialect {
  return {
    createAdapter: () => new TransactionalAdapter(),
    createDriver: () => new SqliteDriver(dataDir),
    createIntrospector: kysely => new SqliteIntrospector(kysely),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  }
}

/** SQLite can roll back DDL; saying so makes Kysely migrate inside `begin immediate`. */
class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true
  }
}

function openFile(dataDir: string): DatabaseSync {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const file = join(dataDir, 'gatehouse.db')
  // Created here because SQLite would follow the umask; its WAL and shared memory take the mode of this file.
  closeSync(openSync(file, 'a', 0o600))
  const sqlite = new DatabaseSync(file, { timeout: patienceMilliseconds, enableForeignKeyConstraints: true })
  // Checkpoints, which block until all is on the disk, are mostly left to the audit's own thread, which begins them earlier.
  sqlite.exec(`pragma journal_mode = wal; pragma synchronous = full; pragma busy_timeout = 0;
    pragma wal_autocheckpoint = 4000`)
  return sqlite
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === busy
}

/** Waits while another process writes, as SQLite's own busy handler would, but without blocking this one. */
async function patiently<T>(work: () => T): Promise<T> {
  const until = performance.now() + patienceMilliseconds
  for (;;) {
    try {
      return work()
    } catch (error) {
      if (!isBusy(error) || performance.now() > until) throw error
    }
    await sleep(5 + Math.random() * 10)
  }
}

class Connection implements DatabaseConnection {
  readonly sqlite: DatabaseSync

  constructor(sqlite: DatabaseSync) {
    this.sqlite = sqlite
  }

  executeQuery<Row>({ sql, parameters }: CompiledQuery): Promise<QueryResult<Row>> {
    const values = parameters as readonly SQLInputValue[]
    return patiently(() => {
      const statement = this.sqlite.prepare(sql)
      if (statement.columns().length > 0) return { rows: statement.all(...values) as Row[] }
      const { changes, lastInsertRowid } = statement.run(...values)
      return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) }
    })
  }

  async *streamQuery<Row>({ sql, parameters }: CompiledQuery): AsyncIterableIterator<QueryResult<Row>> {
    const rows = this.sqlite.prepare(sql).iterate(...(parameters as readonly SQLInputValue[]))
    for (const row of rows) yield { rows: [row as Row] }
  }
}

/** One connection, lent to one borrower at a time, so that transactions never interleave. */
class SqliteDriver implements Driver {
  readonly #dataDir: string
  readonly #waiting: (() => void)[] = []
  #connection: Connection | undefined
  #isLent = false

  constructor(dataDir: string) {
    this.#dataDir = dataDir
  }

  async init(): Promise<void> {
    this.#connection = new Connection(openFile(this.#dataDir))
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    if (this.#connection === undefined) throw new Error('The database is closed.')
    if (this.#isLent) await new Promise<void>(resolve => this.#waiting.push(resolve))
    this.#isLent = true
    return this.#connection
  }

  async releaseConnection(): Promise<void> {
    const next = this.#waiting.shift()
    // Stays lent when somebody waits: a newcomer must not slip in before the next in line wakes up.
    if (next === undefined) this.#isLent = false
    else next()
  }

  async beginTransaction(): Promise<void> {
    await patiently(() => this.#connection?.sqlite.exec('begin immediate'))
  }

  async commitTransaction(): Promise<void> {
    this.#connection?.sqlite.exec('commit')
  }

  async rollbackTransaction(): Promise<void> {
    // Some errors, a full disk for one, make SQLite roll back by itself.
    if (this.#connection?.sqlite.isTransaction) this.#connection.sqlite.exec('rollback')
  }

  async destroy(): Promise<void> {
    if (this.#connection === undefined) return
    await this.acquireConnection()
    this.#connection.sqlite.close()
    await this.releaseConnection()
  }
}
