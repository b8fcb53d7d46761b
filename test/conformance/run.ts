/**
 * The official conformance suite, through the gateway, in front of a conformant server, in all four cells of client and server era:
 * `npm run conformance`. With --direct it runs against that server alone, which shows whose failure it is (a crossed cell has no
 * direct way); with --cell only in the cells named.
 */
import { parseArgs } from 'node:util'
import { oneGroup, startGateway } from '../fixtures/gateway.ts'
import { type Speaks, startConformanceServer } from '../fixtures/servers.ts'
import { type Excuse, judge, readBaseline } from './baseline.ts'
import { type Cell, cells } from './cells.ts'
import { startFront } from './front.ts'
import { type Score, score } from './runner.ts'

const { values } = parseArgs({
  options: {
    direct: { type: 'boolean', default: false },
    cell: { type: 'string', multiple: true, default: cells.map(({ name }) => name) },
  },
})
const unknown = values.cell.find(name => !cells.some(cell => cell.name === name))
if (unknown !== undefined) throw new Error(`there is no cell ${unknown}`)
const wanted = cells.filter(({ name }) => values.cell.includes(name))

const toStop: (() => Promise<unknown>)[] = []
// Leaving by process.exit ends what was started.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
try {
  const urlOf = await (values.direct ? startDirect() : startThroughGateway())
  const baseline = values.direct ? {} : readBaseline()
  let isGood = true
  for (const cell of wanted) {
    const scores = await score(urlOf(cell.speaks), cell.revision)
    isGood = report(cell, scores, baseline[cell.name] ?? []) && isGood
  }
  process.exitCode = isGood ? 0 : 1
} finally {
  for (const stop of toStop.reverse()) await stop()
}

async function startFixtures() {
  const kinds = [...new Set(wanted.map(({ speaks }) => speaks))]
  const fixtures = await Promise.all(kinds.map(startConformanceServer))
  toStop.push(...fixtures.map(({ stop }) => stop))
  return kinds.map((kind, at) => [kind, fixtures[at]] as const)
}

async function startDirect(): Promise<(speaks: Speaks) => string> {
  const urls = new Map((await startFixtures()).map(([kind, served]) => [kind, served?.url]))
  return speaks => urls.get(speaks) ?? ''
}

/** Behind the gateway each server is named for what it speaks. */
async function startThroughGateway(): Promise<(speaks: Speaks) => string> {
  const transports = (await startFixtures()).map(([kind, served]) => [kind, served?.transport ?? {}] as const)
  const gateway = await startGateway({ manifest: oneGroup('lab', Object.fromEntries(transports)) })
  toStop.push(gateway.stop)
  const front = await startFront(gateway)
  toStop.push(front.close)
  return speaks => `${front.url}/mcp/lab/${speaks}/server`
}

function report({ name, revision, speaks, required }: Cell, scores: Score[], excuses: Excuse[]): boolean {
  const { passed, excused, failed, stale } = judge(scores, excuses)
  const lines = [
    `${name}: a client of ${revision}, a server that speaks ${speaks === 'both' ? 'both eras' : `the ${speaks} era alone`}`,
    ...scores.flatMap(linesOf),
    ...stale.map(
      ({ scenario, check }) => `  ✗ the baseline excuses ${scenario}: ${check}, which does not fail`,
    ),
    ...(excused === 0 ? [] : [`  ${excused} required scenarios fail only as the baseline says`]),
    `  ${passed}/${required - excused} required scenarios passed`,
  ]
  process.stdout.write(`${lines.join('\n')}\n\n`)
  return failed === 0 && stale.length === 0 && passed + excused >= required
}

function linesOf({ scenario, isRequired, passed, failures }: Score): string[] {
  const mark = failures.length === 0 ? '✓' : '✗'
  const counts = `${String(passed).padStart(3)} passed ${String(failures.length).padStart(3)} failed`
  const line = `  ${mark} ${scenario.padEnd(48)} ${counts}${isRequired ? '' : '  (not required)'}`
  return [line, ...(isRequired ? failures.map(({ id, why }) => `      ${id}: ${why}`) : [])]
}
