/** From rounds to what people read: medians, ratios within rounds, and the failures that forbid both. */
import type { Shape } from './calls.ts'
import type { Window } from './load.ts'
import type { Round, ShapeRounds } from './rounds.ts'
import { difference, median, medianWithinRounds, ratio } from './statistics.ts'
import { type TargetName, targetNames } from './targets.ts'

export type Comparison = {
  cpuRatioToNginx: number
  cpuRatioToBareNode: number
  p99AddedMs: number
  /** What the gateway costs, set against the other version measured with it. */
  cpuRatioToBefore?: number
  /** What each further cell costs, set against the gateway between two of the stateless era. */
  cells?: Partial<Record<TargetName, number>>
  /** The same of virtual servers, set against the plain server: what a call costs, and its latency. */
  virtual?: Partial<Record<TargetName, { cpu: number; p50: number }>>
  /** The same of calls with a JWT of an identity provider, set against those with a token of the gateway. */
  jwt?: { cpu: number; p50: number }
  /** The same of servers that want a key or an account, set against one that wants nothing; and the CPU a call costs more. */
  accounts?: Partial<Record<TargetName, { cpu: number; p50: number; addedMicros: number }>>
}

export type Medians = {
  cpuMicrosPerCall: number
  cpuRatioToNginx: number
  cpuRatioToBareNode: number
  cpuRatioToGateway: number
  callsPerSecond: number
  cpuShare: number
  callsPerSecondOnOneCore: number
  p50Ms: number
  p99Ms: number
  residentMegabytes: number
}

export type Report = {
  shape: Shape
  halfLoadCallsPerSecond: number
  comparison: Comparison
  targets: Partial<Record<TargetName, Medians>>
  failures: string[]
}

// A window with a failure counts as no window: a target must not look fast by answering wrongly.
const right = (window: Window | undefined) => (window?.failures === 0 ? window : undefined)
const cpuOf = (name: TargetName) => (round: Round) => right(round[name]?.closed)?.cpuMicrosPerCall
const p99Of = (name: TargetName) => (round: Round) => right(round[name]?.open)?.p99Ms
const rounded = (value: number, digits: number) => Number(value.toFixed(digits))

const cpuRatio = (rounds: readonly Round[], of: TargetName, to: TargetName) =>
  rounded(medianWithinRounds(rounds, { of: cpuOf(of), to: cpuOf(to) }, ratio), 2)

const p50Of = (name: TargetName) => (round: Round) => right(round[name]?.closed)?.p50Ms

function setAgainstGateway(rounds: readonly Round[], name: TargetName): { cpu: number; p50: number } {
  const p50 = medianWithinRounds(rounds, { of: p50Of(name), to: p50Of('gateway') }, ratio)
  return { cpu: cpuRatio(rounds, name, 'gateway'), p50: rounded(p50, 2) }
}

function virtualOf(rounds: readonly Round[]) {
  const of = (name: TargetName) => setAgainstGateway(rounds, name)
  return { virtual: of('virtual'), 'virtual-changed': of('virtual-changed') }
}

function accountsOf(rounds: readonly Round[]) {
  const of = (name: TargetName) => {
    const cpu = { of: cpuOf(name), to: cpuOf('gateway') }
    return {
      ...setAgainstGateway(rounds, name),
      addedMicros: rounded(medianWithinRounds(rounds, cpu, difference), 1),
    }
  }
  return { headers: of('headers'), accounts: of('accounts') }
}

export function reportOf({ shape, rate, rounds }: ShapeRounds): Report {
  const p99 = { of: p99Of('gateway'), to: p99Of('bare') }
  return {
    shape,
    halfLoadCallsPerSecond: rate,
    comparison: {
      cpuRatioToNginx: cpuRatio(rounds, 'gateway', 'nginx'),
      cpuRatioToBareNode: cpuRatio(rounds, 'gateway', 'bare'),
      p99AddedMs: rounded(medianWithinRounds(rounds, p99, difference), 3),
      ...(rounds.some(round => round.before) && { cpuRatioToBefore: cpuRatio(rounds, 'gateway', 'before') }),
      ...(rounds.some(round => round.session) && { cells: cellsOf(rounds) }),
      ...(rounds.some(round => round.virtual) && { virtual: virtualOf(rounds) }),
      ...(rounds.some(round => round.jwt) && { jwt: setAgainstGateway(rounds, 'jwt') }),
      ...(rounds.some(round => round.accounts) && { accounts: accountsOf(rounds) }),
    },
    targets: Object.fromEntries(
      targetNames
        .filter(name => rounds.some(round => round[name]))
        .map(name => [name, mediansOf(rounds, name)]),
    ),
    failures: targetNames.flatMap(name => failuresOf(shape, rounds, name)),
  }
}

const cellsOf = (rounds: readonly Round[]): Partial<Record<TargetName, number>> =>
  Object.fromEntries(
    (['session', 'stateless-over-session', 'session-over-stateless'] as const).map(name => [
      name,
      cpuRatio(rounds, name, 'gateway'),
    ]),
  )

function mediansOf(rounds: readonly Round[], name: TargetName): Medians {
  const of = (kind: 'closed' | 'open', field: keyof Window) =>
    median(
      rounds.flatMap(round => {
        const window = right(round[name]?.[kind])
        return window ? [Number(window[field])] : []
      }),
    )
  const cpuMicrosPerCall = of('closed', 'cpuMicrosPerCall')
  return {
    cpuMicrosPerCall: rounded(cpuMicrosPerCall, 1),
    cpuRatioToNginx: cpuRatio(rounds, name, 'nginx'),
    cpuRatioToBareNode: cpuRatio(rounds, name, 'bare'),
    cpuRatioToGateway: cpuRatio(rounds, name, 'gateway'),
    callsPerSecond: rounded(of('closed', 'callsPerSecond'), 0),
    cpuShare: rounded(of('closed', 'cpuShare'), 2),
    callsPerSecondOnOneCore: rounded(1e6 / cpuMicrosPerCall, 0),
    p50Ms: rounded(of('open', 'p50Ms'), 3),
    p99Ms: rounded(of('open', 'p99Ms'), 3),
    residentMegabytes: rounded(of('closed', 'residentBytes') / 1e6, 0),
  }
}

function failuresOf(shape: Shape, rounds: readonly Round[], name: TargetName): string[] {
  const windows = rounds.flatMap(round =>
    [round[name]?.closed, round[name]?.open].filter(window => window !== undefined),
  )
  const failures = windows.reduce((sum, window) => sum + window.failures, 0)
  const first = windows.find(window => window.failures > 0)?.firstFailure
  return failures === 0 ? [] : [`${shape}: ${name} FAILED ${failures} calls; first: ${first}`]
}

/** The line other programs read: one key per shape. What could not be measured is null. */
export const summaryLine = (reports: readonly Report[], more: object = {}): string =>
  JSON.stringify({
    ...Object.fromEntries(reports.map(({ shape, comparison }) => [shape, comparison])),
    ...more,
  })

const columns: readonly [title: string, of: (medians: Medians) => number][] = [
  ['us/call', medians => medians.cpuMicrosPerCall],
  ['x nginx', medians => medians.cpuRatioToNginx],
  ['x bare', medians => medians.cpuRatioToBareNode],
  ['x straight', medians => medians.cpuRatioToGateway],
  ['calls/s', medians => medians.callsPerSecond],
  ['cpu share', medians => medians.cpuShare],
  ['one core/s', medians => medians.callsPerSecondOnOneCore],
  ['p50 ms', medians => medians.p50Ms],
  ['p99 ms', medians => medians.p99Ms],
  ['RSS MB', medians => medians.residentMegabytes],
]

export function tableOf(report: Report): string {
  const { shape, halfLoadCallsPerSecond, comparison, targets, failures } = report
  const cells = targetNames.flatMap(name => {
    const medians = targets[name]
    return medians
      ? [[name, ...columns.map(([, of]) => (Number.isNaN(of(medians)) ? '-' : String(of(medians))))]]
      : []
  })
  const rows = [['target', ...columns.map(([title]) => title)], ...cells]
  const line = ([name = '', ...rest]: string[]) =>
    name.padEnd(23) + rest.map(text => text.padStart(11)).join('')
  return [
    `${shape} (p50 and p99 at ${halfLoadCallsPerSecond} calls/s, half of what the bare pass-through can)`,
    ...rows.map(line),
    ...(Number.isNaN(comparison.p99AddedMs) ? [] : [`the gateway adds ${comparison.p99AddedMs} ms to p99`]),
    ...failures,
    '',
  ].join('\n')
}
