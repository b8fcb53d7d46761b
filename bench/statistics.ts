/** The few numbers the bench is judged by. */

/** The smallest value that at least `share` (0..1] of the sorted values do not exceed (nearest rank). */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  if (sorted.length === 0) return Number.NaN
  return sorted[Math.min(sorted.length, Math.max(1, Math.ceil(sorted.length * share))) - 1]!
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  if (sorted.length === 0) return Number.NaN
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/**
 * The median over rounds of what one target measured set against another, both of the same round: on a shared machine two rounds
 * are two machines. Rounds in which either failed are left out; NaN when none is left.
 */
export function medianWithinRounds<Round>(
  rounds: readonly Round[],
  pick: { of: (round: Round) => number | undefined; to: (round: Round) => number | undefined },
  against: (of: number, to: number) => number,
): number {
  const values = rounds.flatMap(round => {
    const of = pick.of(round)
    const to = pick.to(round)
    return of === undefined || to === undefined ? [] : [against(of, to)]
  })
  return median(values)
}

export const ratio = (of: number, to: number): number => of / to
export const difference = (of: number, to: number): number => of - to
