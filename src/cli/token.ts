import type { Command } from 'commander'
import { isObject } from '../foundation/json.ts'
import { path } from './api.ts'
import { type Kit, leaf, type SharedOptions } from './kit.ts'
import type { Column } from './table.ts'

const columns: readonly Column[] = [
  ['ID', 'id'],
  ['SUBJECT', 'subject'],
  ['NAME', 'name'],
  ['TOKEN', 'hint'],
  ['STATE', 'state'],
  ['EXPIRES', 'expiresAt'],
  ['LAST USED', 'lastUsedAt'],
]

type TokenOptions = SharedOptions & {
  readonly user?: string
  readonly account?: string
  readonly name?: string
  readonly expires?: string
}

type ListOptions = SharedOptions & { readonly expiring?: string; readonly unused?: string }
type RotateOptions = SharedOptions & { readonly expires?: string; readonly deadline?: string }

export function addTokenCommands(program: Command, kit: Kit): void {
  const token = program.command('token').description('tokens of users and virtual accounts')
  leaf(token, 'create', 'make a token; it is shown once')
    .option('--user <email>', 'a personal access token of this user (your own unless told)')
    .option('--account <name>', 'a token of this virtual account')
    .option('--name <text>', 'what it is for')
    .option('--expires <time>', 'how long it is good: 12h, 30d, at most 365d')
    .action((options: TokenOptions) =>
      kit.online(options, 'Making the token', async ({ api }) => {
        const { user, account, name, expires } = options
        const made = await api.post('/tokens', { user, account, name, expires })
        // The token is the answer; the rest goes beside it, so that TOKEN=$(gatehouse token create) works.
        kit.show(options, made, () => [String(made.token)])
        if (!options.json)
          kit.terminal.note(
            `For ${String(made.subject)} until ${String(made.expiresAt)}. It is not shown again.`,
          )
      }),
    )
  leaf(token, 'list', 'list tokens; the tokens themselves are not kept')
    .option('--expiring <time>', 'only those that are good and expire within this time, such as 14d')
    .option('--unused <time>', 'only those that are good and were not used for this time, such as 90d')
    .action((options: ListOptions) =>
      kit.online(options, 'Listing tokens', async ({ api }) => {
        const { expiring, unused } = options
        const asked = new URLSearchParams()
        if (expiring !== undefined) asked.set('expiring', expiring)
        if (unused !== undefined) asked.set('unused', unused)
        kit.showList(options, await api.list(`/tokens?${asked}`), columns)
      }),
    )
  leaf(token, 'rotate <id>', 'make a token in the place of this one, which stays good until a deadline')
    .option('--expires <time>', 'how long the new one is good (90d unless told)')
    .option('--deadline <time>', 'how long the old one stays good (7d unless told)')
    .action((id: string, options: RotateOptions) =>
      kit.online(options, 'Rotating the token', async ({ api }) => {
        const { expires, deadline } = options
        const made = await api.post(path`/tokens/${id}/rotate`, { expires, deadline })
        kit.show(options, made, () => [String(made.token)])
        if (options.json) return
        const old = isObject(made.replaces) ? String(made.replaces.expiresAt) : ''
        kit.terminal.note(
          `For ${String(made.subject)} until ${String(made.expiresAt)}. It is not shown again. The old one is good until ${old}.`,
        )
      }),
    )
  leaf(token, 'revoke <id>', 'end a token at once').action((id: string, options: SharedOptions) =>
    kit.online(options, 'Revoking the token', async ({ api }) => {
      await api.remove(path`/tokens/${id}`)
      kit.show(options, { revoked: id }, () => [`Revoked the token ${id}.`])
    }),
  )
}
