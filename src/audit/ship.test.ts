/** The law of the audit: whatever happens between them, an event that was acknowledged is stored once, and none twice. */
import { appendFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { toolCall } from '../../test/fixtures/audit-event.ts'
import { type Database, openDatabase } from '../database/index.ts'
import { newId } from '../foundation/id.ts'
import { silentLog } from '../foundation/log.ts'
import { Backlog } from './backlog.ts'
import { Leftovers } from './leftovers.ts'
import { tryLock } from './lock.ts'
import { Shipper } from './ship.ts'
import { Spool } from './spool.ts'
import { insertEvents } from './table.ts'

type Weather = 'fine' | 'refuses' | 'stores and then fails'

/** The rooms' parts as `openAudit` joins them, with bounds so small that every path is taken, and a plug to pull. */
class Run {
  readonly acknowledged: string[] = []
  readonly spool: Spool
  readonly #directory: string
  readonly #backlog: Backlog
  readonly #shipper: Shipper
  readonly #leftovers: Leftovers
  readonly #run = newId()
  readonly #lock
  weather: Weather = 'fine'
  readonly #isPulled: () => boolean

  constructor(directory: string, database: Database) {
    let isPulled = false
    this.#isPulled = () => isPulled
    this.#directory = directory
    this.#lock = tryLock(join(directory, `${this.#run}.lock`))
    this.#backlog = new Backlog({ pieceEvents: 3, pieceBytes: 1500, memoryBytes: 4000 }, silentLog)
    const insert = async (batch: Parameters<typeof insertEvents>[1]) => {
      if (isPulled || this.weather === 'refuses') throw new Error('down')
      await insertEvents(database, batch)
      if (isPulled || this.weather !== 'fine') throw new Error('cut off')
    }
    this.#shipper = new Shipper({ backlog: this.#backlog, insert, log: silentLog })
    this.spool = new Spool({
      directory,
      run: this.#run,
      sync: false,
      segmentBytes: 3000,
      accept: (batch, segment, bytes) => this.#shipper.notice(this.#backlog.add(segment, bytes, batch)),
      finished: segment => this.#backlog.finished(segment),
      log: silentLog,
    })
    this.#leftovers = new Leftovers({ directory, backlog: this.#backlog, log: silentLog })
    this.#leftovers.adopt()
    this.pull = () => {
      isPulled = true
      this.#shipper.close()
      this.#leftovers.close()
      this.#lock?.release()
    }
  }

  readonly pull: () => void

  record(): void {
    const id = newId()
    this.spool.record(toolCall({ id }), error => {
      if (error === undefined && !this.#isPulled()) this.acknowledged.push(id)
    })
  }

  ship(): Promise<unknown> {
    return this.#shipper.flush().catch(() => undefined)
  }

  /** Half a line, as a write that the kill interrupted leaves it. */
  tear(): void {
    const last = readdirSync(this.#directory).findLast(name => name.endsWith(`-${this.#run}.ndjson`))
    if (last !== undefined) appendFileSync(join(this.#directory, last), '{"id":"torn","at":1,"who')
  }
}

type Step =
  | { do: 'record'; events: number }
  | { do: 'turn' | 'ship' | 'kill' | 'kill while shipping' | 'restart' }
  | { do: 'weather'; weather: Weather }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('record' as const), events: fc.integer({ min: 1, max: 12 }) }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('turn' as const, 'ship' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('kill' as const, 'kill while shipping' as const, 'restart' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('weather' as const),
      weather: fc.constantFrom<Weather>('fine', 'refuses', 'stores and then fails'),
    }),
  },
)

describe('record, ship, kill and restart in any order', () => {
  let dataDir: string
  let database: Database
  beforeAll(async () => {
    dataDir = mkdtempSync(join(tmpdir(), 'gatehouse-law-'))
    database = await openDatabase({ dataDir })
  })
  afterAll(async () => {
    await database.close()
    rmSync(dataDir, { recursive: true })
  })

  async function take(run: Run, next: Step, begin: () => Run): Promise<Run> {
    switch (next.do) {
      case 'record':
        for (let i = 0; i < next.events; i++) run.record()
        return run
      case 'turn':
        await nextTurn()
        return run
      case 'ship':
        await run.ship()
        return run
      case 'weather':
        run.weather = next.weather
        return run
      case 'kill while shipping':
        void run.ship()
        await Promise.resolve()
        run.tear()
        run.pull()
        return begin()
      case 'kill':
        run.tear()
        run.pull()
        return begin()
      case 'restart':
        await run.spool.close()
        await run.ship()
        run.pull()
        return begin()
    }
  }

  it('stores every acknowledged event once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async steps => {
        const directory = mkdtempSync(join(dataDir, 'spool-'))
        const runs: Run[] = []
        const begin = () => {
          const run = new Run(directory, database)
          runs.push(run)
          return run
        }
        let run = begin()
        for (const next of steps) run = await take(run, next, begin)
        await run.spool.close()
        run.pull()
        const last = begin()
        await last.ship()
        const rows = await database.kysely.selectFrom('audit_events').select('id').execute()
        const stored = rows.map(row => row.id)
        expect(new Set(stored).size).toBe(stored.length)
        for (const { acknowledged } of runs) for (const id of acknowledged) expect(stored).toContain(id)
        expect(readdirSync(directory).filter(name => name.endsWith('.ndjson'))).toEqual([])
        last.pull()
        await database.kysely.deleteFrom('audit_events').execute()
      }),
      { numRuns: 200 },
    )
  })
})
