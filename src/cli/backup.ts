import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Command } from 'commander'
import { lockDataDirectory } from '../data-directory.ts'
import { fail } from '../foundation/errors.ts'
import { type Kit, leaf, type SharedOptions } from './kit.ts'

/**
 * A backup is one SQLite file: the database as of one moment, and the master key in a table of its own.
 * It may be made while the gateway runs.
 */
export function addBackupCommands(program: Command, kit: Kit): void {
  leaf(program, 'backup <file>', 'write the database and the master key into one new file').action(
    (file: string, options: SharedOptions) =>
      kit.run(options, () => {
        const to = resolve(kit.workingDirectory, file)
        backUp(sqliteOf(kit, options, file), to)
        const others = Object.keys(kit.readConfig(options).vault.keys)
        kit.show(options, { file: to, notIncluded: others }, () => [
          `Wrote ${to}. It holds the master key: keep it as safe as the gateway.`,
          ...(others.length === 0
            ? []
            : [`Not in it, and needed as well: ${others.join(', ')} of vault.keys.`]),
        ])
      }),
  )
  leaf(program, 'restore <file>', 'put a backup in place of the database and the master key')
    .option('--force', 'replace what is there; the old database is kept beside it')
    .action((file: string, options: SharedOptions & { force?: boolean }) =>
      kit.run(options, async () => {
        const from = resolve(kit.workingDirectory, file)
        const dataDir = sqliteOf(kit, options, file)
        const lock = await lockDataDirectory(dataDir, 1)
        try {
          restore(from, dataDir, options.force === true)
        } finally {
          lock.release()
        }
        kit.show(options, { restored: from, dataDir }, () => [`Restored ${from} into ${dataDir}.`])
      }),
    )
}

/** The data directory, when the database is in it. */
function sqliteOf(kit: Kit, options: SharedOptions, file: string): string {
  const { databaseUrl, dataDir } = kit.readConfig(options)
  if (databaseUrl === undefined) return dataDir
  return fail('cli.usage', {
    why: 'The database is PostgreSQL, which has tools of its own for this.',
    fix: `pg_dump --format=custom --file=${file} "$DATABASE_URL"  (back with pg_restore), and: gatehouse keys backup <file>`,
  })
}

const databaseFile = 'gatehouse.db'

function backUp(dataDir: string, to: string): void {
  const database = join(dataDir, databaseFile)
  if (!existsSync(database))
    fail('cli.usage', { why: `There is no database in ${dataDir}.`, fix: 'Name its --data-dir.' })
  if (existsSync(to)) fail('cli.usage', { why: `${to} exists.`, fix: 'Name a file that does not exist yet.' })
  closeSync(openSync(to, 'wx', 0o600))
  const from = new DatabaseSync(database)
  try {
    from.prepare('vacuum into ?').run(to)
  } finally {
    from.close()
  }
  const key = readFileSync(join(dataDir, 'keys', 'master.key'), 'utf8')
  const copy = new DatabaseSync(to)
  copy.exec('create table backup_key (value text not null)')
  copy.prepare('insert into backup_key values (?)').run(key)
  copy.close()
}

function restore(from: string, dataDir: string, isForced: boolean): void {
  const database = join(dataDir, databaseFile)
  if (existsSync(database) && !isForced)
    fail('cli.usage', {
      why: `There is a database in ${dataDir} already.`,
      fix: 'Use --force to replace it, or another --data-dir.',
    })
  if (!existsSync(from))
    fail('cli.usage', { why: `There is no file ${from}.`, fix: 'Name a file made by: gatehouse backup' })
  const draft = join(dataDir, `${databaseFile}.restoring`)
  copyFileSync(from, draft)
  chmodSync(draft, 0o600)
  const key = takeKey(draft)
  const keep = `${database}.before-restore`
  if (existsSync(database)) renameSync(database, keep)
  for (const suffix of ['-wal', '-shm']) rmSync(`${database}${suffix}`, { force: true })
  mkdirSync(join(dataDir, 'keys'), { recursive: true, mode: 0o700 })
  writeFileSync(join(dataDir, 'keys', 'master.key'), key, { mode: 0o600 })
  renameSync(draft, database)
}

/** Checks that the file is whole, and takes the master key out of it. */
function takeKey(draft: string): string {
  try {
    const file = new DatabaseSync(draft)
    const whole = file.prepare('pragma integrity_check').get()
    const row = file.prepare('select value from backup_key').get()
    file.exec('drop table backup_key')
    file.close()
    if (whole?.integrity_check === 'ok' && typeof row?.value === 'string') return row.value
  } catch (cause) {
    rmSync(draft, { force: true })
    return fail('cli.usage', {
      why: 'The file is not a whole backup.',
      fix: 'Name a file made by: gatehouse backup',
      cause,
    })
  }
  rmSync(draft, { force: true })
  return fail('cli.usage', { why: 'The file is damaged.', fix: 'Use another backup.' })
}
