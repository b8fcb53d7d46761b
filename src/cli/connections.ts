import type { Command } from 'commander'
import { mapValues } from '../foundation/map-values.ts'
import { resolveReferences } from '../vault/index.ts'
import { path } from './api.ts'
import { type Kit, leaf, oneMore, type SharedOptions, shared } from './kit.ts'
import { secretsFor } from './secrets.ts'
import type { Column } from './table.ts'

const columns: readonly Column[] = [
  ['SERVER', 'server'],
  ['WHOSE', 'owner'],
  ['STATE', 'state'],
  ['AS', 'account'],
  ['SCOPES', 'scopes'],
  ['UNTIL', ({ renews, expiresAt }) => (renews === true ? 'renewed by itself' : expiresAt)],
  ['REPAIR', 'repair'],
  ['ID', 'id'],
]

type Giving = SharedOptions & { readonly value?: readonly string[]; readonly owner?: string }
type Listing = SharedOptions & { readonly mine?: true; readonly server?: string }

/** Accounts at servers: connecting one needs a browser, and the list says which page. */
export function addConnectionsCommands(program: Command, kit: Kit): void {
  const connections = program
    .command('connections')
    .description('accounts at servers: whose, what is wrong with them, and what repairs it')
  const list = connections.command('list', { isDefault: true })
  shared(list.description('list connections; those of everybody, for who may see them'))
    .option('--mine', 'only your own, and those that you still need')
    .option('--server <group/server>', 'only those at this server')
    .option('--json', 'answer as JSON')
    .action(({ mine, server, ...options }: Listing) =>
      kit.online(options, 'Listing connections', async ({ api }) => {
        const { role } = await api.get('/me')
        const isAll = mine === undefined && (role === 'admin' || role === 'auditor')
        const query = new URLSearchParams({ ...(isAll && { all: 'true' }), ...(server && { server }) })
        kit.showList(options, await api.list(`/connections?${query}`), columns)
      }),
    )
  leaf(
    connections,
    'set <group/server>',
    'give values that a server wants of you, or of others whom you manage',
  )
    .option('--value <NAME=value>', `a value; \${env:VARIABLE} and \${file:/path} are read here`, oneMore)
    .option(
      '--owner <subject>',
      'whose they are, user:<email>, account:<name> or team:<name>; yours unless told',
    )
    .action((server: string, { value = [], owner, ...options }: Giving) =>
      kit.online(options, 'Keeping the values', async ({ api }) => {
        const given = value.map(each => each.split(/=(.*)/s))
        const texts = Object.fromEntries(given.map(([name = '', text = '']) => [name, text]))
        const values = mapValues(texts, text => resolveReferences(text, secretsFor(text, kit)))
        await api.put('/connections', { server, ...(owner && { owner }), values })
        kit.show(options, { server, values: Object.keys(values) }, () => [
          `Kept, sealed: ${Object.keys(values).join(', ')}.`,
        ])
      }),
    )
  leaf(connections, 'remove <id>', 'take a connection back, here and at its server').action(
    (id: string, options: SharedOptions) =>
      kit.online(options, 'Taking the connection back', async ({ api }) => {
        await api.remove(path`/connections/${id}`)
        kit.show(options, { removed: id }, () => ['Taken back. Its secrets are erased.'])
      }),
  )
}
