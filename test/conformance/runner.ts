/** Runs the official conformance runner once and reads what it wrote. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as z from 'zod'
import { peers } from '../fixtures/peers.ts'
import { run } from '../fixtures/process.ts'

export type Failure = { id: string; why: string }

export type Score = {
  scenario: string
  isRequired: boolean
  passed: number
  /** What is only recommended counts like what is required. */
  failures: Failure[]
}

const checks = z.array(
  z.looseObject({ id: z.string(), status: z.string(), errorMessage: z.string().optional() }),
)

/** The scenarios of one set of requirements against one server; every required one is there, run or not. */
export async function score(url: string, revision: string): Promise<Score[]> {
  const { conformance } = await peers()
  const required = serverScenarios(await run({ args: [conformance, 'list', '--requirements', revision] }))
  const results = mkdtempSync(join(tmpdir(), 'conformance-'))
  try {
    const args = [conformance, 'server', '--url', url, '--requirements', revision, '-o', results]
    // The runner's own verdict is the exit code; ours is read from the results, and is the stricter one.
    const verdict = await run({ args, timeoutMs: 10 * 60_000 }).then(
      () => undefined,
      (cause: unknown) => cause,
    )
    const ran = readResults(results, required)
    if (
      verdict !== undefined &&
      ran.every(({ isRequired, failures }) => !isRequired || failures.length === 0)
    )
      throw verdict
    const missing = required.filter(scenario => !ran.some(score => score.scenario === scenario))
    return [...ran, ...missing.map(scenario => ({ ...NOTHING, scenario }))]
  } finally {
    rmSync(results, { recursive: true, force: true })
  }
}

const NOTHING = { isRequired: true, passed: 0, failures: [{ id: 'none', why: 'did not run' }] }

/** The names under "Server scenarios" of the runner's list. */
function serverScenarios(list: string): string[] {
  const part = list.split('Server scenarios')[1]?.split('Client scenarios')[0] ?? ''
  return [...part.matchAll(/^ +- (\S+)/gm)].map(([, name = '']) => name)
}

/** One folder for each scenario, named `server-<scenario>-<time>`; without results when the scenario itself broke. */
function readResults(folder: string, required: string[]): Score[] {
  return readdirSync(folder).map(name => {
    const scenario = name.replace(/^server-/, '').replace(/-\d{4}-\d\d-\d\dT[\d-]+Z$/, '')
    const isRequired = required.includes(scenario)
    const file = join(folder, name, 'checks.json')
    if (!existsSync(file)) return { ...NOTHING, scenario, isRequired }
    const results = checks.parse(JSON.parse(readFileSync(file, 'utf8')))
    const failures = results.filter(({ status }) => status === 'FAILURE' || status === 'WARNING')
    return {
      scenario,
      isRequired,
      passed: results.filter(check => check.status === 'SUCCESS').length,
      failures: failures.map(({ id, errorMessage: why = 'failed' }) => ({ id, why })),
    }
  })
}
