import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { afterRest, isWorthReading, type Known, unread } from './known-server.ts'

const known = (more: Partial<Known> = {}): Known => ({
  ...unread({ catalogueItems: 10, cataloguePages: 10 }),
  ...more,
})

describe('a server that says that it changed', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('is read at once when it had its rest', async () => {
    const read = vi.fn()
    afterRest(known(), 10_000, read)
    await vi.advanceTimersByTimeAsync(0)
    expect(read).toHaveBeenCalledOnce()
  })

  it('is read once for all that it says while it rests, and the last word counts', async () => {
    const read = vi.fn()
    const server = known({ took: 50 })
    for (const rested of [10, 20, 30]) afterRest(server, rested, read)
    await vi.advanceTimersByTimeAsync(400)
    expect(read).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(100)
    expect(read).toHaveBeenCalledOnce()
    afterRest(server, 0, read)
    await vi.advanceTimersByTimeAsync(500)
    expect(read).toHaveBeenCalledTimes(2)
  })

  it('is read after the reading under way, which may have seen less', async () => {
    const read = vi.fn()
    const reading = Promise.withResolvers<never>()
    afterRest(known({ syncing: reading.promise }), 10_000, read)
    await vi.advanceTimersByTimeAsync(1000)
    expect(read).not.toHaveBeenCalled()
    reading.reject(new Error('it failed'))
    await vi.advanceTimersByTimeAsync(0)
    expect(read).toHaveBeenCalledOnce()
  })

  it('waits two seconds and no longer, however long readings take or when they fail', async () => {
    const read = vi.fn()
    afterRest(known({ took: Number.POSITIVE_INFINITY }), 0, read)
    await vi.advanceTimersByTimeAsync(1900)
    expect(read).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(200)
    expect(read).toHaveBeenCalledOnce()
  })
})

describe('a server of which nothing is heard', () => {
  const facts = { serverId: 's', eras: [], erasUntil: 1e9, checkedAt: 1000, warnings: [], serverName: 's' }
  const times = { now: 2000, rested: 16_000, age: 300_000 }

  it('is read again when its reading is old, or when it could not be read and may be back', () => {
    expect(isWorthReading(known({ facts }), times)).toBe(false)
    expect(isWorthReading(known({ facts, trouble: 'Gone.' }), times)).toBe(true)
    expect(isWorthReading(known({ facts, trouble: 'Gone.' }), { ...times, rested: 14_000 })).toBe(false)
    expect(isWorthReading(known({ facts }), { now: 302_000, rested: 302_000, age: 300_000 })).toBe(true)
  })
})
