import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { followRevision } from './follow-revision.ts'
import { silentLog } from './foundation/log.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A database of which only the revision is asked, and what came of it. */
function follow() {
  const state = { revision: 7, isReachable: true }
  const told: string[] = []
  const stop = followRevision({
    database: {
      revision: async () => (state.isReachable ? state.revision : Promise.reject(new Error('gone'))),
    },
    log: silentLog,
    refresh: async () => told.push('refresh'),
    async distrust() {
      told.push('distrust')
      if (!state.isReachable) throw new Error('gone too')
    },
  })
  return { state, told, stop }
}

it('refreshes at its first look, for something may have changed while the gateway started', async () => {
  const { told, stop } = follow()
  await vi.advanceTimersByTimeAsync(1000)
  expect(told).toEqual(['refresh'])
  stop()
})

it('refreshes within a second of every change, and only then', async () => {
  const { state, told, stop } = follow()
  await vi.advanceTimersByTimeAsync(5000)
  state.revision++
  await vi.advanceTimersByTimeAsync(5000)
  expect(told).toEqual(['refresh', 'refresh'])
  stop()
})

it('trusts nothing once the database has been silent for long', async () => {
  const { state, told, stop } = follow()
  await vi.advanceTimersByTimeAsync(1000)
  state.isReachable = false
  await vi.advanceTimersByTimeAsync(3000)
  expect(told).toEqual(['refresh'])
  await vi.advanceTimersByTimeAsync(3000)
  expect(told).toContain('distrust')
  state.isReachable = true
  state.revision++
  await vi.advanceTimersByTimeAsync(1000)
  expect(told.at(-1)).toBe('refresh')
  stop()
})
