/** Where time comes from, so that tests can move it. */
export type Clock = {
  /** Milliseconds since 1970, for expiry and records. */
  now(): number
  /** Milliseconds that never go back, for durations. */
  elapsed(): number
}

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
}
