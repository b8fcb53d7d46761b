import type { Command } from 'commander'
import { path } from './api.ts'
import { commaList, type Kit, leaf, oneMore, type SharedOptions } from './kit.ts'
import type { Column } from './table.ts'

const columns: readonly Column[] = [
  ['NAME', 'name'],
  ['DESCRIPTION', 'description'],
  ['MANAGERS', 'managers'],
]
const grantColumns: readonly Column[] = [
  ['ID', 'id'],
  ['SUBJECT', 'subject'],
  ['SERVERS', item => item.servers ?? 'all'],
  ['TOOLS', item => item.tools ?? 'all'],
]

type GroupOptions = SharedOptions & { readonly description?: string; readonly manager?: string[] }
type GrantOptions = SharedOptions & { readonly servers?: string[]; readonly tools?: string[] }

export function addGroupCommands(program: Command, kit: Kit): void {
  const group = program.command('group').description('server groups: what is managed and granted together')
  leaf(group, 'list', 'list the groups you may use or manage').action((options: SharedOptions) =>
    kit.online(options, 'Listing groups', async ({ api }) =>
      kit.showList(options, await api.list('/groups'), columns),
    ),
  )
  leaf(group, 'add <name>', 'add a server group')
    .option('--description <text>', 'for people')
    .option('--manager <subject>', 'who manages it, such as user:<email>; may be repeated', oneMore)
    .action((name: string, { description, manager, ...options }: GroupOptions) =>
      kit.online(options, 'Adding the group', async ({ api }) => {
        const added = await api.post('/groups', { name, description, managers: manager })
        kit.show(options, added, () => [
          `Added the group ${name}.`,
          `Give access with: gatehouse group grant ${name} <subject>`,
        ])
      }),
    )
  leaf(group, 'remove <name>', 'remove an empty group and its grants').action(
    (name: string, options: SharedOptions) =>
      kit.online(options, 'Removing the group', async ({ api }) => {
        await api.remove(path`/groups/${name}`)
        kit.show(options, { removed: name }, () => [`Removed the group ${name}.`])
      }),
  )
  addGrantCommands(group, kit)
  addManagerCommands(group.command('manager').description('who manages a group'), kit)
}

function addGrantCommands(group: Command, kit: Kit): void {
  leaf(group, 'grants <group>', 'list who may use the servers of a group').action(
    (name: string, options: SharedOptions) =>
      kit.online(options, 'Listing grants', async ({ api }) =>
        kit.showList(options, await api.list(path`/groups/${name}/grants`), grantColumns),
      ),
  )
  leaf(group, 'grant <group> <subject>', 'give user:<email>, team:<name>, account:<name> or everyone access')
    .option('--servers <names>', 'only these servers of the group, comma-separated', commaList)
    .option('--tools <names>', 'only these tools: names and globs, comma-separated, or readOnly', commaList)
    .action((name: string, subject: string, options: GrantOptions) =>
      kit.online(options, 'Giving access', async ({ api }) => {
        const tools = options.tools?.join() === 'readOnly' ? 'readOnly' : options.tools
        const made = await api.post(path`/groups/${name}/grants`, {
          subject,
          servers: options.servers,
          tools,
        })
        kit.show(options, made, () => [
          `${subject} may use ${options.servers?.join(', ') ?? 'all servers'} of ${name}, ${toolsOf(tools)}.`,
          `Take it back with: gatehouse group revoke ${name} ${String(made.id)}`,
        ])
      }),
    )
  leaf(group, 'revoke <group> <id>', 'take a grant back').action(
    (name: string, id: string, options: SharedOptions) =>
      kit.online(options, 'Taking access away', async ({ api }) => {
        await api.remove(path`/groups/${name}/grants/${id}`)
        kit.show(options, { revoked: id }, () => [`Took the grant ${id} back.`])
      }),
  )
}

function toolsOf(tools: 'readOnly' | readonly string[] | undefined): string {
  if (tools === undefined) return 'all tools'
  return tools === 'readOnly' ? 'read-only tools' : `tools ${tools.join(', ')}`
}

function addManagerCommands(manager: Command, kit: Kit): void {
  leaf(manager, 'add <group> <subject>', 'let user:<email> or team:<name> manage a group').action(
    (name: string, subject: string, options: SharedOptions) =>
      kit.online(options, 'Adding the manager', async ({ api }) => {
        await api.put(path`/groups/${name}/managers/${subject}`)
        kit.show(options, { group: name, added: subject }, () => [`${subject} manages ${name}.`])
      }),
  )
  leaf(manager, 'remove <group> <subject>', 'stop somebody from managing a group').action(
    (name: string, subject: string, options: SharedOptions) =>
      kit.online(options, 'Removing the manager', async ({ api }) => {
        await api.remove(path`/groups/${name}/managers/${subject}`)
        kit.show(options, { group: name, removed: subject }, () => [
          `${subject} does not manage ${name} any more.`,
        ])
      }),
  )
}
