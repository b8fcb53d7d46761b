/** The law of the audit: whatever happens between them, an event that was acknowledged is stored once, and none twice. */
import { appendFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { toolCall } from '../../test/fixtures/audit-event.ts'
import { type Appender, type Database, openAppender, openDatabase } from '../database/index.ts'
import { newId } from '../foundation/id.ts'
import { silentLog } from '../foundation/log.ts'
import { tryLock } from './lock.ts'
import { Shipping } from './ship.ts'
import { Spool } from './spool.ts'
import { auditTarget } from './table.ts'

type Weather = 'fine' | 'refuses' | 'stores and then fails'

/** Spool and shipping in one thread, with bounds so small that every path is taken, and a plug to pull. */
class Run {
  readonly acknowledged: string[] = []
  readonly spool: Spool
  readonly #directory: string
  readonly #shipping: Shipping
  readonly #run = newId()
  readonly #lock
  weather: Weather = 'fine'
  #isPulled = false

  constructor(directory: string, database: Database) {
    this.#directory = directory
    const [run, log] = [this.#run, silentLog]
    this.#lock = tryLock(join(directory, `${run}.lock`))
    const open = async () => this.#inWeather(await openAppender(database.place, auditTarget))
    const report = () => undefined
    this.#shipping = new Shipping({ directory, run, pieceBytes: 1500, open, report, log })
    const changed = this.#tell
    this.spool = new Spool({ directory, run, sync: false, segmentBytes: 3000, changed, log })
    this.#shipping.adopt()
  }

  readonly #tell = ({ path, size, isFinished }: { path: string; size: number; isFinished: boolean }) =>
    this.#shipping.tell([{ path, size, isFinished }])

  #inWeather(appender: Appender): Appender {
    return {
      append: async rows => {
        if (this.#isPulled || this.weather === 'refuses') throw new Error('down')
        await appender.append(rows)
        if (this.#isPulled || this.weather !== 'fine') throw new Error('cut off')
      },
      secure: async () => !this.#isPulled && this.weather === 'fine' && appender.secure(),
      close: appender.close,
    }
  }

  async pull(): Promise<void> {
    this.#isPulled = true
    await this.#shipping.close()
    this.#lock?.release()
  }

  record(): void {
    const id = newId()
    this.spool.record(toolCall({ id }), error => {
      if (error === undefined && !this.#isPulled) this.acknowledged.push(id)
    })
  }

  ship(): Promise<unknown> {
    return this.#shipping.flush().catch(() => undefined)
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
        await run.pull()
        return begin()
      case 'kill':
        run.tear()
        await run.pull()
        return begin()
      case 'restart':
        await run.spool.close()
        await run.ship()
        await run.pull()
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
        await run.pull()
        const last = begin()
        await last.ship()
        const rows = await database.kysely.selectFrom('audit_events').select('id').execute()
        const stored = rows.map(row => row.id)
        expect(new Set(stored).size).toBe(stored.length)
        for (const { acknowledged } of runs) for (const id of acknowledged) expect(stored).toContain(id)
        expect(readdirSync(directory).filter(name => name.endsWith('.ndjson'))).toEqual([])
        await last.pull()
        await database.kysely.deleteFrom('audit_events').execute()
      }),
      { numRuns: 200 },
    )
  })
})
