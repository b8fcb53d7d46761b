/** What the baseline excuses, and the verdict on a run: nothing fails without an excuse, and no excuse outlives its failure. */
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import * as z from 'zod'
import type { Score } from './runner.ts'

const excused = { scenario: z.string().min(1), check: z.string().min(1) }
const excuse = z.union([
  z.strictObject({
    ...excused,
    /** The sentence of the specification that makes it impossible, word by word. */
    sentence: z.string().min(20),
    /** Where it stands, below docs/specification of the specification's repository. */
    page: z.string().regex(/^20\d\d-\d\d-\d\d\/[a-z/-]+$/),
  }),
  /** Of an extension that nobody has to speak: why it has no meaning for a gateway, or is not spoken by this one. */
  z.strictObject({ ...excused, why: z.string().min(40) }),
])

export type Excuse = z.infer<typeof excuse>

/** The excuses of each cell, by its name. */
export function readBaseline(): Record<string, Excuse[]> {
  const text = readFileSync(new URL('baseline.yaml', import.meta.url), 'utf8')
  return z.record(z.string(), z.array(excuse)).parse(parse(text))
}

export type Verdict = {
  readonly passed: number
  /** Scenarios that fail only where they are excused. */
  readonly excused: number
  readonly failed: number
  /** Excuses for what does not fail. */
  readonly stale: readonly Excuse[]
}

/** Judges the required scenarios of one cell. */
export function judge(scores: readonly Score[], excuses: readonly Excuse[]): Verdict {
  const required = scores.filter(score => score.isRequired)
  const isExcused = (score: Score, id: string) =>
    excuses.some(({ scenario, check }) => scenario === score.scenario && check === id)
  const kinds = required.map(score => {
    if (score.passed === 0) return 'failed'
    if (score.failures.length === 0) return 'passed'
    return score.failures.every(({ id }) => isExcused(score, id)) ? 'excused' : 'failed'
  })
  const count = (kind: (typeof kinds)[number]) => kinds.filter(one => one === kind).length
  const isStale = ({ scenario, check }: Excuse) =>
    !required.some(score => score.scenario === scenario && score.failures.some(({ id }) => id === check))
  return {
    passed: count('passed'),
    excused: count('excused'),
    failed: count('failed'),
    stale: excuses.filter(isStale),
  }
}
