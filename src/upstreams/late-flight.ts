import { asGatewayError, GatewayError } from '../foundation/errors.ts'
import type { Outgoing } from './link.ts'
import { notSent } from './message.ts'
import type { Flight } from './sink.ts'
import type { Deadline, Deadlines } from './transports/deadlines.ts'

type Way = { request(outgoing: Outgoing): Flight }

export type Patience = { readonly deadlines: Deadlines; readonly callSeconds: number }

/** Sends a request as soon as its way is open, if its client still waits then. */
export function sendOver(way: Promise<Way>, outgoing: Outgoing, patience: Patience): Flight {
  const flight = new LateFlight(outgoing, patience)
  outgoing.sink.started(flight)
  way.then(
    open => flight.begin(open),
    error => flight.fail(notSent(asGatewayError(error))),
  )
  return flight
}

class LateFlight implements Flight, Deadline {
  seat: number | undefined
  readonly expiresAt: number
  readonly #outgoing: Outgoing
  readonly #deadlines: Deadlines
  #flight: Flight | undefined
  #isOver = false

  constructor(outgoing: Outgoing, { deadlines, callSeconds }: Patience) {
    this.#outgoing = outgoing
    this.#deadlines = deadlines
    this.expiresAt = Math.min(
      outgoing.latest ?? Number.POSITIVE_INFINITY,
      performance.now() + callSeconds * 1000,
    )
    deadlines.watch(this)
  }

  begin(way: Way): void {
    if (!this.#finish()) return
    try {
      this.#flight = way.request(this.#outgoing)
    } catch (thrown) {
      this.#outgoing.sink.failed(asGatewayError(thrown))
    }
  }

  fail(error: GatewayError): void {
    if (this.#finish()) this.#outgoing.sink.failed(error)
  }

  expire(): void {
    this.fail(new GatewayError('upstream.timeout', { why: 'The way to it did not open in time.' }))
  }

  pause(): void {
    this.#flight?.pause()
  }

  resume(): void {
    this.#flight?.resume()
  }

  abort(): void {
    this.#finish()
    this.#flight?.abort()
  }

  #finish(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    this.#deadlines.forget(this)
    return true
  }
}
