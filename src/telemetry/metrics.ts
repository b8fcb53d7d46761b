/** What is counted, every name in one list, and its text for Prometheus. Nothing is allocated where a call passes. */
import { Histogram } from './histogram.ts'

type Metric = {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
}

const metric = (name: string, type: Metric['type'], help: string): Metric => ({ name, type, help })

const metrics = {
  exchanges: metric(
    'gatehouse_mcp_exchanges_total',
    'counter',
    'MCP requests answered, by method and outcome.',
  ),
  exchangeSeconds: metric('gatehouse_mcp_exchange_seconds', 'histogram', 'Whole time of MCP requests.'),
  upstreamSeconds: metric(
    'gatehouse_upstream_seconds',
    'histogram',
    'The part of it spent waiting for the MCP server.',
  ),
  repeats: metric(
    'gatehouse_upstream_repeats_total',
    'counter',
    'MCP requests sent to a server again after a failure, by method.',
  ),
  httpRequests: metric(
    'gatehouse_http_requests_total',
    'counter',
    'HTTP requests outside MCP answered, by class of status.',
  ),
  sessions: metric('gatehouse_sessions', 'gauge', 'Open MCP sessions.'),
  pooledSessions: metric(
    'gatehouse_pooled_sessions',
    'gauge',
    'Sessions with MCP servers that are kept for clients that have none.',
  ),
  parkedCalls: metric(
    'gatehouse_parked_calls',
    'gauge',
    'Calls that wait for their client to come back with an answer.',
  ),
  streams: metric('gatehouse_streams', 'gauge', 'Open event streams to clients.'),
  processes: metric('gatehouse_processes', 'gauge', 'Running processes of stdio servers.'),
  auditWaiting: metric(
    'gatehouse_audit_waiting_bytes',
    'gauge',
    'Audit events that are in the spool and not in the database yet.',
  ),
  cpu: metric('process_cpu_seconds_total', 'counter', 'User and system CPU time.'),
  memory: metric('process_resident_memory_bytes', 'gauge', 'Resident memory.'),
  heap: metric('nodejs_heap_size_used_bytes', 'gauge', 'JavaScript heap in use.'),
  start: metric('process_start_time_seconds', 'gauge', 'Start of the process, in seconds since 1970.'),
} as const

// Labels come from these lists only, so that no caller can make the number of series grow.
const methods = [
  'initialize',
  'server/discover',
  'ping',
  'logging/setLevel',
  'tools/list',
  'tools/call',
  'resources/list',
  'resources/templates/list',
  'resources/read',
  'resources/subscribe',
  'resources/unsubscribe',
  'prompts/list',
  'prompts/get',
  'completion/complete',
  'subscriptions/listen',
  'other',
] as const
const outcomes = ['ok', 'tool_error', 'input_required', 'denied', 'rejected', 'error', 'cancelled'] as const
const statusClasses = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const
const gauges = ['sessions', 'pooledSessions', 'parkedCalls', 'streams', 'processes', 'auditWaiting'] as const

type Outcome = (typeof outcomes)[number]
type Gauges = Readonly<Record<(typeof gauges)[number], () => number>>

const methodSlots = new Map<string, number>(methods.map((method, slot) => [method, slot]))
const outcomeSlots = new Map<Outcome, number>(outcomes.map((outcome, slot) => [outcome, slot]))
const methodLabel = (slot: number) => `method="${methods[slot]}"`

export type Metrics = {
  /** Counts one MCP request. Times are in seconds; `upstreamSeconds` is 0 when no server was asked. */
  exchange(method: string, outcome: Outcome, seconds: number, upstreamSeconds: number): void
  /** Counts one MCP request that is sent upstream again. */
  repeated(method: string): void
  /** Counts one answered HTTP request of the HTTP plane. */
  httpRequest(status: number): void
  /** Where the numbers of the moment are read when somebody asks. */
  gauges(read: Gauges): void
  /** Prometheus text format 0.0.4. */
  text(): string
}

export function openMetrics(): Metrics {
  const exchanges = new Float64Array(methods.length * outcomes.length)
  const exchangeSeconds = new Histogram(methods.length)
  const upstreamSeconds = new Histogram(methods.length)
  const repeats = new Float64Array(methods.length)
  const httpRequests = new Float64Array(statusClasses.length)
  let reading: Gauges | undefined
  return {
    exchange(method, outcome, seconds, waited) {
      const slot = methodSlots.get(method) ?? methods.length - 1
      count(exchanges, slot * outcomes.length + (outcomeSlots.get(outcome) ?? 0))
      exchangeSeconds.observe(slot, seconds)
      if (waited > 0) upstreamSeconds.observe(slot, waited)
    },
    repeated: method => count(repeats, methodSlots.get(method) ?? methods.length - 1),
    httpRequest: status => count(httpRequests, Math.floor(status / 100) - 1),
    gauges(read) {
      reading = read
    },
    text: () =>
      [
        section(metrics.exchanges, exchangeLines(exchanges)),
        section(metrics.exchangeSeconds, exchangeSeconds.lines(metrics.exchangeSeconds.name, methodLabel)),
        section(metrics.upstreamSeconds, upstreamSeconds.lines(metrics.upstreamSeconds.name, methodLabel)),
        section(metrics.repeats, repeatLines(repeats)),
        section(metrics.httpRequests, statusLines(httpRequests)),
        ...gauges.map(gauge => (reading ? single(metrics[gauge], reading[gauge]()) : '')),
        processText(),
      ].join(''),
  }
}

function count(counters: Float64Array, slot: number): void {
  const before = counters[slot]
  if (before !== undefined) counters[slot] = before + 1
}

function exchangeLines(counts: Float64Array): string[] {
  return Array.from(counts, (times, cell) => {
    if (times === 0) return ''
    const labels = `${methodLabel(Math.floor(cell / outcomes.length))},outcome="${outcomes[cell % outcomes.length]}"`
    return `${metrics.exchanges.name}{${labels}} ${times}\n`
  })
}

function repeatLines(counts: Float64Array): string[] {
  return Array.from(counts, (times, slot) =>
    times === 0 ? '' : `${metrics.repeats.name}{${methodLabel(slot)}} ${times}\n`,
  )
}

function statusLines(counts: Float64Array): string[] {
  return Array.from(
    counts,
    (times, slot) => `${metrics.httpRequests.name}{status="${statusClasses[slot]}"} ${times}\n`,
  )
}

function processText(): string {
  const { user, system } = process.cpuUsage()
  const { rss, heapUsed } = process.memoryUsage()
  return [
    single(metrics.cpu, (user + system) / 1e6),
    single(metrics.memory, rss),
    single(metrics.heap, heapUsed),
    single(metrics.start, Math.round(performance.timeOrigin) / 1000),
  ].join('')
}

function single(one: Metric, value: number): string {
  return section(one, [`${one.name} ${value}\n`])
}

function section({ name, type, help }: Metric, lines: readonly string[]): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`
}
