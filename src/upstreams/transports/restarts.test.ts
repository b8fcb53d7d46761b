import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openRestarts, type Restarts } from './restarts.ts'

function setUp(chance = 0.5) {
  const time = { now: 0 }
  const clock = { now: () => 1_000_000 + time.now, elapsed: () => time.now }
  return { time, restarts: openRestarts(clock, () => chance) }
}

function crash(restarts: Restarts, time: { now: number }, livedMs = 0): void {
  time.now += restarts.waitMs()
  restarts.starting()
  time.now += livedMs
  restarts.failed()
}

describe('restarts', () => {
  it('wait between half a second and a minute, whatever happened before', () => {
    const lives = fc.array(fc.record({ livedMs: fc.nat(200_000), pauseMs: fc.nat(100_000) }), {
      maxLength: 40,
    })
    fc.assert(
      fc.property(lives, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (all, chance) => {
        const { time, restarts } = setUp(chance)
        for (const { livedMs, pauseMs } of all) {
          crash(restarts, time, livedMs)
          expect(restarts.waitMs()).toBeGreaterThanOrEqual(500)
          expect(restarts.waitMs()).toBeLessThanOrEqual(60_000)
          time.now += pauseMs
        }
      }),
    )
  })

  it('double their waits up to the crash loop, which is tried once a minute', () => {
    const { time, restarts } = setUp(0.9999)
    const waits = Array.from({ length: 7 }, () => {
      crash(restarts, time)
      return Math.round(restarts.waitMs() / 1000)
    })
    expect(waits).toEqual([1, 2, 4, 8, 60, 60, 60])
  })

  it('are spread over half of each wait', () => {
    const waits = [0, 0.5, 0.9999].map(chance => {
      const { time, restarts } = setUp(chance)
      crash(restarts, time)
      return Math.round(restarts.waitMs())
    })
    expect(waits).toEqual([500, 750, 1000])
  })

  it('say when the next may be tried, by the clock on the wall', () => {
    const { time, restarts } = setUp(0)
    expect(restarts.state()).toEqual({ kind: 'ok' })
    crash(restarts, time)
    expect(restarts.state()).toEqual({ kind: 'waiting', until: 1_000_500 })
    time.now += 500
    expect(restarts.waitMs()).toBe(0)
    expect(restarts.state()).toEqual({ kind: 'ok' })
  })

  it('are a crash loop after five quick failures, until a minute of good health', () => {
    const { time, restarts } = setUp()
    for (let i = 0; i < 4; i++) crash(restarts, time, 59_999)
    expect(restarts.state().kind).toBe('waiting')
    crash(restarts, time, 59_999)
    expect(restarts.state().kind).toBe('crash-loop')
    time.now += restarts.waitMs()
    restarts.starting()
    time.now += 59_999
    expect(restarts.state().kind).toBe('crash-loop')
    time.now += 1
    expect(restarts.state()).toEqual({ kind: 'ok' })
  })

  it('begin anew with a failure after good health', () => {
    const { time, restarts } = setUp(0)
    for (let i = 0; i < 9; i++) crash(restarts, time)
    crash(restarts, time, 60_000)
    expect(restarts.state().kind).toBe('waiting')
    expect(restarts.waitMs()).toBe(500)
  })

  it('never call a server healthy that has not lived a minute', () => {
    const lives = fc.array(fc.nat(59_999), { minLength: 5, maxLength: 30 })
    fc.assert(
      fc.property(lives, all => {
        const { time, restarts } = setUp()
        for (const livedMs of all) crash(restarts, time, livedMs)
        expect(restarts.state().kind).toBe('crash-loop')
      }),
    )
  })
})
