/** Coarse deadlines for many requests at once: one timer for all, right to a quarter second, nothing created per request. */
export type Deadline = { expiresAt: number; expire(): void }

export type Deadlines = {
  watch(deadline: Deadline): void
  forget(deadline: Deadline): void
  close(): void
}

export function openDeadlines(): Deadlines {
  const watched = new Set<Deadline>()
  const timer = setInterval(() => {
    const now = performance.now()
    for (const deadline of watched) {
      if (deadline.expiresAt > now) continue
      watched.delete(deadline)
      deadline.expire()
    }
  }, 250)
  timer.unref()
  return {
    watch: deadline => void watched.add(deadline),
    forget: deadline => void watched.delete(deadline),
    close: () => clearInterval(timer),
  }
}
