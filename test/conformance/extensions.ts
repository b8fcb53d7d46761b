/**
 * The official scenarios of the extensions that are relayed, through the gateway: `node test/conformance/extensions.ts`.
 * The suite requires none of them, and runs those of skills in no set. With --direct against the server alone.
 */
import { parseArgs } from 'node:util'
import { oneGroup, startGateway } from '../fixtures/gateway.ts'
import { peers } from '../fixtures/peers.ts'
import { run } from '../fixtures/process.ts'
import { startConformanceServer } from '../fixtures/servers.ts'
import { startFront } from './front.ts'

const scenarios = [
  'tasks-lifecycle',
  'tasks-capability-negotiation',
  'tasks-wire-fields',
  'tasks-request-state-removal',
  'tasks-mrtr-input',
  'tasks-request-headers',
  'tasks-dispatch-and-envelope',
  'tasks-status-notifications',
  'tasks-required-task-error',
  'tasks-mrtr-composition',
  'sep-2640-skills-directory',
  'sep-2640-skills-enumeration',
  'sep-2640-skills-manifest',
]

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { direct: { type: 'boolean', default: false } },
})
const toStop: (() => Promise<unknown>)[] = []
// Leaving by process.exit ends what was started.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
try {
  const url = await target(values.direct)
  let isGood = true
  for (const scenario of positionals.length > 0 ? positionals : scenarios)
    isGood = (await outcome(url, scenario)) && isGood
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

// The runner's exit code says whether a check failed.
async function outcome(url: string, scenario: string): Promise<boolean> {
  const { conformance } = await peers()
  const args = [conformance, 'server', '--url', url, '--scenario', scenario, '--force']
  const failures = await run({ args, timeoutMs: 10 * 60_000 }).then(
    () => [],
    (cause: unknown) => {
      const lines = String(cause).split('\n')
      const shown = lines.filter(line => /FAILURE|^ +Error: /.test(line))
      return shown.length > 0 ? shown : lines.slice(0, 1)
    },
  )
  process.stdout.write([`${failures.length === 0 ? '✓' : '✗'} ${scenario}`, ...failures, ''].join('\n'))
  return failures.length === 0
}
