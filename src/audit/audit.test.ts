import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterEach, expect, it } from 'vitest'
import { callerWith, toolCall } from '../../test/fixtures/audit-event.ts'
import { onEachDatabase } from '../../test/fixtures/databases.ts'
import type { Database } from '../database/index.ts'
import { newId } from '../foundation/id.ts'
import { silentLog } from '../foundation/log.ts'
import { type Audit, openAudit } from './index.ts'

const admin = callerWith()
const ana = callerWith({ id: 'ana-id', name: 'ana@example.com', role: 'member' })
const query = { limit: 50 }

onEachDatabase((open, _name, newPlace) => {
  const audits: Audit[] = []
  afterEach(async () => {
    for (const audit of audits.splice(0)) await audit.close()
  })
  async function opened(database: Database, dataDir: string): Promise<Audit> {
    const audit = await openAudit({ database, dataDir, log: silentLog, sync: false })
    audits.push(audit)
    return audit
  }
  async function fresh() {
    const place = await newPlace()
    const database = await open(place)
    return { ...place, database, audit: await opened(database, place.dataDir) }
  }
  const idsIn = async (database: Database) => {
    const rows = await database.kysely.selectFrom('audit_events').select('id').orderBy('id').execute()
    return rows.map(row => row.id)
  }
  const spoolFiles = (dataDir: string) =>
    readdirSync(join(dataDir, 'spool')).filter(name => name.endsWith('.ndjson'))
  /** What a gateway that was killed leaves behind. */
  function leave(dataDir: string, text: string, run = 'earlier') {
    mkdirSync(join(dataDir, 'spool'), { recursive: true })
    writeFileSync(join(dataDir, 'spool', `1790000000000-${run}.ndjson`), text)
  }

  it('finds a call just made, exactly as it was recorded, with what it is searched by', async () => {
    const { audit, database } = await fresh()
    const event = toolCall()
    await audit.recorded(event)
    expect(await audit.search(admin, query)).toEqual({ items: [event] })
    expect(await database.kysely.selectFrom('audit_events').selectAll().execute()).toEqual([
      {
        id: event.id,
        principal: 'user:ana@example.com',
        target: 'engineering/files',
        action: 'tools/call',
        outcome: 'ok',
        event: JSON.stringify(event),
        principal_id: 'ana-id',
        subject: 'read_text_file',
      },
    ])
  })

  it('ships by itself, without anybody asking', async () => {
    const { audit, database } = await fresh()
    await audit.recorded(toolCall({ id: newId() }))
    await expect.poll(() => idsIn(database)).toHaveLength(1)
    await expect
      .poll(() => audit.health())
      .toEqual({ writing: undefined, shipping: undefined, waitingBytes: 0 })
  })

  it('stores text no database likes: NUL, lone surrogates, quotes, and names without end', async () => {
    const { audit } = await fresh()
    const nasty = `\0 \ud800 '"\\ \u2028 ${'x'.repeat(10_000)}`
    const event = toolCall({ action: nasty, target: nasty, subject: nasty, detail: { [nasty]: [nasty] } })
    await audit.recorded(event)
    await audit.recorded(toolCall())
    const { items } = await audit.search(admin, query)
    expect(items).toContainEqual(event)
    expect(items).toHaveLength(2)
    expect((await audit.search(admin, { ...query, action: nasty })).items).toEqual([event])
  })

  it('keeps events while the database is down, says so, and ships them when it is back', async () => {
    const { audit, database } = await fresh()
    await sql`alter table audit_events rename to away`.execute(database.kysely)
    const events = Array.from({ length: 500 }, () => toolCall())
    await Promise.all(events.map(event => audit.recorded(event)))
    await expect(audit.flush()).rejects.toThrow('audit_events')
    expect(audit.health().shipping).toContain('audit_events')
    expect(audit.health().waitingBytes).toBeGreaterThan(100_000)
    await sql`alter table away rename to audit_events`.execute(database.kysely)
    await expect.poll(() => audit.health()).toMatchObject({ waitingBytes: 0, shipping: undefined })
    expect(await idsIn(database)).toEqual(events.map(event => event.id).sort())
  })

  it('leaves what the database does not take to the next start', async () => {
    const { audit, database, dataDir } = await fresh()
    const event = toolCall()
    await audit.recorded(event)
    await sql`alter table audit_events rename to away`.execute(database.kysely)
    await audit.close()
    expect(spoolFiles(dataDir)).toHaveLength(1)
    await sql`alter table away rename to audit_events`.execute(database.kysely)
    const next = await opened(database, dataDir)
    expect((await next.search(admin, query)).items).toEqual([event])
    expect(spoolFiles(dataDir)).toEqual([])
  })

  it('ships leftovers once, drops the torn end and the damaged line, and removes the files', async () => {
    const place = await newPlace()
    const database = await open(place)
    const [shipped, waiting] = [toolCall(), toolCall()]
    const line = (event: object) => `${JSON.stringify(event)}\n`
    leave(place.dataDir, line(shipped))
    await (await opened(database, place.dataDir)).close()
    leave(place.dataDir, `${line(shipped)}${'\0'.repeat(40)}\n{"id":1}\n${line(waiting)}{"id":"torn`)
    leave(place.dataDir, '', 'empty')
    const audit = await opened(database, place.dataDir)
    await audit.flush()
    expect(await idsIn(database)).toEqual([shipped.id, waiting.id].sort())
    expect(spoolFiles(place.dataDir)).toEqual([])
    await audit.close()
    expect(readdirSync(join(place.dataDir, 'spool'))).toEqual([])
  })

  it('never touches the files of another gateway that lives, and takes them over once it does not', async () => {
    const { audit, database, dataDir } = await fresh()
    await sql`alter table audit_events rename to away`.execute(database.kysely)
    const event = toolCall()
    await audit.recorded(event)
    await sql`alter table away rename to audit_events`.execute(database.kysely)
    const [file = ''] = spoolFiles(dataDir)
    const other = await opened(database, dataDir)
    await other.flush()
    expect(existsSync(join(dataDir, 'spool', file))).toBe(true)
    const late = toolCall()
    await audit.recorded(late)
    expect(readFileSync(join(dataDir, 'spool', file), 'utf8')).toContain(late.id)
    await audit.close()
    await other.recorded(toolCall())
    expect((await other.search(admin, query)).items).toHaveLength(3)
  })

  it('lets gateways with a spool of their own share one database', async () => {
    const place = await newPlace()
    const databases = [await open(place), await open(place)]
    const dataDirs = [place.dataDir, (await newPlace()).dataDir]
    const two = await Promise.all(databases.map((database, i) => opened(database, dataDirs[i] ?? '')))
    const events = Array.from({ length: 600 }, () => toolCall())
    await Promise.all(events.map((event, i) => two[i % 2]?.recorded(event)))
    await Promise.all(two.map(audit => audit.flush()))
    expect(await idsIn(databases[0] as Database)).toEqual(events.map(event => event.id).sort())
  })

  it('goes on when a spool file was taken away by hand', async () => {
    const place = await newPlace()
    const database = await open(place)
    await sql`alter table audit_events rename to away`.execute(database.kysely)
    leave(place.dataDir, `${JSON.stringify(toolCall())}\n`)
    const audit = await opened(database, place.dataDir)
    await expect(audit.flush()).rejects.toThrow('audit_events')
    for (const file of spoolFiles(place.dataDir)) rmSync(join(place.dataDir, 'spool', file))
    await sql`alter table away rename to audit_events`.execute(database.kysely)
    const event = toolCall()
    await audit.recorded(event)
    expect((await audit.search(admin, query)).items).toEqual([event])
  })

  it('filters, newest first, and pages back with the id it names', async () => {
    const { audit } = await fresh()
    const day = Date.UTC(2026, 8, 1)
    const events = Array.from({ length: 6 }, (_, i) =>
      toolCall({
        at: day + i * 1000,
        target: i % 2 ? 'engineering/files' : 'sales/crm',
        action: i < 3 ? 'tools/call' : 'tools/list',
        outcome: i === 4 ? 'denied' : 'ok',
        who: { ...toolCall().who, name: i === 5 ? 'bo@example.com' : 'ana@example.com' },
      }),
    )
    for (const event of events) await audit.recorded(event)
    const found = async (filter: object) => {
      const { items } = await audit.search(admin, { ...query, ...filter })
      return items.map(item => events.findIndex(event => event.id === item.id))
    }
    expect(await found({})).toEqual([5, 4, 3, 2, 1, 0])
    expect(await found({ target: 'sales/crm' })).toEqual([4, 2, 0])
    expect(await found({ action: 'tools/list', outcome: 'ok' })).toEqual([5, 3])
    expect(await found({ principal: 'user:bo@example.com' })).toEqual([5])
    expect(await found({ since: day + 3000 })).toEqual([5, 4, 3])
    const page = await audit.search(admin, { limit: 4 })
    expect(page.next).toBe(events[2]?.id)
    expect(await found({ before: page.next })).toEqual([1, 0])
  })

  it('shows members their own events only, even when a name had another owner before', async () => {
    const { audit } = await fresh()
    const mine = toolCall()
    const before = toolCall({ who: { ...mine.who, id: 'another-ana' } })
    const other = toolCall({ who: { ...mine.who, id: 'bo-id', name: 'bo@example.com' } })
    for (const event of [mine, before, other]) await audit.recorded(event)
    expect((await audit.search(ana, query)).items).toEqual([mine])
    expect((await audit.search(ana, { ...query, principal: 'user:ana@example.com' })).items).toEqual([mine])
    expect(await audit.search(ana, { ...query, principal: 'user:bo@example.com' })).toEqual({
      items: [],
      why: 'You may see only your own events; ask an auditor or admin for those of others.',
    })
    expect((await audit.search({ ...ana, role: 'auditor' }, query)).items).toHaveLength(3)
  })

  it('says why there is nothing', async () => {
    const { audit } = await fresh()
    const why = async (caller: typeof admin, filter: object) =>
      (await audit.search(caller, { ...query, ...filter })).why
    expect(await why(admin, {})).toBe('No event has been recorded yet.')
    expect(await why(ana, {})).toBe('No event of yours has been recorded yet.')
    expect(await why(admin, { target: 'a/b', since: 0 })).toBe('No event matches all of: target, since.')
  })

  it('answers GET /api/v1/audit', async () => {
    const { audit } = await fresh()
    const event = toolCall()
    await audit.recorded(event)
    const [route] = audit.routes
    expect(route).toMatchObject({ method: 'GET', path: '/api/v1/audit', entry: 'signed-in' })
    const ask = (asked: object) =>
      route?.act({
        caller: admin,
        params: undefined,
        body: undefined,
        requestId: 'r',
        query: route.query?.parse(asked),
      })
    expect(route?.answer?.parse(await ask({}))).toEqual({ items: [event] })
    expect(await ask({ since: '2999-01-01T00:00:00Z' })).toMatchObject({ items: [] })
    expect(await ask({ since: '1969-01-01T00:00:00+01:00', limit: '1' })).toMatchObject({ items: [event] })
    for (const wrong of [
      { limit: 0 },
      { limit: 501 },
      { since: 'today' },
      { outcome: 'good' },
      { targt: 'x' },
    ]) {
      expect(() => route?.query?.parse(wrong)).toThrow()
    }
  })
})
