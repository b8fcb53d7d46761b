/**
 * The official conformance suite, through the gateway, in front of a conformant server: in all four cells of client and server era, and
 * where that server is one of two behind a virtual server or behind `/mcp`: `npm run conformance`. With --direct it runs against that server
 * alone, which shows whose failure it is (a crossed cell has no direct way); with --cell only in the cells named. Last comes the gateway as OAuth client.
 */
import { parseArgs } from 'node:util'
import { type Served, startConformanceServer } from '../fixtures/servers.ts'
import { startAddresses } from './addresses.ts'
import { refusing, startAsClient } from './as-client.ts'
import { type Excuse, judge, readBaseline } from './baseline.ts'
import { type Cell, type ClientCell, cells, clientCells } from './cells.ts'
import { type Score, score, scoreClient } from './runner.ts'

const { values } = parseArgs({
  options: {
    direct: { type: 'boolean', default: false },
    cell: { type: 'string', multiple: true, default: [...cells, ...clientCells].map(({ name }) => name) },
  },
})
const unknown = values.cell.find(name => ![...cells, ...clientCells].some(cell => cell.name === name))
if (unknown !== undefined) throw new Error(`there is no cell ${unknown}`)
const wanted = cells.filter(({ name }) => values.cell.includes(name))
const wantedOfClient = clientCells.filter(({ name }) => values.cell.includes(name) && !values.direct)

const addresses = { server: '', virtual: ', behind a virtual server', everything: ', behind /mcp' } as const
const toStop: (() => Promise<unknown>)[] = []
// Leaving by process.exit ends what was started.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
try {
  const servers = await startServers()
  const direct = ({ speaks }: Cell) => servers.get(speaks)?.url ?? ''
  const urlOf = values.direct || wanted.length === 0 ? direct : await startAddresses(servers, toStop)
  const baseline = values.direct ? {} : readBaseline()
  let isGood = true
  for (const cell of wanted) {
    const scores = await score(urlOf(cell), cell.revision)
    isGood = report(cell, titleOf(cell), { scores, excuses: baseline[cell.name] ?? [] }) && isGood
  }
  if (wantedOfClient.length > 0) {
    const client = await startAsClient()
    toStop.push(client.stop)
    for (const cell of wantedOfClient) {
      const scores = await scoreClient(client.command, cell.revision, refusing)
      const title = `the gateway as OAuth client, at servers of ${cell.revision}`
      isGood = report(cell, title, { scores, excuses: baseline[cell.name] ?? [] }) && isGood
    }
  }
  process.exitCode = isGood ? 0 : 1
} finally {
  for (const stop of toStop.reverse()) await stop()
}

/** The servers that the wanted cells need, by what they speak. */
async function startServers(): Promise<Map<string, Served>> {
  const kinds = [...new Set(wanted.map(({ speaks }) => speaks))]
  const servers = new Map<string, Served>()
  for (const kind of kinds) {
    const served = await startConformanceServer(kind)
    toStop.push(served.stop)
    servers.set(kind, served)
  }
  return servers
}

function titleOf({ revision, speaks, at }: Cell): string {
  const eras = speaks === 'both' ? 'both eras' : `the ${speaks} era alone`
  return `a client of ${revision}, a server that speaks ${eras}${addresses[at]}`
}

type Ran = { readonly scores: Score[]; readonly excuses: Excuse[] }

function report({ name, required }: ClientCell, title: string, { scores, excuses }: Ran): boolean {
  const { passed, excused, failed, stale } = judge(scores, excuses)
  const lines = [
    `${name}: ${title}`,
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
