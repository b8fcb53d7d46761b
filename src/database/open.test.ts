import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import { describe, expect, it } from 'vitest'
import { directories, onEachDatabase } from '../../test/fixtures/databases.ts'
import { openAppender, openDatabase } from './index.ts'

const team = (name: string) => ({ id: name, name, created_at: 1_790_000_000_000 })

onEachDatabase((open, _name, newPlace) => {
  it('raises the revision with every change, and only then', async () => {
    const database = await open()
    expect(await database.revision()).toBe(0)
    expect(await database.change(async () => 'done')).toBe('done')
    await database.kysely.insertInto('teams').values(team('a')).execute()
    expect(await database.revision()).toBe(1)
  })

  it('takes back everything of a change that throws', async () => {
    const database = await open()
    const work = database.change(async tx => {
      await tx.insertInto('teams').values(team('a')).execute()
      throw new Error('no')
    })
    await expect(work).rejects.toThrow('no')
    expect(await database.revision()).toBe(0)
    expect(await database.kysely.selectFrom('teams').selectAll().execute()).toEqual([])
  })

  it('keeps changes of two processes apart: each sees what the one before did', async () => {
    const place = await newPlace()
    const [one, two] = [await open(place), await open(place)]
    const grow = async (database: typeof one) =>
      database.change(async tx => {
        const { length } = await tx.selectFrom('teams').select('id').execute()
        await new Promise(resolve => setImmediate(resolve))
        await tx
          .insertInto('teams')
          .values(team(`team-${length}`))
          .execute()
      })
    await Promise.all(Array.from({ length: 10 }, (_, i) => grow(i % 2 ? one : two)))
    expect(await one.revision()).toBe(10)
    expect(await two.kysely.selectFrom('teams').selectAll().execute()).toHaveLength(10)
  })

  it('never interleaves the changes of one process', async () => {
    const database = await open()
    const grow = () =>
      database.change(async tx => {
        const { length } = await tx.selectFrom('teams').select('id').execute()
        await new Promise(resolve => setImmediate(resolve))
        await tx
          .insertInto('teams')
          .values(team(`team-${length}`))
          .execute()
      })
    const growOften = async () => {
      for (let i = 0; i < 10; i++) await grow()
    }
    await Promise.all(Array.from({ length: 5 }, growOften))
    expect(await database.kysely.selectFrom('teams').selectAll().execute()).toHaveLength(50)
  })

  it('opens again and finds what was there, with times and counts as numbers', async () => {
    const place = await newPlace()
    const first = await openDatabase(place)
    await first.kysely.insertInto('teams').values(team('a')).execute()
    await first.close()
    const again = await open(place)
    expect(await again.kysely.selectFrom('teams').selectAll().executeTakeFirst()).toEqual(team('a'))
    const counted = again.kysely.selectFrom('teams').select(row => row.fn.countAll().as('n'))
    expect(await counted.executeTakeFirst()).toEqual({ n: 1 })
  })

  it('is migrated once when several open it at the same time', async () => {
    const place = await newPlace()
    const all = await Promise.all(Array.from({ length: 4 }, () => open(place)))
    expect(await Promise.all(all.map(database => database.revision()))).toEqual([0, 0, 0, 0])
  })

  it('refuses a database that a newer version migrated', async () => {
    const place = await newPlace()
    const database = await open(place)
    await sql`insert into kysely_migration values ('9999-later', '2099-01-01T00:00:00Z')`.execute(
      database.kysely,
    )
    await expect(openDatabase(place)).rejects.toMatchObject({
      code: 'database.newer',
      why: expect.stringContaining('9999-later'),
    })
  })

  it('appends rows by a connection of its own, each key once, all of them or none', async () => {
    const database = await open()
    const columns = ['id', 'principal', 'target', 'action', 'outcome', 'event']
    const appender = await openAppender(database.place, { table: 'audit_events', columns })
    const row = (id: string, action: string | null = 'tools/call') => [
      id,
      null,
      'a "b", {c}\\',
      action,
      'ok',
      '{}',
    ]
    await appender.append([row('a'), row('a'), row('b')])
    await appender.append([row('b'), row('c')])
    await expect(appender.append([row('d'), row('e', null)])).rejects.toThrow()
    await appender.append([])
    expect(await appender.secure()).toBe(true)
    await appender.close()
    const rows = await database.kysely.selectFrom('audit_events').selectAll().orderBy('id').execute()
    expect(rows.map(({ id, principal, target }) => [id, principal, target])).toEqual(
      ['a', 'b', 'c'].map(id => [id, null, 'a "b", {c}\\']),
    )
  })

  it('enforces foreign keys', async () => {
    const database = await open()
    const orphan = database.kysely
      .insertInto('team_members')
      .values({ team_id: 'no', user_id: 'no', given_by: 'hand' })
    await expect(orphan.execute()).rejects.toThrow()
  })
})

describe('openDatabase', () => {
  const newDirectory = directories()

  it('keeps the SQLite file and its directory to the owner', async () => {
    const dataDir = join(newDirectory(), 'new', 'er')
    const database = await openDatabase({ dataDir })
    const mode = (path: string) => statSync(path).mode & 0o777
    expect(mode(dataDir)).toBe(0o700)
    for (const file of ['gatehouse.db', 'gatehouse.db-wal', 'gatehouse.db-shm']) {
      expect(mode(join(dataDir, file))).toBe(0o600)
    }
    await database.close()
  })

  it('says that a file is no database', async () => {
    const dataDir = newDirectory()
    writeFileSync(join(dataDir, 'gatehouse.db'), 'not a database'.repeat(100))
    await expect(openDatabase({ dataDir })).rejects.toMatchObject({ code: 'database.unavailable' })
  })

  it('says that PostgreSQL cannot be reached, without the password', async () => {
    const opening = openDatabase({
      dataDir: newDirectory(),
      databaseUrl: 'postgres://me:hush@127.0.0.1:1/gatehouse',
    })
    const error = await opening.catch(thrown => thrown)
    expect(error).toMatchObject({
      code: 'database.unavailable',
      why: expect.stringContaining('ECONNREFUSED'),
    })
    expect(JSON.stringify([error, error.why, error.message])).not.toContain('hush')
  })
})
