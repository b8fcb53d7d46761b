import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { toolCall } from '../../test/fixtures/audit-event.ts'
import { type Database, openDatabase } from '../database/index.ts'
import { silentLog } from '../foundation/log.ts'
import { type Audit, openAudit } from './index.ts'

/** Every thread that was started. */
const threads = vi.hoisted(() => [] as Worker[])

vi.mock('node:worker_threads', async load => {
  const real = await load<typeof import('node:worker_threads')>()
  return {
    ...real,
    Worker: class extends real.Worker {
      constructor(...of: ConstructorParameters<typeof real.Worker>) {
        super(...of)
        threads.push(this)
      }
    },
  }
})

describe('the thread that ships', () => {
  let dataDir: string
  let database: Database
  let audit: Audit
  const idsIn = async () => {
    const rows = await database.kysely.selectFrom('audit_events').select('id').orderBy('id').execute()
    return rows.map(row => row.id)
  }
  const recordSome = async (count: number) => {
    const events = Array.from({ length: count }, () => toolCall())
    await Promise.all(events.map(event => audit.recorded(event)))
    return events.map(event => event.id)
  }
  beforeEach(async () => {
    threads.length = 0
    dataDir = mkdtempSync(join(tmpdir(), 'gatehouse-shipper-'))
    database = await openDatabase({ dataDir })
    audit = await openAudit({ database, dataDir, log: silentLog, sync: false })
  })
  afterEach(async () => {
    await audit.close()
    await database.close()
    rmSync(dataDir, { recursive: true })
  })

  it('is not started for a short life, whose events are in the database all the same', async () => {
    // However slow the machine is, the moment for the thread does not come.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const ids = await recordSome(3)
    await audit.close()
    expect(threads).toEqual([])
    expect(await idsIn()).toEqual(ids.sort())
  })

  it('is not asked when nothing was recorded', async () => {
    await audit.flush()
    expect(threads).toEqual([])
  })

  it('is replaced when it dies, and nothing is lost or stored twice', async () => {
    const ids = await recordSome(1000)
    await audit.flush()
    await threads[0]?.terminate()
    ids.push(...(await recordSome(1000)))
    await expect.poll(() => audit.health().waitingBytes).toBe(0)
    expect(threads).toHaveLength(2)
    expect(await idsIn()).toEqual(ids.sort())
  })

  it('is missed by whoever waits for it when it dies, and replaced when asked again', async () => {
    const ids = await recordSome(2000)
    let ending: Promise<unknown> | undefined
    // While this transaction writes the thread cannot, and is not done before it dies.
    await database.change(async tx => {
      await tx.insertInto('teams').values({ id: 'a', name: 'a', created_at: 1 }).execute()
      const missed = expect(audit.flush()).rejects.toThrow('stopped')
      await nextTurn()
      ending = Promise.all([missed, threads[0]?.terminate()])
    })
    await ending
    await audit.flush()
    expect(threads).toHaveLength(2)
    expect(await idsIn()).toEqual(ids.sort())
  })

  it('is waited for by close', async () => {
    const ids = await recordSome(2000)
    await audit.flush()
    ids.push(...(await recordSome(2000)))
    await audit.close()
    expect(threads).toHaveLength(1)
    expect(await idsIn()).toEqual(ids.sort())
  })

  it('lets changes of the configuration in between while much is shipped', async () => {
    const ids = await recordSome(5000)
    const flushed = audit.flush()
    let changes = 0
    const team = (name: string) => ({ id: name, name, created_at: 1 })
    let isFlushed = false
    void flushed.then(() => {
      isFlushed = true
    })
    while (!isFlushed) {
      const name = `team-${changes++}`
      await database.change(tx => tx.insertInto('teams').values(team(name)).execute())
      // SQLite answers at once, so only this lets messages in.
      await nextTurn()
    }
    await flushed
    expect(await database.revision()).toBe(changes)
    expect(await idsIn()).toHaveLength(ids.length)
  })
})
