/** Calls that wait upstream for an answer of a client that has none of their connection: found again by what the client brings back. */
import type { Clock } from '../../foundation/clock.ts'
import { fail } from '../../foundation/errors.ts'
import { newHandle } from '../../foundation/id.ts'
import type { Equipped } from '../equipped.ts'

/** Something that waits for its client to come back. */
export type Parked = {
  readonly method: string
  /** Nobody came back in time. */
  abandoned(): void
}

type Place = { readonly parked: Parked; readonly to: Equipped; readonly expiresAt: number }

/** More than this waiting for one caller is no conversation. */
const mostForOne = 100

export class Parking {
  readonly #clock: Clock
  readonly #seconds: number
  readonly #places = new Map<string, Place>()
  readonly #timer: NodeJS.Timeout

  constructor(clock: Clock, seconds: number) {
    this.#clock = clock
    this.#seconds = seconds
    this.#timer = setInterval(() => this.#sweep(), 1000)
    this.#timer.unref()
  }

  get size(): number {
    return this.#places.size
  }

  /** Keeps it for its caller; what is given back opens it once. Throws `mcp.too_many_sessions`. */
  park(parked: Parked, to: Equipped): string {
    const own = [...this.#places.values()].filter(place => place.to.principalId === to.principalId)
    if (own.length >= mostForOne)
      fail('mcp.too_many_sessions', {
        why: 'Too many of your calls wait for an answer.',
        data: { retryAfterSeconds: 60 },
      })
    const state = newHandle()
    this.#places.set(state, { parked, to, expiresAt: this.#clock.elapsed() + this.#seconds * 1000 })
    return state
  }

  /** What was parked, for the same caller, server and method, and never twice. Throws `mcp.invalid_params`. */
  take(state: unknown, to: Equipped, method: string): Parked {
    const place = typeof state === 'string' ? this.#places.get(state) : undefined
    const isTheirs =
      place?.to.principalId === to.principalId &&
      place.to.own?.digest === to.own?.digest &&
      place.to.upstream.id === to.upstream.id &&
      place.parked.method === method
    if (typeof state !== 'string' || place === undefined || !isTheirs)
      fail('mcp.invalid_params', {
        why: 'The call that this requestState belongs to is over, or never was yours.',
        fix: 'Make the call again without requestState and inputResponses.',
      })
    this.#places.delete(state)
    return place.parked
  }

  close(): void {
    clearInterval(this.#timer)
    this.#end(() => true)
  }

  endOf(serverId: string): void {
    this.#end(({ to }) => to.upstream.id === serverId)
  }

  #sweep(): void {
    const now = this.#clock.elapsed()
    this.#end(({ expiresAt }) => expiresAt <= now)
  }

  #end(isOver: (place: Place) => boolean): void {
    for (const [state, place] of this.#places) {
      if (!isOver(place)) continue
      this.#places.delete(state)
      place.parked.abandoned()
    }
  }
}
