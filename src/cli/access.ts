/** Questions about access: why somebody may do something, and what a change would change. */
import type { Command } from 'commander'
import { isObject, type JsonObject } from '../foundation/json.ts'
import { exitCodes } from './command-error.ts'
import { type Kit, leaf, type SharedOptions } from './kit.ts'
import { parsedObject } from './parsed-object.ts'
import { addSimulateCommand } from './simulate.ts'
import { plain } from './table.ts'

type WhyOptions = SharedOptions &
  Readonly<Record<'args' | 'resource' | 'prompt' | 'address' | 'at', string | undefined>>

export function addAccessCommands(program: Command, kit: Kit): void {
  const access = program
    .command('access')
    .description('why somebody may do something or not, and what a change would change')
  leaf(access, 'why <subject> [group/server] [tool]', 'say what decides, and what would change it')
    .option('--args <json>', 'the arguments of the call')
    .option('--resource <uri>', 'a resource, in place of a tool')
    .option('--prompt <name>', 'a prompt, in place of a tool')
    .option('--address <ip>', 'where the call comes from')
    .option('--at <time>', 'when it is made, as an ISO time')
    .addHelpText(
      'after',
      `
The subject is user:<email>, account:<name>, team:<name>, everyone, or me. Without a server it is about /mcp.
Ends with 0 when it is allowed and with 1 when it is not.

Examples:
  gatehouse access why user:ana@example.com eng/files write_file
  gatehouse access why me eng/files read_file --args '{"path":"/srv/a.txt"}'`,
    )
    .action((subject: string, server: string | undefined, tool: string | undefined, options: WhyOptions) =>
      kit.online(options, 'Asking why', async ({ api }) => {
        const { args, resource, prompt, address, at } = options
        const answer = await api.post('/access/explain', {
          ...(subject !== 'me' && { subject }),
          ...{ server, tool, resource, prompt, address, at },
          ...(args !== undefined && { arguments: parsedObject('--args', args, '{"name":"value"}') }),
        })
        if (answer.allowed !== true) kit.setExitCode(exitCodes.failed)
        kit.show(options, answer, () => whyLines(kit, answer))
      }),
    )
  addSimulateCommand(access, kit)
}

const signs: Readonly<Record<string, string>> = { passes: '+', stops: '-', depends: '?', tells: ' ' }

function whyLines({ terminal }: Kit, answer: JsonObject): string[] {
  const { allowed, depends, says, decision, steps, wouldChange } = answer
  const style = allowed === true ? (depends === true ? 'yellow' : 'green') : 'red'
  const reason = isObject(decision) ? `Decided by: ${line(decision.reason).replace(/\.$/, '')}.` : ''
  return [
    terminal.paint(style, `${allowed === true ? 'Yes' : 'No'}: ${line(says)}`),
    reason,
    '',
    ...objects(steps).flatMap(stepLines),
    ...wayLines(objects(wouldChange)),
  ]
}

function stepLines({ step, outcome, says }: JsonObject): string[] {
  const [first = '', ...more] = plain(String(says)).split('\n')
  const sign = signs[String(outcome)] ?? ' '
  return [`${sign} ${line(step)}: ${first}`, ...more.map(text => `    ${text}`)]
}

function wayLines(ways: readonly JsonObject[]): string[] {
  const [first] = ways
  if (first === undefined) return []
  const title = ways.length === 1 ? 'What would change it:' : 'Any of these would change it:'
  return ['', title, ...ways.flatMap(({ all }) => changeLines(objects(all)))]
}

/** What belongs together stands together: each further change of a way begins with "and". */
function changeLines(changes: readonly JsonObject[]): string[] {
  return changes.flatMap(({ says, command, tools }, at) => [
    `${at === 0 ? '*' : '  and'} ${line(says)}`,
    ...(command === undefined ? [] : [`    ${line(command)}`]),
    ...(tools === undefined ? [] : [`    tools: ${line(JSON.stringify(tools))}`]),
  ])
}

function objects(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : []
}

function line(value: unknown): string {
  return plain(String(value)).replaceAll('\n', ' ')
}
