/** tools/list at `/mcp`, over 20 servers and 1,000 tools that are all granted, next to a server that sends the same bytes from memory. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Address, callHeaders, firstId, messageOf } from './calls.ts'
import { startGateway } from './gateway.ts'
import { temporaryDirectory } from './processes.ts'
import type { ShapeRounds } from './rounds.ts'
import { median, medianWithinRounds, ratio } from './statistics.ts'
import { freePort, startListening, type Target } from './targets.ts'

const servers = 20
const toolsOfEach = 50

export async function startLists(settings: Readonly<Record<string, string>> = {}): Promise<Target[]> {
  const stub = await startListening('./catalogue-stub.ts', String(toolsOfEach))
  const names = Array.from({ length: servers }, (_, number) => `office-${number}`)
  const urls = names.map(name => [name, `http://127.0.0.1:${stub.port}/${name}/mcp`] as const)
  const gateway = await startGateway({ port: await freePort(), servers: Object.fromEntries(urls), settings })
  const address = { port: gateway.port, path: '/mcp', authorization: gateway.authorization }
  const list = await wholeList(address)
  const file = join(temporaryDirectory(), 'list.json')
  writeFileSync(file, list)
  const memory = await startListening('./from-memory.ts', file)
  const listBytes = list.length
  return [
    { name: 'memory', pid: memory.pid, address: { ...address, port: memory.port, listBytes } },
    { name: 'everything', pid: gateway.pid, address: { ...address, listBytes } },
  ]
}

/** The list once everything was read. */
async function wholeList(address: Address): Promise<Buffer> {
  for (let attempt = 1; ; attempt++) {
    const response = await fetch(`http://127.0.0.1:${address.port}${address.path}`, {
      method: 'POST',
      headers: callHeaders(address, 'list'),
      body: messageOf('list', firstId),
    })
    const bytes = Buffer.from(await response.arrayBuffer())
    const { result }: { result?: { tools: unknown[] } } = JSON.parse(bytes.toString())
    if (result?.tools.length === servers * toolsOfEach) return bytes
    if (attempt === 100) throw new Error(`a list of ${result?.tools.length} tools: ${bytes.subarray(0, 300)}`)
    await sleep(100)
  }
}

export type ListReport = {
  readonly bytes: number
  readonly cpuRatioToMemory: number
  readonly p50RatioToMemory: number
  readonly cpuMicros: { readonly memory: number; readonly everything: number }
  readonly p50Ms: { readonly memory: number; readonly everything: number }
  readonly failures: readonly string[]
}

/** Ratios within rounds, as of calls; the latency is of two clients that ask one time after the other. */
export function listReport({ rounds }: Pick<ShapeRounds, 'rounds'>, bytes: number): ListReport {
  const windowOf = (name: 'memory' | 'everything') => rounds.flatMap(round => round[name]?.closed ?? [])
  const of = (name: 'memory' | 'everything', key: 'cpuMicrosPerCall' | 'p50Ms') =>
    thousandth(median(windowOf(name).map(window => window[key])))
  const within = (key: 'cpuMicrosPerCall' | 'p50Ms') =>
    thousandth(
      medianWithinRounds(
        rounds,
        { of: round => round.everything?.closed[key], to: round => round.memory?.closed[key] },
        ratio,
      ),
    )
  const failed = [...windowOf('memory'), ...windowOf('everything')].filter(({ failures }) => failures > 0)
  return {
    bytes,
    cpuRatioToMemory: within('cpuMicrosPerCall'),
    p50RatioToMemory: within('p50Ms'),
    cpuMicros: {
      memory: of('memory', 'cpuMicrosPerCall'),
      everything: of('everything', 'cpuMicrosPerCall'),
    },
    p50Ms: { memory: of('memory', 'p50Ms'), everything: of('everything', 'p50Ms') },
    failures: failed.map(
      ({ failures, firstFailure }) => `list FAILED ${failures} times; first: ${firstFailure}`,
    ),
  }
}

const thousandth = (value: number) => Math.round(value * 1000) / 1000

export function listTable(report: ListReport): string {
  const { bytes, cpuMicros, p50Ms, cpuRatioToMemory, p50RatioToMemory, failures } = report
  return [
    `list (tools/list at /mcp: ${servers} servers, ${servers * toolsOfEach} tools, ${Math.round(bytes / 1000)} KB)`,
    `target                     us/list     p50 ms`,
    `from memory           ${String(cpuMicros.memory).padStart(12)}${String(p50Ms.memory).padStart(11)}`,
    `everything            ${String(cpuMicros.everything).padStart(12)}${String(p50Ms.everything).padStart(11)}`,
    `x memory              ${String(cpuRatioToMemory).padStart(12)}${String(p50RatioToMemory).padStart(11)}`,
    ...failures,
    '',
  ].join('\n')
}
