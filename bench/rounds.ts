/** The order of work: warm up, calibrate, then rounds in which every target is measured right after the others. */
import type { ChildProcess } from 'node:child_process'
import type { Shape } from './calls.ts'
import type { Order, Window } from './load.ts'
import { nextMessage } from './processes.ts'
import type { Target, TargetName } from './targets.ts'

/** Closed and open window of one target in one round; without the open one where latency is not asked. */
export type Cell = { closed: Window; open?: Window }
export type Round = Partial<Record<TargetName, Cell>>
export type ShapeRounds = { shape: Shape; rate: number; rounds: Round[] }

export type Plan = {
  load: ChildProcess
  targets: readonly Target[]
  shapes: readonly Shape[]
  rounds: number
  /** Targets whose latency is measured. */
  latencyOf: readonly TargetName[]
  /** Length of the next window, given how many (with itself) are still to come. */
  windowSeconds(left: number): number
}

// Node needs some ten thousand calls until its code is compiled for them; of lists there are fewer in the same time.
const warmUpsOf = (shape: Shape) => (shape === 'list' ? 4 : 2)
const warmUpConnectionsOf = (shape: Shape) => (shape === 'list' ? 16 : connectionsOf(shape))
const connectionsOf = (shape: Shape) => ({ small: 64, large: 32, sse: 64, list: 2 })[shape]

export async function runRounds(plan: Plan): Promise<ShapeRounds[]> {
  const { targets, shapes, rounds } = plan
  const windowsPerRound =
    targets.length + targets.filter(target => plan.latencyOf.includes(target.name)).length
  let left = shapes.reduce(
    (sum, shape) => sum + warmUpsOf(shape) * targets.length + rounds * windowsPerRound,
    0,
  )

  type More = { rate?: number; connections?: number }
  const measure = (target: Target, shape: Shape, { rate, connections }: More = {}): Promise<Window> => {
    const { pid, address } = target
    const order = {
      address,
      shape,
      pid,
      connections: connections ?? connectionsOf(shape),
      seconds: plan.windowSeconds(left--),
    }
    return drive(plan.load, rate === undefined ? order : { ...order, rate })
  }

  const warmUp = async (shape: Shape): Promise<ShapeRounds> => {
    let rate = Number.NaN
    for (let number = 1; number <= warmUpsOf(shape); number++) {
      for (const target of targets) {
        const window = await measure(target, shape, { connections: warmUpConnectionsOf(shape) })
        progress(`warm-up ${number}/${warmUpsOf(shape)}`, target, shape, window)
        // The last warm-up of the bare pass-through calibrates: half of what it can is the fixed rate for all.
        if (target.name === 'bare') rate = Math.max(1, Math.round(window.callsPerSecond / 2))
      }
    }
    return { shape, rate, rounds: [] }
  }

  const results: ShapeRounds[] = []
  for (const shape of shapes) results.push(await warmUp(shape))
  for (let number = 0; number < rounds; number++) {
    for (const { shape, rate, rounds: done } of results) {
      const round: Round = {}
      for (const target of rotated(targets, number)) {
        const closed = await measure(target, shape)
        progress(`round ${number + 1}/${rounds}`, target, shape, closed)
        round[target.name] = { closed }
      }
      for (const target of rotated(targets, number)) {
        const cell = round[target.name]
        if (!cell || !plan.latencyOf.includes(target.name)) continue
        cell.open = await measure(target, shape, { rate })
        progress(`round ${number + 1}/${rounds} at ${rate}/s`, target, shape, cell.open)
      }
      done.push(round)
    }
  }
  return results
}

/** Nobody is always first, or always after the same one. */
export function rotated<Item>(items: readonly Item[], by: number): Item[] {
  const at = by % Math.max(1, items.length)
  return [...items.slice(at), ...items.slice(0, at)]
}

function drive(load: ChildProcess, order: Order): Promise<Window> {
  const window = nextMessage<Window>(load)
  load.send(order)
  return window
}

function progress(what: string, target: Target, shape: Shape, window: Window): void {
  const { cpuMicrosPerCall, callsPerSecond, p99Ms, failures, firstFailure } = window
  const figures = `${cpuMicrosPerCall.toFixed(1)} us/call, ${callsPerSecond.toFixed(0)} calls/s, p99 ${p99Ms.toFixed(2)} ms`
  const wrong = failures > 0 ? `, FAILED ${failures}: ${firstFailure}` : ''
  console.error(`${what} ${shape} ${target.name}: ${figures}${wrong}`)
}
