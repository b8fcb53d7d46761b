/**
 * Runs the work one run at a time. A call during a run waits for one more run, which all who came meanwhile share, so
 * that a caller never gets the result of a run that began before it asked.
 */
export function oneAtATime(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined
  let next: Promise<void> | undefined
  const run = (): Promise<void> => {
    next = undefined
    running = work().finally(() => {
      running = undefined
    })
    return running
  }
  return () => {
    // Asked first, because a run that has ended and one that waits for it to end overlap for a moment.
    if (next !== undefined) return next
    if (running === undefined) return run()
    next = running.then(run, run)
    return next
  }
}
