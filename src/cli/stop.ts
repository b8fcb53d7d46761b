import type { Listening } from '../listen.ts'
import type { Announcer } from './announcer.ts'

export type Signals = { readonly first: Promise<string>; readonly second: Promise<string> }

// npm passes on the Ctrl-C that the terminal has sent to everybody already; that echo is not a second wish.
const echoMilliseconds = 500

/** SIGINT and SIGTERM, from now on. */
export function listenForSignals(): Signals {
  const first = Promise.withResolvers<string>()
  const second = Promise.withResolvers<string>()
  let firstAt: number | undefined
  const hear = (signal: string) => {
    const now = performance.now()
    if (firstAt === undefined) {
      firstAt = now
      first.resolve(signal)
    } else if (now - firstAt > echoMilliseconds) second.resolve(signal)
  }
  process.on('SIGINT', hear).on('SIGTERM', hear)
  return { first: first.promise, second: second.promise }
}

const drainSeconds = 60
const hardStopMilliseconds = 5000

/** Waits for a signal, then until requests in flight are done; a second signal cuts them and ends the process within 5 s. */
export async function untilToldToStop(
  signals: Signals,
  listening: Listening,
  announcer: Announcer,
): Promise<void> {
  const signal = await signals.first
  announcer.tell(
    { event: 'stopping', signal },
    '',
    'Finishing what is in flight; Ctrl-C again stops at once.',
  )
  void signals.second.then(() => {
    listening.cut()
    setTimeout(() => process.exit(1), hardStopMilliseconds).unref()
  })
  await listening.drain(drainSeconds)
}
