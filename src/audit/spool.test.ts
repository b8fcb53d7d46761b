import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { toolCall } from '../../test/fixtures/audit-event.ts'
import { silentLog } from '../foundation/log.ts'
import type { Segment } from './segment.ts'
import { Spool } from './spool.ts'

type Files = typeof import('node:fs')

/** What the disk does instead of what it is asked; undefined lets it work. */
const disk = vi.hoisted(() => ({
  open: undefined as (() => never) | undefined,
  write: undefined as ((real: Files['writeSync'], file: number, text: string) => number) | undefined,
  truncate: undefined as (() => never) | undefined,
  syncError: undefined as Error | undefined,
  syncs: 0,
}))

vi.mock('node:fs', async load => {
  const real = await load<Files>()
  return {
    ...real,
    openSync: (...of: Parameters<Files['openSync']>) => disk.open?.() ?? real.openSync(...of),
    writeSync: (file: number, text: string) =>
      disk.write?.(real.writeSync, file, text) ?? real.writeSync(file, text),
    ftruncateSync: (...of: Parameters<Files['ftruncateSync']>) =>
      disk.truncate?.() ?? real.ftruncateSync(...of),
    fdatasync: (file: number, done: (error: Error | null) => void) => {
      disk.syncs++
      if (disk.syncError) setImmediate(done, disk.syncError)
      else real.fdatasync(file, done)
    },
  }
})

const failing = (code: string) => (): never => {
  throw Object.assign(new Error(`${code}: the disk says no`), { code })
}
const writesHalf = (real: Files['writeSync'], file: number, text: string) =>
  real(file, text.slice(0, text.length / 2))

describe('the spool', () => {
  let directory: string
  /** Bytes of each write that was kept. */
  let kept: number[]
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'gatehouse-spool-'))
    kept = []
  })
  afterEach(() => {
    Object.assign(disk, {
      open: undefined,
      write: undefined,
      truncate: undefined,
      syncError: undefined,
      syncs: 0,
    })
    rmSync(directory, { recursive: true })
  })

  const changed = (_: Segment, bytes: number) => {
    if (bytes > 0) kept.push(bytes)
  }
  const openSpool = ({ sync = false, segmentBytes = 1_000_000 } = {}) =>
    new Spool({ directory, run: 'run', sync, segmentBytes, changed, log: silentLog })
  const record = (spool: Spool, id: string) =>
    new Promise<Error | undefined>(resolve => spool.record(toolCall({ id }), resolve))
  const files = () => readdirSync(directory).map(name => readFileSync(join(directory, name), 'utf8'))
  const idsOnDisk = () =>
    files().flatMap(text => text.split('\n').flatMap(line => (line === '' ? [] : [JSON.parse(line).id])))

  it('answers only once the event is in the file, and writes all events of a turn at once', async () => {
    const spool = openSpool()
    let answered = 0
    for (const id of ['a', 'b', 'c']) spool.record(toolCall({ id }), () => answered++)
    expect([answered, idsOnDisk()]).toEqual([0, []])
    await spool.settled()
    expect([answered, idsOnDisk(), kept]).toEqual([3, ['a', 'b', 'c'], [files().join('').length]])
    await spool.close()
  })

  it('keeps its files to the owner and begins a new one when one is full', async () => {
    const spool = openSpool({ segmentBytes: 1 })
    for (const id of ['a', 'b', 'c']) await record(spool, id)
    await spool.close()
    const names = readdirSync(directory)
    expect(names).toHaveLength(3)
    for (const name of names) {
      expect(name).toMatch(/^\d{13}-run\.ndjson$/)
      expect(statSync(join(directory, name)).mode & 0o777).toBe(0o600)
    }
    expect(idsOnDisk()).toEqual(['a', 'b', 'c'])
  })

  it('goes on answering the others when a caller throws', async () => {
    const spool = openSpool()
    spool.record(toolCall(), () => {
      throw new Error('not my day')
    })
    expect(await record(spool, 'b')).toBeUndefined()
    await spool.close()
  })

  it('refuses what comes after it was closed', async () => {
    const spool = openSpool()
    await spool.close()
    expect(await record(spool, 'late')).toMatchObject({ code: 'audit.unavailable' })
  })

  for (const [what, breakDisk] of [
    ['is full', () => Object.assign(disk, { write: failing('ENOSPC') })],
    ['takes only a part', () => Object.assign(disk, { write: writesHalf })],
    ['cannot even be cut back', () => Object.assign(disk, { write: writesHalf, truncate: failing('EIO') })],
    ['lost the file', () => Object.assign(disk, { write: failing('EBADF'), truncate: failing('EBADF') })],
  ] as const) {
    it(`refuses while the disk ${what}, loses nothing, and recovers by itself`, async () => {
      const spool = openSpool()
      expect(await record(spool, 'before')).toBeUndefined()
      breakDisk()
      for (const id of ['refused-1', 'refused-2']) {
        expect(await record(spool, id)).toMatchObject({ code: 'audit.unavailable' })
      }
      expect(spool.problem).toBeTypeOf('string')
      Object.assign(disk, { write: undefined, truncate: undefined })
      expect(await record(spool, 'after')).toBeUndefined()
      expect(spool.problem).toBeUndefined()
      await spool.close()
      expect(kept).toHaveLength(2)
      for (const text of files()) for (const line of text.split('\n').slice(0, -1)) JSON.parse(line)
      expect(files().join('')).toMatch(/"before".*"after"/s)
    })
  }

  it('refuses while no file can be made, and leaves none behind', async () => {
    const spool = openSpool()
    disk.open = failing('EROFS')
    expect(await record(spool, 'refused')).toMatchObject({ code: 'audit.unavailable' })
    disk.open = undefined
    Object.assign(disk, { write: failing('EIO'), truncate: failing('EIO') })
    for (const id of ['x', 'y']) expect(await record(spool, id)).toMatchObject({ code: 'audit.unavailable' })
    expect(readdirSync(directory)).toEqual([])
    Object.assign(disk, { write: undefined, truncate: undefined })
    expect(await record(spool, 'after')).toBeUndefined()
    await spool.close()
    expect(idsOnDisk()).toEqual(['after'])
  })

  it('with sync, has each batch on the disk before it answers, and what comes meanwhile shares the next', async () => {
    const spool = openSpool({ sync: true })
    const first = record(spool, 'a')
    await nextTurn()
    const later = ['b', 'c'].map(id => record(spool, id))
    expect(kept).toEqual([])
    expect(await Promise.all([first, ...later])).toEqual([undefined, undefined, undefined])
    expect([disk.syncs, kept.length, idsOnDisk()]).toEqual([2, 2, ['a', 'b', 'c']])
    await spool.close()
  })

  it('with sync, takes back what did not reach the disk', async () => {
    const spool = openSpool({ sync: true })
    disk.syncError = new Error('EIO')
    expect(await record(spool, 'refused')).toMatchObject({ code: 'audit.unavailable' })
    disk.syncError = undefined
    expect(await record(spool, 'after')).toBeUndefined()
    await spool.close()
    expect(idsOnDisk()).toEqual(['after'])
  })
})
