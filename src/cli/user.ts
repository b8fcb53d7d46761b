import type { Command } from 'commander'
import { fail } from '../foundation/errors.ts'
import { path } from './api.ts'
import { type Kit, leaf, type SharedOptions } from './kit.ts'
import type { Column } from './table.ts'

const columns: readonly Column[] = [
  ['EMAIL', 'email'],
  ['ROLE', 'role'],
  ['TEAMS', 'teams'],
  ['DISABLED', 'disabled'],
  ['SINCE', 'createdAt'],
]

type UserOptions = SharedOptions & {
  readonly role?: string
  readonly disable?: boolean
  readonly enable?: boolean
}

export function addUserCommands(program: Command, kit: Kit): void {
  const user = program.command('user').description('people who use or run this gateway')
  leaf(user, 'list', 'list users').action((options: SharedOptions) =>
    kit.online(options, 'Listing users', async ({ api }) =>
      kit.showList(options, await api.list('/users'), columns),
    ),
  )
  leaf(user, 'add <email>', 'add a user')
    .option('--role <role>', 'admin, member or auditor', 'member')
    .action((email: string, options: UserOptions) =>
      kit.online(options, 'Adding the user', async ({ api }) => {
        const added = await api.post('/users', { email, role: options.role })
        kit.show(options, added, () => [
          `Added ${email} as ${options.role}.`,
          `Make them a token with: gatehouse token create --user ${email}`,
        ])
      }),
    )
  leaf(user, 'update <email>', 'change the role of a user, disable or enable them')
    .option('--role <role>', 'admin, member or auditor')
    .option('--disable', 'refuse all their tokens')
    .option('--enable', 'accept their tokens again')
    .action((email: string, options: UserOptions) =>
      kit.online(options, 'Changing the user', async ({ api }) => {
        const changes = { ...(options.role && { role: options.role }), ...disabledOf(options) }
        if (Object.keys(changes).length === 0) fail('cli.usage', nothingToChange)
        const changed = await api.patch(path`/users/${email}`, changes)
        kit.show(options, changed, () => [`Changed ${email}.`])
      }),
    )
  leaf(user, 'link <email>', 'make a link that signs a user in once, in a browser').action(
    (email: string, options: SharedOptions) =>
      kit.online(options, 'Making the link', async ({ api }) => {
        const link = await api.post(path`/users/${email}/link`, {})
        kit.show(options, link, () => [
          String(link.url),
          `For ${email} alone, once, until ${link.expiresAt}. Then they can add a passkey.`,
        ])
      }),
  )
  leaf(user, 'sign-out <email>', 'end every session of a user in a browser').action(
    (email: string, options: SharedOptions) =>
      kit.online(options, 'Signing the user out', async ({ api }) => {
        const { ended } = await api.remove(path`/users/${email}/sessions`)
        kit.show(options, { ended }, () => [`Signed ${email} out; sessions that ended: ${ended}.`])
      }),
  )
  leaf(user, 'remove <email>', 'remove a user and their tokens').action(
    (email: string, options: SharedOptions) =>
      kit.online(options, 'Removing the user', async ({ api }) => {
        await api.remove(path`/users/${email}`)
        kit.show(options, { removed: email }, () => [`Removed ${email}.`])
      }),
  )
}

export const nothingToChange = {
  why: 'No option says what to change.',
  fix: 'Add one; --help after the command lists them.',
}

/** The `disabled` member that --disable or --enable asks for. */
export function disabledOf(options: { readonly disable?: boolean; readonly enable?: boolean }): {
  disabled?: boolean
} {
  if (options.disable) return { disabled: true }
  return options.enable ? { disabled: false } : {}
}
