import type { Clock } from '../../foundation/clock.ts'

const firstWaitMs = 500
const longestWaitMs = 60_000
const healthyAfterMs = 60_000
const quickFailuresOfALoop = 5

/** `until` is in milliseconds since 1970; once it has passed, a start may be tried. */
export type RestartState =
  | { readonly kind: 'ok' }
  | { readonly kind: 'waiting'; readonly until: number }
  | { readonly kind: 'crash-loop'; readonly until: number }

export type Restarts = {
  /** Call right before every attempt to start. */
  starting(): void
  /** Call when it did not start, or ended without being asked to. */
  failed(): void
  /** What a person should be told. A crash loop is over only after a minute of good health. */
  state(): RestartState
  /** How long no start may be tried; 0 when it may be now. */
  waitMs(): number
}

/**
 * When something that keeps failing may be started again: waits double from half a second to a minute, each drawn between
 * half and all of it so that many do not return at once. Five failures in a row, each within a minute, are a crash loop.
 */
export function openRestarts(clock: Clock, random: () => number = Math.random): Restarts {
  let failures = 0
  let startedAt: number | undefined
  let resumeAt = Number.NEGATIVE_INFINITY

  const isHealthy = () => startedAt !== undefined && clock.elapsed() - startedAt >= healthyAfterMs
  const waitMs = () => Math.max(0, resumeAt - clock.elapsed())

  return {
    waitMs,
    starting() {
      startedAt = clock.elapsed()
    },
    failed() {
      failures = isHealthy() ? 1 : failures + 1
      startedAt = undefined
      resumeAt = clock.elapsed() + nextWaitMs(failures, random())
    },
    state() {
      const until = clock.now() + waitMs()
      if (isHealthy()) return { kind: 'ok' }
      if (failures >= quickFailuresOfALoop) return { kind: 'crash-loop', until }
      return waitMs() > 0 ? { kind: 'waiting', until } : { kind: 'ok' }
    },
  }
}

function nextWaitMs(failures: number, chance: number): number {
  if (failures >= quickFailuresOfALoop) return longestWaitMs
  const ceiling = Math.min(longestWaitMs, firstWaitMs * 2 ** failures)
  return ceiling * (0.5 + chance / 2)
}
