import type { Command } from 'commander'
import { fail } from '../foundation/errors.ts'
import { isObject, type JsonObject } from '../foundation/json.ts'
import { path } from './api.ts'
import { exitCodes } from './command-error.ts'
import { commaList, type Kit, leaf, oneMore, type SharedOptions } from './kit.ts'
import { parsedObject } from './parsed-object.ts'
import { probeLines } from './probe-lines.ts'
import { secretsFor } from './secrets.ts'
import { type Column, cell } from './table.ts'

const columns: readonly Column[] = [
  ['SERVER', item => `${cell(item.group)}/${cell(item.name)}`],
  ['TRANSPORT', item => transportOf(item).kind],
  ['WHERE', item => transportOf(item).url ?? transportOf(item).command],
  ['HELD', ({ details }) => (isObject(details) && details.heldTools !== 0 ? details.heldTools : undefined)],
  ['DESCRIPTION', 'description'],
]

/** Only who manages a server is told how it is reached. */
function transportOf({ details }: JsonObject): JsonObject {
  return isObject(details) && isObject(details.transport) ? details.transport : {}
}

type AddOptions = SharedOptions & {
  readonly description?: string
  readonly sse?: boolean
  readonly allowPrivateNetwork?: boolean
  readonly privateNetwork?: string[]
  readonly auth?: string
  readonly env?: string[]
  readonly perUser?: boolean
  readonly header?: string[]
  readonly allow?: string[]
  readonly deny?: string[]
  readonly readOnly?: string[]
  readonly idempotent?: string[]
}

export function addServerCommands(program: Command, kit: Kit): void {
  const server = program.command('server').description('MCP servers behind the gateway')
  leaf(server, 'list', 'list the servers you may use or manage').action((options: SharedOptions) =>
    kit.online(options, 'Listing servers', async ({ api }) =>
      kit.showList(options, await api.list('/servers'), columns),
    ),
  )
  leaf(server, 'show <group/server>', 'show how a server is registered').action(
    (name: string, options: SharedOptions) =>
      kit.online(options, 'Reading the server', async ({ api }) => {
        const { group, server } = splitName(name)
        const shown = await api.get(path`/servers/${group}/${server}`)
        const { details, ...rest } = shown
        const told = { ...rest, ...(isObject(details) && details) }
        kit.show(options, shown, () =>
          Object.entries(told).map(([key, value]) => `${key.padEnd(14)}${cell(value)}`),
        )
      }),
  )
  addAdding(server, kit)
  leaf(
    server,
    'test <group/server>',
    'reach a server step by step, and say what fails and how to repair it',
  ).action((name: string, options: SharedOptions) =>
    kit.online(options, `Testing ${name}`, async ({ api }) => {
      const { group, server } = splitName(name)
      const probe = await api.post(path`/servers/${group}/${server}/test`, {})
      kit.show(options, probe, () => probeLines(kit, probe))
      if (probe.ok !== true) kit.setExitCode(exitCodes.failed)
    }),
  )
  leaf(server, 'remove <group/server>', 'remove a server').action((name: string, options: SharedOptions) =>
    kit.online(options, 'Removing the server', async ({ api }) => {
      const { group, server } = splitName(name)
      await api.remove(path`/servers/${group}/${server}`)
      kit.show(options, { removed: name }, () => [`Removed ${name}.`])
    }),
  )
}

function addAdding(server: Command, kit: Kit): void {
  leaf(
    server,
    'add <group/server> <target...>',
    'register a server: its URL, or after -- the command that runs it',
  )
    .option('--description <text>', 'for people')
    .option('--sse', 'the URL is an HTTP+SSE server (revision 2024-11-05)')
    .option('--allow-private-network', 'let it be at any loopback or private address')
    .option(
      '--private-network <hosts>',
      'let it be at these hosts, private addresses and ranges, comma-separated: db.corp.example,10.1.0.0/16',
      commaList,
    )
    .option('--auth <kind>', 'how the gateway authenticates there: oauth2, or all of it as JSON')
    .option(
      '--header <name: value>',
      'sent with every request, may be repeated; $' + '{env:NAME} and $' + '{file:/path} stand for secrets',
      oneMore,
    )
    .option('--env <name=value>', 'environment of the command; may be repeated', oneMore)
    .option('--per-user', 'run one process of the command for each caller')
    .option('--allow <tools>', 'only these tools, comma-separated names and globs', commaList)
    .option('--deny <tools>', 'not these tools, comma-separated names and globs', commaList)
    .option('--read-only <tools>', 'confirm that these tools change nothing', commaList)
    .option('--idempotent <tools>', 'confirm that these tools do the same once or twice', commaList)
    .addHelpText(
      'after',
      `
Examples:
  gatehouse server add tools/everything http://localhost:3001/mcp --allow-private-network
  gatehouse server add tools/files -- npx -y @modelcontextprotocol/server-filesystem /srv/files`,
    )
    .action((name: string, target: string[], options: AddOptions) =>
      kit.online(options, `Registering and testing ${name}`, async ({ api }) => {
        const place = splitName(name)
        const added = await api.post('/servers', registration(kit, place, { target, options }))
        const probe = await api.post(path`/servers/${place.group}/${place.server}/test`, {})
        kit.show(options, { ...added, probe }, () => [`Added ${name}.`, ...probeLines(kit, probe)])
      }),
    )
}

function registration(
  kit: Kit,
  { group, server }: { group: string; server: string },
  { target, options }: { target: readonly string[]; options: AddOptions },
): JsonObject {
  const [first = '', ...args] = target
  const isUrl = /^https?:\/\//.test(first)
  if (isUrl && args.length > 0) fail('cli.usage', { why: 'A URL takes no arguments.' })
  const transport = isUrl ? overHttp(first, options) : asCommand(first, args, options)
  const auth = authOf(options)
  const secrets = secretsFor(JSON.stringify([transport, auth]), kit)
  return {
    group,
    name: server,
    ...(options.description !== undefined && { description: options.description }),
    transport,
    ...(auth !== undefined && { auth }),
    tools: policyOf(options),
    ...(Object.keys(secrets).length > 0 && { secrets }),
  }
}

function authOf({ auth, header }: AddOptions): JsonObject | undefined {
  if (auth !== undefined && header !== undefined)
    fail('cli.usage', { why: '--header is an authentication of its own; --auth is another.' })
  if (header !== undefined) return { kind: 'headers', headers: pairs(header, ':') }
  if (auth === undefined) return undefined
  return auth.startsWith('{') ? parsedObject('--auth', auth, '{"kind":"oauth2"}') : { kind: auth }
}

function overHttp(url: string, options: AddOptions): JsonObject {
  const kind = options.sse ? 'sse' : 'streamable-http'
  const allowPrivateNetwork = options.allowPrivateNetwork ? true : options.privateNetwork
  return { kind, url, ...(allowPrivateNetwork !== undefined && { allowPrivateNetwork }) }
}

function asCommand(command: string, args: readonly string[], options: AddOptions): JsonObject {
  const env = pairs(options.env ?? [], '=')
  return { kind: 'stdio', command, args, env, instance: options.perUser ? 'per-user' : 'shared' }
}

function policyOf({ allow, deny, readOnly, idempotent }: AddOptions): JsonObject {
  return {
    default: allow === undefined ? 'allow' : 'deny',
    allow: allow ?? [],
    deny: deny ?? [],
    ...(readOnly && { readOnly }),
    ...(idempotent && { idempotent }),
  }
}

/** `group/server` as its two parts. Throws `cli.usage`. */
export function splitName(name: string): { group: string; server: string } {
  const [group, server, ...more] = name.split('/')
  if (!group || !server || more.length > 0)
    return fail('cli.usage', {
      why: `${name} is not the name of a server.`,
      fix: 'Write it as <group>/<server>.',
    })
  return { group, server }
}

function pairs(texts: readonly string[], separator: string): Record<string, string> {
  return Object.fromEntries(
    texts.map(text => {
      const at = text.indexOf(separator)
      if (at < 1)
        return fail('cli.usage', { why: `An option lacks the ${separator} between name and value.` })
      return [text.slice(0, at).trim(), text.slice(at + 1).trim()]
    }),
  )
}
