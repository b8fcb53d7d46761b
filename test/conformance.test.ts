/** How a conformance run is judged, and what its baseline may say. */
import { describe, expect, it } from 'vitest'
import { judge, readBaseline } from './conformance/baseline.ts'
import { cells, clientCells } from './conformance/cells.ts'
import type { Score } from './conformance/runner.ts'

const failing = (...ids: string[]): Score => ({
  scenario: 'logging',
  isRequired: true,
  passed: 1,
  failures: ids.map(id => ({ id, why: 'it is so' })),
})
const excuse = (check: string) => ({ scenario: 'logging', check, sentence: '', page: '' })

describe('judge', () => {
  it('passes what passes, and fails what fails without an excuse', () => {
    expect(judge([failing(), failing('a')], [])).toMatchObject({ passed: 1, failed: 1 })
  })

  it('excuses the checks that are named, and no others of the scenario', () => {
    expect(judge([failing('a')], [excuse('a')])).toMatchObject({ excused: 1, failed: 0, stale: [] })
    expect(judge([failing('a', 'b')], [excuse('a')])).toMatchObject({ excused: 0, failed: 1 })
  })

  it('finds the excuse whose check does not fail any more', () => {
    expect(judge([failing()], [excuse('a')]).stale).toEqual([excuse('a')])
    expect(judge([], [excuse('a')]).stale).toHaveLength(1)
  })

  it('does not take a scenario that checked nothing for one that passed', () => {
    expect(judge([{ ...failing(), passed: 0 }], [])).toMatchObject({ passed: 0, failed: 1 })
  })

  it('looks at what is required only', () => {
    expect(judge([{ ...failing('a'), isRequired: false }], [])).toMatchObject({ passed: 0, failed: 0 })
  })
})

describe('the baseline', () => {
  it('knows the cells, and excuses nothing where both sides speak the same era', () => {
    const baseline = new Map(Object.entries(readBaseline()))
    expect([...baseline.keys()]).toEqual([...cells, ...clientCells].map(({ name }) => name))
    const era = { '2025-11-25': 'session', '2026-07-28': 'stateless' } as const
    const direct = cells.filter(({ speaks, revision }) => speaks === 'both' || speaks === era[revision])
    expect(direct).toHaveLength(cells.length - 2)
    for (const { name } of direct) expect([name, baseline.get(name)]).toEqual([name, []])
  })

  it('excuses the gateway as client in extensions only, which nobody has to speak', () => {
    const extensions = /^auth\/(enterprise-managed-authorization|dpop|dpop-nonce|wif-jwt-bearer)$/
    for (const [name, excuses] of Object.entries(readBaseline())) {
      const isOfClient = clientCells.some(cell => cell.name === name)
      for (const excuse of excuses) expect('why' in excuse).toBe(isOfClient)
      if (isOfClient) for (const { scenario } of excuses) expect(scenario).toMatch(extensions)
    }
  })

  it('names each check once', () => {
    for (const excuses of Object.values(readBaseline())) {
      const named = excuses.map(({ scenario, check }) => `${scenario}: ${check}`)
      expect(named).toEqual([...new Set(named)])
    }
  })
})
