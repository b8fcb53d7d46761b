/** `npm run bench`: see README.md beside this file. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { equipTable, measureEquip } from './equip.ts'
import { listReport, listTable, startLists } from './lists.ts'
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
// What is compared here differs by a few per cent: many short windows next to each other see the same machine.
const composedWindowSeconds = 1

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

function windowOf({ quick, composed, jwt, accounts }: Options): (left: number) => number {
  if (composed || ((jwt || accounts) && !quick)) return () => composedWindowSeconds
  return quick ? quickWindow : () => fullWindowSeconds
}

/** What differs by little, of one shape. */
const isFine = ({ composed, jwt, accounts }: Options) => composed || jwt || accounts

/** Who is in a hurry compares the gateway with its yardsticks only, and the cells have one of their own. */
function isMeasured(options: Options, name: TargetName): boolean {
  const { quick, cells } = options
  if (cells || isFine(options)) return name !== 'direct' && name !== 'nginx'
  return !quick || name !== 'direct'
}

async function measure(options: Options): Promise<ShapeRounds[]> {
  const all = await startTargets(options)
  const targets = all.filter(({ name }) => isMeasured(options, name))
  const latencyOf = isFine(options) ? [] : options.quick ? (['bare', 'gateway'] as const) : targetNames
  const asked = isFine(options) ? (['small'] as const) : options.only
  for (const target of all) for (const shape of asked) await proveRight(target, shape)
  return runRounds({
    load: startOwn('./load.ts'),
    targets,
    shapes: asked,
    rounds: options.rounds,
    latencyOf,
    windowSeconds: windowOf(options),
  })
}

async function measureLists(options: Options) {
  const targets = await startLists()
  const [measured] = await runRounds({
    load: startOwn('./load.ts'),
    targets,
    shapes: ['list'],
    rounds: options.rounds,
    latencyOf: [],
    windowSeconds: () => composedWindowSeconds,
  })
  const [{ address } = { address: undefined }] = targets
  return listReport(measured ?? { rounds: [] }, address?.listBytes ?? 0)
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
  const equip = options.accounts ? await measureEquip() : undefined
  if (equip) (options.json ? console.error : console.log)(equipTable(equip))
  const list = options.composed ? await measureLists(options) : undefined
  if (list) (options.json ? console.error : console.log)(listTable(list))
  const results = {
    ...before,
    environment: environment(),
    reports,
    ...(list && { list }),
    ...(equip && { equip }),
    measured,
  }
  if (!options.quick) writeResults(options.slug, results)
  if (options.json) console.log(summaryLine(reports, { ...(list && { list }), ...(equip && { equip }) }))
  if ([...reports, ...(list ? [list] : [])].some(({ failures }) => failures.length > 0)) process.exitCode = 1
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
