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
  const required = serverScenarios(await listOf(revision))
  return inFolder(async results => {
    // The runner's own verdict is the exit code; ours is read from the results, and is the stricter one.
    const verdict = await runner(['server', '--url', url, '--requirements', revision, '-o', results])
    const ran = readResults(results, required)
    if (
      verdict !== undefined &&
      ran.every(({ isRequired, failures }) => !isRequired || failures.length === 0)
    )
      throw verdict
    return withMissing(ran, required)
  })
}

/**
 * The scenarios for OAuth clients that a set of requirements names, scored there or not. The command is started with the URL of a server, and says 0
 * where the call of its tool gave a result in the end.
 */
export async function scoreClient(
  command: string,
  revision: string,
  refusing: readonly string[],
): Promise<Score[]> {
  const required = [...(await listOf(revision)).matchAll(/^ +- (auth\/\S+)/gm)].map(([, name = '']) => name)
  return inFolder(async results => {
    await runner(['client', '--command', command, '--requirements', revision, '-o', results])
    const ran = readResults(join(results, 'auth'), required, 'auth/').map(one => {
      const said = one.said === '0'
      if (said !== refusing.includes(one.scenario)) return one
      const why = said ? 'a server that must not be trusted was used' : 'the call gave no result'
      return { ...one, failures: [...one.failures, { id: 'outcome', why }] }
    })
    return withMissing(ran, required)
  })
}

/** Undefined when the runner is content. */
async function runner(args: readonly string[]): Promise<unknown> {
  const { conformance } = await peers()
  return run({ args: [conformance, ...args], timeoutMs: 10 * 60_000 }).then(
    () => undefined,
    (cause: unknown) => cause,
  )
}

const lists = new Map<string, Promise<string>>()

/** What the runner says that a revision requires. */
function listOf(revision: string): Promise<string> {
  const list =
    lists.get(revision) ??
    peers().then(({ conformance }) => run({ args: [conformance, 'list', '--requirements', revision] }))
  lists.set(revision, list)
  return list
}

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'conformance-'))
  try {
    return await work(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function withMissing(ran: readonly Score[], required: readonly string[]): Score[] {
  const missing = required.filter(scenario => !ran.some(score => score.scenario === scenario))
  return [...ran, ...missing.map(scenario => ({ ...NOTHING, scenario }))]
}

const NOTHING = { isRequired: true, passed: 0, failures: [{ id: 'none', why: 'did not run' }] }

/** The names under "Server scenarios" of the runner's list. */
function serverScenarios(list: string): string[] {
  const part = list.split('Server scenarios')[1]?.split('Client scenarios')[0] ?? ''
  return [...part.matchAll(/^ +- (\S+)/gm)].map(([, name = '']) => name)
}

/** One folder for each scenario, named `server-<scenario>-<time>`; without results when the scenario itself broke. */
function readResults(
  folder: string,
  required: readonly string[],
  before = '',
): (Score & { readonly said: string })[] {
  return readdirSync(folder).map(name => {
    const scenario = before + name.replace(/^server-/, '').replace(/-\d{4}-\d\d-\d\dT[\d-]+Z$/, '')
    const isRequired = required.includes(scenario)
    const file = join(folder, name, 'checks.json')
    if (!existsSync(file)) return { ...NOTHING, scenario, isRequired, said: '' }
    const results = checks.parse(JSON.parse(readFileSync(file, 'utf8')))
    const failures = results.filter(({ status }) => status === 'FAILURE' || status === 'WARNING')
    const stdout = join(folder, name, 'stdout.txt')
    return {
      scenario,
      isRequired,
      passed: results.filter(check => check.status === 'SUCCESS').length,
      failures: failures.map(({ id, errorMessage: why = 'failed' }) => ({ id, why })),
      said: existsSync(stdout) ? readFileSync(stdout, 'utf8').trim() : '',
    }
  })
}
