import type { Clock } from './clock.ts'
import { type ErrorCode, fail } from './errors.ts'

/** Slows down who guesses tokens: failed authentications are counted for each client address; good tokens never are. */
export type FailureLimit = {
  /** Counts one failure. Throws `identity.too_many_failures` once an address is over the limit. */
  count(address: string): void
}

type Window = { readonly startedAt: number; failures: number }

/** At most `most` failures of one address in any minute that begins with its first. */
export function openFailureLimit(clock: Clock, most = 100): FailureLimit {
  return openLimit(clock, {
    most,
    code: 'identity.too_many_failures',
    why: `This address failed to authenticate more than ${most} times within a minute.`,
  })
}

/** Bounds what strangers make the gateway keep: everybody may begin a sign-in. */
export function openBeginningLimit(clock: Clock, most = 600): FailureLimit {
  return openLimit(clock, {
    most,
    code: 'identity.too_many_beginnings',
    why: `This address began more than ${most} sign-ins within a minute.`,
  })
}

type Limit = { readonly most: number; readonly code: ErrorCode; readonly why: string }

function openLimit(clock: Clock, { most, code, why }: Limit): FailureLimit {
  const windowMilliseconds = 60_000
  const mostAddresses = 10_000
  const windows = new Map<string, Window>()
  return {
    count(address) {
      const now = clock.elapsed()
      let window = windows.get(address)
      if (window === undefined || now - window.startedAt >= windowMilliseconds) {
        // Insertion order is age, so the first key is the oldest window; memory stays bounded under address floods.
        windows.delete(address)
        const oldest = windows.keys().next()
        if (windows.size >= mostAddresses && !oldest.done) windows.delete(oldest.value)
        window = { startedAt: now, failures: 0 }
        windows.set(address, window)
      }
      window.failures++
      if (window.failures <= most) return
      const retryAfterSeconds = Math.ceil((window.startedAt + windowMilliseconds - now) / 1000)
      fail(code, { why, data: { retryAfterSeconds } })
    },
  }
}
