/** The one reader of the configuration: flags, then environment, then file, then defaults. Nothing else reads process.env. */
import { resolve } from 'node:path'
import { fail } from '../foundation/errors.ts'
import { isObject } from '../foundation/json.ts'
import { nearest } from '../foundation/nearest.ts'
import { type ConfigFile, readConfigFile } from './file.ts'
import { type Config, configSchema } from './schema.ts'
import { fromText, type Setting, settings } from './settings.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** The environment this process was started with; child processes get their choice of it. */
export const environment: Environment = { ...process.env }

export type ConfigSources = {
  /** Values given on the command line, by key: `{ 'limits.callSeconds': '30' }`. */
  readonly flags?: Readonly<Record<string, string | undefined>>
  readonly environment: Environment
  readonly workingDirectory: string
  /** File named by --config; without it ./gatehouse.config.yaml is read if it is there. */
  readonly file?: string | undefined
}

export type ConfigProblem = {
  /** Dotted key, variable or file the problem is about. */
  readonly path: string
  /** The wrong value as JSON; absent when it may be secret. */
  readonly value?: string
  /** Where it was set: a flag, a variable, `file:line`. */
  readonly from: string
  readonly problem: string
  readonly fix: string
}

const defaultFile = 'gatehouse.config.yaml'
/** Variables of the command line client, not of the gateway. */
const clientVariables = ['GATEHOUSE_URL', 'GATEHOUSE_TOKEN']

/** The whole configuration, or `config.invalid` with every problem in `data.problems`. */
export function loadConfig(sources: ConfigSources): Config {
  const name = sources.file ?? defaultFile
  const file = readConfigFile(resolve(sources.workingDirectory, name), name, sources.file !== undefined)
  const gathered = gather(sources, file)
  const parsed = configSchema.safeParse(gathered.values)
  const problems = [
    ...(file?.problems ?? []).map(problem => ({ ...problem, path: name, fix: 'Correct the file.' })),
    ...unknownVariables(sources.environment),
    ...(parsed.error?.issues ?? []).flatMap(issue => problemsOf(issue, gathered)),
  ]
  if (!parsed.success || problems.length > 0) return refuse(problems)
  return { ...parsed.data, dataDir: resolve(sources.workingDirectory, parsed.data.dataDir) }
}

type Gathered = {
  readonly values: Record<string, unknown>
  /** Where the value at a path came from. */
  from(path: readonly PropertyKey[]): string
}

function gather(sources: ConfigSources, file: ConfigFile | undefined): Gathered {
  const values = structuredClone(file?.values ?? {})
  const origins = new Map<string, string>()
  const put = (setting: Setting, text: string | undefined, origin: string) => {
    if (text === undefined || text === '') return
    if (putAt(values, setting.path, fromText(setting, text))) origins.set(setting.key, origin)
  }
  for (const setting of settings) {
    if (setting.key === 'databaseUrl') put(setting, sources.environment.DATABASE_URL, 'DATABASE_URL')
    put(setting, sources.environment[setting.variable], setting.variable)
    put(setting, sources.flags?.[setting.key], flagOf(setting.key))
  }
  const from = (path: readonly PropertyKey[]): string =>
    origins.get(keyOf(path)) ?? file?.locate(path) ?? 'the defaults'
  return { values, from }
}

/** Puts a value into nested objects; false where the file has something else than an object, which the schema then refuses. */
function putAt(values: Record<string, unknown>, path: readonly string[], value: unknown): boolean {
  const [step, ...rest] = path
  if (step === undefined) return false
  if (rest.length === 0) {
    values[step] = value
    return true
  }
  const inner = values[step] ?? {}
  if (!isObject(inner)) return false
  const copy = { ...inner }
  values[step] = copy
  return putAt(copy, rest, value)
}

function keyOf(path: readonly PropertyKey[]): string {
  const known = settings.find(setting => setting.path.every((step, i) => step === path[i]))
  return known?.key ?? path.map(String).join('.')
}

function flagOf(key: string): string {
  return `--${key.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`
}

function unknownVariables(given: Environment): ConfigProblem[] {
  const known = [...settings.map(setting => setting.variable), ...clientVariables]
  return Object.keys(given)
    .filter(name => name.startsWith('GATEHOUSE_') && !known.includes(name))
    .sort()
    .map(name => ({
      path: name,
      from: 'environment',
      problem: 'There is no such setting.',
      fix: didYouMean(name, known) ?? 'Unset it; docs/configuration.md lists every setting.',
    }))
}

function didYouMean(word: string, known: readonly string[]): string | undefined {
  const meant = nearest(word, known)
  return meant === undefined ? undefined : `Did you mean ${meant}?`
}

type Issue = { code: string; path: PropertyKey[]; message: string; keys?: string[] }

function problemsOf(issue: Issue, gathered: Gathered): ConfigProblem[] {
  if (issue.code === 'unrecognized_keys')
    return (issue.keys ?? []).map(key => unknownKey([...issue.path, key], gathered))
  const key = keyOf(issue.path)
  const setting = settings.find(known => known.key === key)
  const value = issue.path.reduce<unknown>(
    (inner, step) =>
      isObject(inner) ? inner[String(step)] : Array.isArray(inner) ? inner[Number(step)] : inner,
    gathered.values,
  )
  const problem = {
    path: issue.path.map(String).join('.'),
    from: gathered.from(issue.path),
    problem: `${issue.message}.`,
    fix: setting?.description ?? 'docs/configuration.md lists every setting.',
  }
  return [setting === undefined || setting.isSecret ? problem : { ...problem, value: JSON.stringify(value) }]
}

function unknownKey(path: readonly PropertyKey[], gathered: Gathered): ConfigProblem {
  const beside = settings.filter(
    setting =>
      setting.path.length >= path.length && path.slice(0, -1).every((step, i) => step === setting.path[i]),
  )
  const names = beside.map(setting => setting.path[path.length - 1] ?? '')
  return {
    path: path.map(String).join('.'),
    from: gathered.from(path),
    problem: 'There is no such setting.',
    fix: didYouMean(String(path.at(-1)), names) ?? 'Remove it; docs/configuration.md lists every setting.',
  }
}

function refuse(problems: readonly ConfigProblem[]): never {
  const lines = problems.map(({ path, value, from, problem, fix }) => {
    const is = value === undefined ? '' : ` is ${value}`
    return `${path}${is} (from ${from}): ${problem} ${fix}`
  })
  return fail('config.invalid', { why: lines.join('\n'), data: { problems } })
}
