/**
 * The load generator, a process of its own: takes one order at a time over IPC, drives the target for that window and reports.
 * Closed loop: every connection sends its next call when the last is answered; this gives throughput and CPU per call.
 * Open loop: calls are due at a fixed rate whatever the target does, and latency counts from the moment a call was due.
 */
import { type Address, firstId, type Shape } from './calls.ts'
import { endWithParent } from './child.ts'
import { type Lane, openLane } from './lane.ts'
import { startMetronome } from './metronome.ts'
import { type Usage, usageOf } from './proc.ts'
import { percentile } from './statistics.ts'

export type Order = {
  address: Address
  shape: Shape
  /** The process whose tree is charged. */
  pid: number
  connections: number
  seconds: number
  /** Calls per second of the open loop; absent for the closed loop. */
  rate?: number
}

export type Window = {
  calls: number
  failures: number
  /** What went wrong first. */
  firstFailure?: string
  seconds: number
  callsPerSecond: number
  cpuMicrosPerCall: number
  /** Of one core: 1 is a whole core. */
  cpuShare: number
  residentBytes: number
  p50Ms: number
  p99Ms: number
}

/** Says when the next call is due: a time not after `now`, or undefined when none is (yet). */
type Pace = { due(now: number): number | undefined; isOver(now: number): boolean }

function closedPace(start: number, seconds: number): Pace {
  const end = start + seconds * 1000
  return { due: now => (now < end ? now : undefined), isOver: now => now >= end }
}

function openPace(start: number, seconds: number, rate: number): Pace {
  const total = Math.floor(rate * seconds)
  let sent = 0
  const at = () => start + (sent * 1000) / rate
  return {
    due(now) {
      const time = at()
      if (sent >= total || time > now) return undefined
      sent++
      return time
    },
    isOver: () => sent >= total,
  }
}

const mostFailures = 100
const graceMs = 5000
let nextId = firstId

class Drive {
  readonly #order: Order
  #free: Lane[] = []
  readonly #lanes = new Set<Lane>()
  readonly #dueAt = new Map<Lane, number>()
  readonly #latencies: number[] = []
  readonly #finished = Promise.withResolvers<void>()
  #pace: Pace | undefined
  #failures = 0
  #isOver = false
  #firstFailure: string | undefined

  constructor(order: Order) {
    this.#order = order
  }

  async run(): Promise<Window> {
    const { pid, seconds, rate } = this.#order
    const metronome = rate === undefined ? undefined : await startMetronome(() => this.#pump())
    try {
      await this.#openLanes()
      const before = usageOf(pid)
      const start = performance.now()
      this.#pace = rate === undefined ? closedPace(start, seconds) : openPace(start, seconds, rate)
      const patience = setTimeout(() => this.#giveUp('no answer in time'), seconds * 1000 + graceMs)
      this.#pump()
      await this.#finished.promise
      clearTimeout(patience)
      const elapsed = (performance.now() - start) / 1000
      return this.#report(before, usageOf(pid), elapsed)
    } finally {
      this.#isOver = true
      await metronome?.stop()
      for (const lane of this.#lanes) lane.close()
    }
  }

  #openLanes(): Promise<void> {
    const ready = Promise.withResolvers<void>()
    for (let count = 0; count < this.#order.connections; count++) this.#open(ready)
    return ready.promise
  }

  #open(ready?: PromiseWithResolvers<void>): void {
    const { address, shape, connections } = this.#order
    const lane = openLane(address, shape, {
      ready: () => {
        this.#free.push(lane)
        if (this.#pace) this.#pump()
        else if (this.#free.length === connections) ready?.resolve()
      },
      answered: wrong => {
        const dueAt = this.#dueAt.get(lane) ?? Number.NaN
        this.#dueAt.delete(lane)
        if (wrong === undefined) this.#latencies.push(performance.now() - dueAt)
        else this.#fail(wrong)
        this.#free.push(lane)
        this.#pump()
      },
      lost: reason => {
        ready?.reject(new Error(`port ${address.port}: ${reason}`))
        this.#dueAt.delete(lane)
        this.#lanes.delete(lane)
        this.#free = this.#free.filter(other => other !== lane)
        if (this.#isOver) return
        this.#fail(reason)
        this.#open()
      },
    })
    this.#lanes.add(lane)
  }

  #pump(): void {
    if (!this.#pace) return
    const now = performance.now()
    while (this.#free.length > 0) {
      const dueAt = this.#pace.due(now)
      if (dueAt === undefined) break
      // First in, first out: no connection idles until the target closes it.
      const lane = this.#free.shift()!
      this.#dueAt.set(lane, dueAt)
      lane.send(nextId++)
    }
    if (this.#dueAt.size === 0 && this.#pace.isOver(now)) this.#finished.resolve()
  }

  #fail(reason: string): void {
    this.#firstFailure ??= reason
    if (++this.#failures >= mostFailures) this.#giveUp(reason)
  }

  #giveUp(reason: string): void {
    this.#failures += Math.max(1, this.#dueAt.size)
    this.#firstFailure ??= reason
    this.#finished.resolve()
  }

  #report(before: Usage, after: Usage, seconds: number): Window {
    const calls = this.#latencies.length
    const sorted = Float64Array.from(this.#latencies).sort()
    const cpuSeconds = after.cpuSeconds - before.cpuSeconds
    return {
      calls,
      failures: this.#failures,
      ...(this.#firstFailure !== undefined && { firstFailure: this.#firstFailure }),
      seconds,
      callsPerSecond: calls / seconds,
      cpuMicrosPerCall: (cpuSeconds * 1e6) / calls,
      cpuShare: cpuSeconds / seconds,
      residentBytes: after.residentBytes,
      p50Ms: percentile(sorted, 0.5),
      p99Ms: percentile(sorted, 0.99),
    }
  }
}

/** A target that cannot even be connected to, or has ended, has failed this window. */
const failedWindow = (error: unknown): Window => ({
  calls: 0,
  failures: 1,
  firstFailure: String(error),
  seconds: Number.NaN,
  callsPerSecond: 0,
  cpuMicrosPerCall: Number.NaN,
  cpuShare: Number.NaN,
  residentBytes: Number.NaN,
  p50Ms: Number.NaN,
  p99Ms: Number.NaN,
})

if (process.send) {
  endWithParent()
  process.on('message', (order: Order) => {
    new Drive(order)
      .run()
      .catch(failedWindow)
      .then(window => process.send?.(window))
  })
}
