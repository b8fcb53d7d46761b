/**
 * Runs every test of the project, stage by stage, and ends with what failed and one line: how many passed, how many failed.
 *
 *   node scripts/test.ts             everything; stops after the first stage that fails
 *   node scripts/test.ts --all       everything, whatever fails
 *   node scripts/test.ts check unit  these stages
 */
import { parseArgs } from 'node:util'
import { nothing, plus, say } from './test/score.ts'
import { stages } from './test/stages.ts'

const { values, positionals } = parseArgs({
  options: { all: { type: 'boolean', default: false } },
  allowPositionals: true,
})
const unknown = positionals.find(name => !stages.some(stage => stage.name === name))
if (unknown !== undefined) {
  say(`There is no stage ${unknown}. Stages: ${stages.map(({ name }) => name).join(', ')}.`)
  process.exit(2)
}

const wanted = stages.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
const report: string[] = []
const failed: string[] = []
let total = nothing
let left = wanted

while (left[0] !== undefined && (values.all || total.failed === 0)) {
  const { name, what, run } = left[0]
  left = left.slice(1)
  say(`\n=== ${name}: ${what}\n`)
  const startedAt = performance.now()
  const { score, failures } = await run()
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  total = plus(total, score)
  failed.push(...failures)
  report.push(`${score.failed === 0 ? 'ok  ' : 'FAIL'}  ${name.padEnd(12)} ${seconds.padStart(7)} s`)
  say(`\n=== ${report.at(-1)}`)
}

for (const failure of failed) say(`\n${failure}`)
say(`\n${[...report, ...left.map(({ name }) => `--    ${name.padEnd(12)} not run`)].join('\n')}\n`)
say(`${total.passed} passed, ${total.failed} failed`)
process.exitCode = total.failed === 0 ? 0 : 1
