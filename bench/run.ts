/** `npm run bench`: see README.md beside this file. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { nginxVersion } from './nginx.ts'
import { type Options, readOptions, usage } from './options.ts'
import { endAll, endOnSignals, startOwn } from './processes.ts'
import { proveRight } from './prove-right.ts'
import { reportOf, summaryLine, tableOf } from './report.ts'
import { runRounds, type ShapeRounds } from './rounds.ts'
import { measureStreams } from './streams.ts'
import { startTargets, type TargetName, targetNames } from './targets.ts'

// Counted from the start of this process: npm before it and the ending after it take a second or two of the 50.
const quickBudgetSeconds = 45
// Connections, readings and the last answers around each window.
const overheadSeconds = 0.06
const fullWindowSeconds = 3

const environment = () => ({
  node: process.version,
  nginx: nginxVersion(),
  gatehouse: JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version,
  kernel: release(),
  cpu: cpus()[0]?.model,
  cores: cpus().length,
  memoryGigabytes: Math.round(totalmem() / 1e9),
})

const quickWindow = (left: number): number =>
  Math.max(0.2, (quickBudgetSeconds - performance.now() / 1000) / left - overheadSeconds)

/** Who is in a hurry compares the gateway with its yardsticks only, and the cells have one of their own. */
function isMeasured({ quick, cells }: Options, name: TargetName): boolean {
  if (cells) return name !== 'direct' && name !== 'nginx'
  return !quick || name !== 'direct'
}

async function measure(options: Options): Promise<ShapeRounds[]> {
  const all = await startTargets(options)
  const targets = all.filter(({ name }) => isMeasured(options, name))
  const latencyOf: readonly TargetName[] = options.quick ? ['bare', 'gateway'] : targetNames
  for (const target of all) for (const shape of options.only) await proveRight(target, shape)
  return runRounds({
    load: startOwn('./load.ts'),
    targets,
    shapes: options.only,
    rounds: options.rounds,
    latencyOf,
    windowSeconds: options.quick ? quickWindow : () => fullWindowSeconds,
  })
}

function writeResults(slug: string, content: object): void {
  const directory = new URL('./results/', import.meta.url)
  const file = new URL(`${new Date().toISOString().slice(0, 10)}-${slug}.json`, directory)
  mkdirSync(directory, { recursive: true })
  const thousandths = (_: string, value: unknown) =>
    typeof value === 'number' ? Math.round(value * 1000) / 1000 : value
  writeFileSync(file, `${JSON.stringify(content, thousandths, 1)}\n`)
  console.error(`written: bench/results/${file.pathname.split('/').at(-1)}`)
}

async function runBench(options: Options): Promise<void> {
  const before = { date: new Date().toISOString(), loadAverage: loadavg(), options }
  const measured = await measure(options)
  const reports = measured.map(reportOf)
  for (const report of reports) (options.json ? console.error : console.log)(tableOf(report))
  if (!options.quick) writeResults(options.slug, { ...before, environment: environment(), reports, measured })
  if (options.json) console.log(summaryLine(reports))
  if (reports.some(report => report.failures.length > 0)) process.exitCode = 1
}

endOnSignals()
try {
  const options = readOptions(process.argv.slice(2))
  await (options.streams > 0 ? measureStreams(options) : runBench(options))
} catch (error) {
  const isUsage = error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')
  console.error(error instanceof Error ? error.message : error)
  if (isUsage) console.error(usage)
  process.exitCode = isUsage ? 2 : 1
} finally {
  await endAll()
}
