import { describe, expect, it } from 'vitest'
import { difference, median, medianWithinRounds, percentile, ratio } from './statistics.ts'

describe('percentile', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1)
  it('is the nearest rank', () => {
    expect(percentile(hundred, 0.5)).toBe(50)
    expect(percentile(hundred, 0.99)).toBe(99)
    expect(percentile([7], 0.99)).toBe(7)
    expect(percentile([1, 2, 3], 1)).toBe(3)
  })
  it('of nothing is not a number', () => {
    expect(percentile([], 0.5)).toBeNaN()
  })
})

describe('median', () => {
  it('takes the middle, or the mean of the two in the middle, in any order', () => {
    expect(median([9, 1, 5])).toBe(5)
    expect(median([10, 1, 2, 100])).toBe(6)
    expect(median([])).toBeNaN()
  })
})

describe('medianWithinRounds', () => {
  const pick = {
    of: (round: { of?: number; to?: number }) => round.of,
    to: (round: { of?: number; to?: number }) => round.to,
  }
  it('compares only within a round: a slow round changes both sides', () => {
    const rounds = [
      { of: 30, to: 10 },
      { of: 300, to: 100 },
      { of: 40, to: 10 },
    ]
    expect(medianWithinRounds(rounds, pick, ratio)).toBe(3)
    expect(medianWithinRounds(rounds, pick, difference)).toBe(30)
  })
  it('leaves out rounds in which one of the two failed', () => {
    expect(medianWithinRounds([{ of: 30 }, { to: 10 }, { of: 50, to: 10 }], pick, ratio)).toBe(5)
    expect(medianWithinRounds([{ of: 30 }], pick, ratio)).toBeNaN()
  })
})
