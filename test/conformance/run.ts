/**
 * The official conformance suite, through the gateway, in front of a conformant server: `npm run conformance`.
 * With --direct it runs against that server alone, which shows whose failure it is.
 */
import { parseArgs } from 'node:util'
import { oneGroup, startGateway } from '../fixtures/gateway.ts'
import { startConformanceServer } from '../fixtures/servers.ts'
import { startFront } from './front.ts'
import { type Score, score } from './runner.ts'

const REQUIRED = { '2025-11-25': 30, '2026-07-28': 37 }

const { values } = parseArgs({ options: { direct: { type: 'boolean', default: false } } })
const toStop: (() => Promise<unknown>)[] = []
// Leaving by process.exit ends what was started.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
try {
  const url = await target(values.direct)
  let isGood = true
  for (const [revision, count] of Object.entries(REQUIRED)) {
    isGood = report(revision, count, await score(url, revision)) && isGood
  }
  process.exitCode = isGood ? 0 : 1
} finally {
  for (const stop of toStop.reverse()) await stop()
}

async function target(isDirect: boolean): Promise<string> {
  const fixture = await startConformanceServer()
  toStop.push(fixture.stop)
  if (isDirect) return fixture.url
  const gateway = await startGateway({ manifest: oneGroup('lab', { conformance: fixture.transport }) })
  toStop.push(gateway.stop)
  const front = await startFront(gateway)
  toStop.push(front.close)
  return `${front.url}/mcp/lab/conformance/server`
}

function report(revision: string, count: number, scores: Score[]): boolean {
  const lines = scores.flatMap(({ scenario, isRequired, passed, failed, failures }) => [
    `  ${failures.length === 0 ? '✓' : '✗'} ${scenario.padEnd(48)} ${String(passed).padStart(3)} passed ${String(failed).padStart(3)} failed${isRequired ? '' : '  (not required)'}`,
    ...(isRequired ? failures.map(failure => `      ${failure}`) : []),
  ])
  const required = scores.filter(score => score.isRequired)
  const good = required.filter(score => score.failures.length === 0 && score.passed > 0)
  const isGood = good.length === required.length && good.length >= count
  process.stdout.write(
    `${revision}\n${lines.join('\n')}\n  ${good.length}/${count} required scenarios passed\n\n`,
  )
  return isGood
}
