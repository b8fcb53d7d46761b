import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { fail } from '../foundation/errors.ts'
import { isObject, type JsonObject } from '../foundation/json.ts'
import { path } from './api.ts'
import { exitCodes } from './command-error.ts'
import { type Kit, leaf, type SharedOptions } from './kit.ts'
import { type Column, plain } from './table.ts'

const columns: readonly Column[] = [
  ['NAME', 'name'],
  ['MODE', 'mode'],
  ['VERSION', 'version'],
  ['DESCRIPTION', 'description'],
]

type TextOptions = SharedOptions & { readonly file?: string; readonly text?: string }
type AddOptions = TextOptions & { readonly shadow?: boolean; readonly description?: string }
type SchemaOptions = SharedOptions & { readonly resource?: string }

export function addPolicyCommands(program: Command, kit: Kit): void {
  const policy = program.command('policy').description('conditions on arguments, time and place, in Cedar')
  leaf(policy, 'list', 'list policies').action((options: SharedOptions) =>
    kit.online(options, 'Listing policies', async ({ api }) =>
      kit.showList(options, await api.list('/policies'), columns),
    ),
  )
  leaf(policy, 'show <name>', 'print the text of a policy').action((name: string, options: SharedOptions) =>
    kit.online(options, 'Reading the policy', async ({ api }) => {
      const shown = await api.get(path`/policies/${name}`)
      kit.show(options, shown, () => plain(String(shown.text)).trimEnd().split('\n'))
    }),
  )
  addChangeCommands(policy, kit)
  addCheckCommands(policy, kit)
}

function addChangeCommands(policy: Command, kit: Kit): void {
  leaf(policy, 'add <name>', 'add a policy, or change it')
    .option('--file <file>', 'file with its statements')
    .option('--text <cedar>', 'its statements')
    .option('--shadow', 'decide nothing; let the audit say what it would have changed')
    .option('--description <text>', 'for people')
    .action((name: string, options: AddOptions) =>
      kit.online(options, 'Saving the policy', async ({ api }) => {
        const { shadow, description = '' } = options
        const mode = shadow === true ? 'shadow' : 'enforce'
        const body = { mode, description, text: textOf(kit, options) }
        const saved = await api.put(path`/policies/${name}`, body)
        const effect = mode === 'shadow' ? 'only watches' : 'is in force'
        kit.show(options, saved, () => [
          `The policy ${name} ${effect}, version ${String(saved.version)}.`,
          ...linesOf('warning', saved.warnings),
        ])
      }),
    )
  leaf(policy, 'remove <name>', 'remove a policy').action((name: string, options: SharedOptions) =>
    kit.online(options, 'Removing the policy', async ({ api }) => {
      await api.remove(path`/policies/${name}`)
      kit.show(options, { removed: name }, () => [`Removed the policy ${name}.`])
    }),
  )
}

function addCheckCommands(policy: Command, kit: Kit): void {
  leaf(policy, 'validate [file]', 'say what is wrong with a policy, without saving it')
    .option('--text <cedar>', 'its statements, in place of a file')
    .action((file: string | undefined, options: TextOptions) =>
      kit.online(options, 'Checking the policy', async ({ api }) => {
        const text = textOf(kit, file === undefined ? options : { ...options, file })
        const checked = await api.post('/policies/validate', { text })
        if (checked.valid !== true) kit.setExitCode(exitCodes.failed)
        kit.show(options, checked, () => [
          ...linesOf('problem', checked.problems),
          ...linesOf('warning', checked.warnings),
          checked.valid === true ? 'The policy is valid.' : 'The policy is not valid.',
        ])
      }),
    )
  leaf(policy, 'schema', 'print what a policy can be about, as a schema of Cedar')
    .option('--resource <place>', 'only for group, group/server or group/server/tool')
    .action((options: SchemaOptions) =>
      kit.online(options, 'Reading the schema', async ({ api }) => {
        const query = options.resource === undefined ? '' : path`?resource=${options.resource}`
        const schema = await api.get(`/policies/schema${query}`)
        kit.show(options, schema, () => schemaLines(schema))
      }),
    )
}

function textOf({ workingDirectory }: Kit, { file, text }: TextOptions): string {
  if ((file === undefined) === (text === undefined))
    fail('cli.usage', { why: 'Name a file or give the text, one of them.', fix: 'Use --file or --text.' })
  if (text !== undefined) return text
  try {
    return readFileSync(resolve(workingDirectory, file ?? ''), 'utf8')
  } catch (cause) {
    return fail('cli.usage', { why: `The file ${file} cannot be read.`, cause })
  }
}

function linesOf(kind: string, problems: unknown): string[] {
  return (Array.isArray(problems) ? problems : [])
    .filter(isObject)
    .flatMap(({ line, column, why, fix }) => [
      plain(`${kind} at line ${String(line)}, column ${String(column)}: ${String(why)}`),
      plain(`  fix: ${String(fix)}`),
    ])
}

function schemaLines({ schema, conflicts, unread }: JsonObject): string[] {
  const notes = (title: string, items: unknown) =>
    (Array.isArray(items) ? items : []).map(item => `// ${title}: ${String(item)}`)
  return [
    ...plain(String(schema)).trimEnd().split('\n'),
    ...notes('left out', conflicts).map(plain),
    ...notes('never read', unread).map(plain),
  ]
}
