/** The stages of a test run, cheapest first. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { conformanceScore, judged, nothing, type Score, vitestFailures, vitestScore } from './score.ts'

export type Stage = { readonly name: string; readonly what: string; run(): Promise<Outcome> }

export type Outcome = {
  readonly score: Score
  /** What failed and why, as far as it is known one by one. */
  readonly failures: readonly string[]
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const programs = join(root, 'node_modules', '.bin')
// Everything a test starts finds the same Node and the same programs, whoever started us.
const environment = { ...process.env, PATH: `${programs}${delimiter}${process.env.PATH ?? ''}` }

export const stages: readonly Stage[] = [
  { name: 'check', what: 'format, lint, types, generated documents', run: check },
  { name: 'unit', what: 'rooms, planes, architecture, documents', run: () => vitest('unit') },
  { name: 'journeys', what: 'the whole gateway, as its users meet it', run: () => vitest('journeys*') },
  { name: 'interop', what: 'clients and servers that others wrote', run: () => vitest('interop') },
  { name: 'conformance', what: 'the official suite, through the gateway', run: conformance },
]

const checks = [
  ['biome', 'check', '.'],
  ['tsc', '-p', '.'],
  [process.execPath, 'scripts/write-docs.ts', '--check'],
] as const

async function check(): Promise<Outcome> {
  for (const [command, ...args] of checks) {
    const { exitCode } = await program(command, args)
    if (exitCode !== 0)
      return { score: judged(nothing, exitCode), failures: [`${command} ${args.join(' ')}`] }
  }
  return { score: nothing, failures: [] }
}

async function vitest(project: string): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-tests-'))
  const file = join(folder, 'report.json')
  try {
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
    const { exitCode } = await program('vitest', ['run', '--project', project, ...reporters])
    if (!existsSync(file)) return { score: judged(nothing, exitCode), failures: [] }
    const report: unknown = JSON.parse(readFileSync(file, 'utf8'))
    return { score: judged(vitestScore(report), exitCode), failures: vitestFailures(report) }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function conformance(): Promise<Outcome> {
  const { exitCode, printed } = await program(process.execPath, ['test/conformance/run.ts'])
  return { score: judged(conformanceScore(printed), exitCode), failures: [] }
}

type Ended = { readonly exitCode: number; readonly printed: string }

/** Runs a program to its end, shows what it prints as it comes, and gives what it said on stdout. */
async function program(command: string, args: readonly string[]): Promise<Ended> {
  const child = spawn(command, args, { cwd: root, env: environment, stdio: ['ignore', 'pipe', 'inherit'] })
  let printed = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text
    process.stdout.write(text)
  })
  const [code]: (number | null)[] = await once(child, 'close')
  return { exitCode: code ?? 1, printed }
}
