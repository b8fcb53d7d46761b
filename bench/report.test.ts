import { describe, expect, it } from 'vitest'
import type { Window } from './load.ts'
import { reportOf, summaryLine, tableOf } from './report.ts'
import { type Round, rotated } from './rounds.ts'

const window = (cpuMicrosPerCall: number, p99Ms = 1): Window => ({
  calls: 1000,
  failures: 0,
  seconds: 1,
  callsPerSecond: 1000,
  cpuMicrosPerCall,
  cpuShare: 0.5,
  residentBytes: 50e6,
  p50Ms: 0.5,
  p99Ms,
})
const round = (slowness: number): Round => ({
  nginx: { closed: window(10 * slowness) },
  bare: { closed: window(20 * slowness), open: window(20, 1) },
  gateway: { closed: window(40 * slowness), open: window(40, 2.5) },
})
const report = (rounds: Round[]) => reportOf({ shape: 'small', rate: 500, rounds })

describe('reportOf', () => {
  it('compares within rounds and prints one key per shape', () => {
    const line = summaryLine([report([round(1), round(7), round(2)])])
    expect(line).toBe('{"small":{"cpuRatioToNginx":4,"cpuRatioToBareNode":2,"p99AddedMs":1.5}}')
  })
  it('reports a target with failures as failed, never as fast', () => {
    const fast = { ...window(1, 0.1), failures: 3, firstFailure: 'HTTP/1.1 500' }
    const failed = report([{ ...round(1), gateway: { closed: fast, open: fast } }])
    expect(summaryLine([failed])).toBe(
      '{"small":{"cpuRatioToNginx":null,"cpuRatioToBareNode":null,"p99AddedMs":null}}',
    )
    expect(tableOf(failed)).toContain('small: gateway FAILED 6 calls; first: HTTP/1.1 500')
  })
  it('leaves out what was not measured', () => {
    const { nginx, bare } = round(1)
    const others = report([{ ...(nginx && { nginx }), ...(bare && { bare }) }])
    expect(Object.keys(others.targets)).toEqual(['nginx', 'bare'])
    expect(tableOf(others)).not.toContain('gateway')
  })
})

describe('reportOf, with more than the gateway', () => {
  const cell = (cost: number) => ({ closed: window(cost) })
  const more = (slowness: number): Round => ({
    ...round(slowness),
    before: cell(50 * slowness),
    session: cell(60 * slowness),
    'stateless-over-session': cell(80 * slowness),
    'session-over-stateless': cell(90 * slowness),
  })

  it('sets the gateway against another version, and the cells against the gateway, within rounds', () => {
    const { comparison } = report([more(1), more(7), more(2)])
    expect(comparison.cpuRatioToBefore).toBe(0.8)
    expect(comparison.cells).toEqual({
      session: 1.5,
      'stateless-over-session': 2,
      'session-over-stateless': 2.25,
    })
  })
})

describe('rotated', () => {
  it('moves everybody through every place', () => {
    const items = ['a', 'b', 'c']
    const turns = items.map((_, number) => rotated(items, number))
    expect(turns.map(turn => turn[0])).toEqual(items)
    for (const turn of turns) expect(turn.toSorted()).toEqual(items)
  })
})
