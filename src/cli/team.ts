import type { Command } from 'commander'
import { path } from './api.ts'
import { commaList, type Kit, leaf, type SharedOptions } from './kit.ts'
import type { Column } from './table.ts'

const columns: readonly Column[] = [
  ['NAME', 'name'],
  ['MEMBERS', 'members'],
  ['SINCE', 'createdAt'],
]

export function addTeamCommands(program: Command, kit: Kit): void {
  const team = program.command('team').description('teams of users, which grants can name')
  leaf(team, 'list', 'list teams').action((options: SharedOptions) =>
    kit.online(options, 'Listing teams', async ({ api }) =>
      kit.showList(options, await api.list('/teams'), columns),
    ),
  )
  leaf(team, 'add <name>', 'add a team')
    .option('--members <emails>', 'its first members, comma-separated', commaList)
    .action((name: string, options: SharedOptions & { members?: string[] }) =>
      kit.online(options, 'Adding the team', async ({ api }) => {
        const added = await api.post('/teams', { name, members: options.members ?? [] })
        kit.show(options, added, () => [`Added the team ${name}.`])
      }),
    )
  leaf(team, 'remove <name>', 'remove a team').action((name: string, options: SharedOptions) =>
    kit.online(options, 'Removing the team', async ({ api }) => {
      await api.remove(path`/teams/${name}`)
      kit.show(options, { removed: name }, () => [`Removed the team ${name}.`])
    }),
  )
  addMemberCommands(team.command('member').description('who is in a team'), kit)
}

function addMemberCommands(member: Command, kit: Kit): void {
  leaf(member, 'add <team> <email>', 'put a user into a team').action(
    (team: string, email: string, options: SharedOptions) =>
      kit.online(options, 'Adding the member', async ({ api }) => {
        await api.put(path`/teams/${team}/members/${email}`)
        kit.show(options, { team, added: email }, () => [`${email} is in the team ${team}.`])
      }),
  )
  leaf(member, 'remove <team> <email>', 'take a user out of a team').action(
    (team: string, email: string, options: SharedOptions) =>
      kit.online(options, 'Removing the member', async ({ api }) => {
        await api.remove(path`/teams/${team}/members/${email}`)
        kit.show(options, { team, removed: email }, () => [`${email} is not in the team ${team} any more.`])
      }),
  )
}
