import type { Command } from 'commander'
import { fail } from '../foundation/errors.ts'
import { addAccountCredentialCommands, change } from './account-credentials.ts'
import { path } from './api.ts'
import { type Kit, leaf, type SharedOptions } from './kit.ts'
import type { Column } from './table.ts'
import { disabledOf, nothingToChange } from './user.ts'

const columns: readonly Column[] = [
  ['NAME', 'name'],
  ['OWNER', 'owner'],
  ['DISABLED', 'disabled'],
  ['SINCE', 'createdAt'],
]

type AccountOptions = SharedOptions & {
  readonly owner?: string
  readonly disable?: boolean
  readonly enable?: boolean
  readonly dpop?: string
}

export function addAccountCommands(program: Command, kit: Kit): void {
  const account = program.command('account').description('virtual accounts: programs that call tools')
  leaf(account, 'list', 'list virtual accounts').action((options: SharedOptions) =>
    kit.online(options, 'Listing accounts', async ({ api }) =>
      kit.showList(options, await api.list('/accounts'), columns),
    ),
  )
  leaf(account, 'add <name>', 'add a virtual account')
    .option('--owner <subject>', 'who answers for it: user:<email>')
    .action((name: string, options: AccountOptions) =>
      kit.online(options, 'Adding the account', async ({ api }) => {
        const added = await api.post('/accounts', { name, ...ownerOf(options) })
        kit.show(options, added, () => [
          `Added the account ${name}.`,
          `Make it a token with: gatehouse token create --account ${name}`,
          `or a client secret, for short tokens: gatehouse account secret add ${name}`,
        ])
      }),
    )
  leaf(account, 'update <name>', 'give a virtual account another owner, disable or enable it')
    .option('--owner <subject>', 'who answers for it: user:<email>')
    .option('--disable', 'refuse all its tokens')
    .option('--enable', 'accept its tokens again')
    .option('--dpop <how>', 'required: its tokens are bound to a key, and no other is taken; or accepted')
    .action((name: string, options: AccountOptions) =>
      kit.online(options, 'Changing the account', async ({ api }) => {
        const changes = { ...ownerOf(options), ...disabledOf(options) }
        const { dpop } = options
        if (Object.keys(changes).length === 0 && dpop === undefined) fail('cli.usage', nothingToChange)
        if (dpop !== undefined) await change(api, name, before => ({ ...before, dpop }))
        const changed = await api.patch(path`/accounts/${name}`, changes)
        kit.show(options, changed, () => [`Changed the account ${name}.`])
      }),
    )
  addAccountCredentialCommands(account, kit)
  leaf(account, 'remove <name>', 'remove a virtual account and its tokens').action(
    (name: string, options: SharedOptions) =>
      kit.online(options, 'Removing the account', async ({ api }) => {
        await api.remove(path`/accounts/${name}`)
        kit.show(options, { removed: name }, () => [`Removed the account ${name}.`])
      }),
  )
}

/** An owner may be given as the subject it is, or as a bare e-mail. */
function ownerOf({ owner }: AccountOptions): { owner?: string } {
  if (owner === undefined) return {}
  return { owner: owner.includes(':') ? owner : `user:${owner}` }
}
