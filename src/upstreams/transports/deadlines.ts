import { Roster, type Seated } from '../../foundation/roster.ts'

/** Coarse deadlines for many requests at once: one timer for all, right to a quarter second, nothing created per request. */
export type Deadline = Seated & { expiresAt: number; expire(): void }

export type Deadlines = {
  watch(deadline: Deadline): void
  forget(deadline: Deadline): void
  close(): void
}

export function openDeadlines(): Deadlines {
  const watched = new Roster<Deadline>()
  const timer = setInterval(() => {
    const now = performance.now()
    for (const deadline of watched.all()) {
      if (deadline.expiresAt > now || !watched.has(deadline)) continue
      watched.remove(deadline)
      deadline.expire()
    }
  }, 250)
  timer.unref()
  return {
    watch: deadline => watched.add(deadline),
    forget: deadline => watched.remove(deadline),
    close: () => clearInterval(timer),
  }
}
