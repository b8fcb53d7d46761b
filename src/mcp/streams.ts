import { setImmediate } from 'node:timers/promises'
import type { Clock } from '../foundation/clock.ts'
import { fail } from '../foundation/errors.ts'
import { Roster, type Seated } from '../foundation/roster.ts'
import type { Exchange } from './exchange.ts'

/** A stream that stays open: it must stay allowed, and it must look alive. */
export type OpenStream = Seated & {
  readonly exchange: Exchange
  /** It stays open as long as its client likes; others end by themselves. */
  readonly isLasting: boolean
  /** Writes a comment, so that nothing between here and the client takes it for dead. */
  beat(): void
  /** Ends it with what the protocol has for that. */
  end(): void
}

export type Streams = {
  /** Takes a place for a stream that lasts, for as long as its response is open. Throws `mcp.too_many_streams`. */
  reserve(exchange: Exchange): void
  add(stream: OpenStream): void
  remove(stream: OpenStream): void
  count(): number
  /** Ends every stream whose caller may no longer have it. Call whenever rights may have changed. */
  recheck(): void
  /** Ends every stream that would not end by itself, and from now on every one that turns out to be such: a drain has begun. */
  endLasting(): void
  /** Ends every stream. */
  close(): void
}

export type StreamsParts = {
  readonly clock: Clock
  /** Lasting streams one caller may have. */
  readonly perPrincipal: number
  isAllowed(exchange: Exchange): Promise<boolean>
  /** A stream that could not be checked; it stays open until the next change. */
  unchecked(error: unknown): void
}

const beatMilliseconds = 15_000
const beatsAtOnce = 100
/** Tokens expire without a word, so every few beats all are asked for. */
const beatsBetweenChecks = 4
const drainMilliseconds = 100

export function openStreams({ clock, perPrincipal, isAllowed, unchecked }: StreamsParts): Streams {
  const open = new Roster<OpenStream>()
  const lasting = new Map<string, number>()
  const change = (id: string, by: 1 | -1) => {
    const count = (lasting.get(id) ?? 0) + by
    if (count === 0) lasting.delete(id)
    else lasting.set(id, count)
  }
  let draining: NodeJS.Timeout | undefined
  let checkedAt = Number.NEGATIVE_INFINITY
  let beats = 0
  const timer = setInterval(() => {
    void beatAll()
    if (++beats % beatsBetweenChecks === 0) void checkAll()
  }, beatMilliseconds)
  timer.unref()
  // A few at a time: thousands of writes at once would all be held in memory together, and calls would wait for them.
  async function beatAll(): Promise<void> {
    const streams = open.all()
    for (const [at, stream] of streams.entries()) {
      if (at % beatsAtOnce === 0 && at > 0) await setImmediate()
      if (open.has(stream)) stream.beat()
    }
  }
  async function check(stream: OpenStream): Promise<void> {
    if (!(await isAllowed(stream.exchange)) && open.has(stream)) stream.end()
  }
  // One after the other, because each asks the store.
  async function checkAll(): Promise<void> {
    for (const stream of open.all()) await check(stream).catch(unchecked)
  }
  const endLasting = () => {
    for (const stream of open.all()) if (stream.isLasting) stream.end()
  }
  return {
    reserve({ principal, response }) {
      if (principal === undefined || response.destroyed) return
      const { id } = principal
      if ((lasting.get(id) ?? 0) >= perPrincipal)
        fail('mcp.too_many_streams', { data: { retryAfterSeconds: 60 } })
      change(id, 1)
      response.once('close', () => change(id, -1))
    },
    add(stream) {
      open.add(stream)
      // Its caller was let in before the last change, and only now is it here to be found.
      if (stream.exchange.at <= checkedAt) check(stream).catch(unchecked)
    },
    remove: stream => open.remove(stream),
    count: () => open.size,
    recheck() {
      checkedAt = clock.now()
      void checkAll()
    },
    endLasting() {
      endLasting()
      // Some were let in and are not here yet; others last only once what is under way on them is done.
      draining ??= setInterval(endLasting, drainMilliseconds).unref()
    },
    close() {
      clearInterval(timer)
      clearInterval(draining)
      for (const stream of open.all()) stream.end()
    },
  }
}
