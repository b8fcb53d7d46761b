import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { expect, it } from 'vitest'
import { openAudit } from '../../src/audit/index.ts'
import { openDatabase } from '../../src/database/index.ts'
import { silentLog } from '../../src/foundation/log.ts'
import { ROOT } from '../fixtures/process.ts'

const rounds = 50
const longestLifeMilliseconds = 120

/** Lets a process record until it is killed in the middle of it, and returns the ids it had been acknowledged. */
async function recordUntilKilled(dataDir: string): Promise<string[]> {
  const child = spawn(process.execPath, [join(ROOT, 'test/journeys/kill-9.child.ts'), dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let printed = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text
  })
  const closed = once(child, 'close')
  await Promise.race([once(child.stdout, 'data'), closed])
  await sleep(Math.random() * longestLifeMilliseconds)
  child.kill('SIGKILL')
  const [, signal] = await closed
  expect(signal).toBe('SIGKILL')
  // The last line may be torn: then nobody was told.
  return printed.split('\n').slice(0, -1)
}

/** Starts once more, as an operator would, and returns how often each id is stored. */
async function storedAfterRestart(dataDir: string): Promise<Map<string, number>> {
  const database = await openDatabase({ dataDir })
  const audit = await openAudit({ database, dataDir, log: silentLog, sync: false })
  await audit.flush()
  const checked = await sql<{ integrity_check: string }>`pragma integrity_check`.execute(database.kysely)
  expect(checked.rows).toEqual([{ integrity_check: 'ok' }])
  const rows = await database.kysely.selectFrom('audit_events').select('id').execute()
  await audit.close()
  await database.close()
  expect(readdirSync(join(dataDir, 'spool'))).toEqual([])
  const stored = new Map<string, number>()
  for (const { id } of rows) stored.set(id, (stored.get(id) ?? 0) + 1)
  return stored
}

it(`loses no acknowledged event and doubles none in ${rounds} kills`, { timeout: 300_000 }, async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'gatehouse-kill-'))
  const acknowledged: string[] = []
  for (let round = 0; round < rounds; round++) {
    acknowledged.push(...(await recordUntilKilled(dataDir)))
    // Every other time the next victim finds what this one left.
    if (round % 2 === 0) continue
    const stored = await storedAfterRestart(dataDir)
    expect(acknowledged.filter(id => stored.get(id) !== 1)).toEqual([])
    expect([...stored.values()].every(times => times === 1)).toBe(true)
  }
  expect(acknowledged.length).toBeGreaterThan(rounds)
  rmSync(dataDir, { recursive: true })
})
