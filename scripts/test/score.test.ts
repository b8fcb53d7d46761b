import { describe, expect, it } from 'vitest'
import { conformanceScore, judged, plus, vitestFailures, vitestScore } from './score.ts'

describe('the score of a test run', () => {
  it('adds up', () => {
    expect(plus({ passed: 1, failed: 2 }, { passed: 3, failed: 4 })).toEqual({ passed: 4, failed: 6 })
  })

  it('counts tests that did not run as failed', () => {
    const report = { numTotalTests: 10, numPassedTests: 7, numFailedTests: 1, numPendingTests: 2 }
    expect(vitestScore(report)).toEqual({ passed: 7, failed: 3 })
  })

  it('tells what failed, where and why, in a few lines', () => {
    const long = Array.from({ length: 40 }, (_, line) => `line ${line}`).join('\n')
    const report = {
      testResults: [
        {
          name: 'a.test.ts',
          message: '',
          assertionResults: [
            { status: 'passed', fullName: 'adds', failureMessages: [] },
            { status: 'failed', fullName: 'ends', failureMessages: ['Error: it goes on', long] },
          ],
        },
        { name: 'b.test.ts', message: 'no such module', assertionResults: [] },
      ],
    }
    const [ends = '', b = '', ...others] = vitestFailures(report)
    expect(ends).toContain('a.test.ts: ends\n    Error: it goes on\n    line 0\n')
    expect(ends).not.toContain('line 12')
    expect(b).toBe('b.test.ts\n    no such module')
    expect(others).toEqual([])
  })

  it('counts the required conformance scenarios of every revision', () => {
    const printed =
      '2025-11-25\n  ✓ x 3 passed\n  29/30 required scenarios passed\n\n  37/37 required scenarios passed\n'
    expect(conformanceScore(printed)).toEqual({ passed: 66, failed: 1 })
  })

  it('has a failure when a program failed without counting one', () => {
    expect(judged({ passed: 5, failed: 0 }, 1)).toEqual({ passed: 5, failed: 1 })
    expect(judged({ passed: 5, failed: 2 }, 1)).toEqual({ passed: 5, failed: 2 })
    expect(judged({ passed: 5, failed: 0 }, 0)).toEqual({ passed: 5, failed: 0 })
  })
})
