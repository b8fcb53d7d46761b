import type { Command } from 'commander'
import { fail } from '../foundation/errors.ts'
import { isObject } from '../foundation/json.ts'
import { path } from './api.ts'
import { type Kit, leaf, oneMore, type SharedOptions } from './kit.ts'
import { readText } from './read-text.ts'
import type { Column } from './table.ts'

const columns: readonly Column[] = [
  ['CLIENT ID', 'clientId'],
  ['TITLE', 'title'],
  ['BY', 'registeredBy'],
  ['AUTHENTICATION', 'authentication'],
  ['USED', 'usedAt'],
]

type ClientOptions = SharedOptions & {
  readonly title?: string
  readonly redirect?: readonly string[]
  readonly authentication?: string
  readonly jwks?: string
  readonly jwksUri?: string
}

export function addOAuthClientCommands(program: Command, kit: Kit): void {
  const client = program
    .command('oauth-client')
    .description('OAuth clients: applications that act for people')
  leaf(client, 'list', 'list OAuth clients, also those that registered themselves').action(
    (options: SharedOptions) =>
      kit.online(options, 'Listing OAuth clients', async ({ api }) =>
        kit.showList(options, await api.list('/oauth-clients'), columns),
      ),
  )
  leaf(client, 'show <client-id>', 'show an OAuth client').action((id: string, options: SharedOptions) =>
    kit.online(options, 'Reading the OAuth client', async ({ api }) => {
      const shown = await api.get(path`/oauth-clients/${id}`)
      kit.show(options, shown, () =>
        Object.entries(shown).map(([name, value]) => `${name}  ${String(value)}`),
      )
    }),
  )
  addWriting(client, kit)
}

function addWriting(client: Command, kit: Kit): void {
  leaf(client, 'add <name>', 'register an OAuth client for the company; the name is its client_id')
    .option('--title <text>', 'what people are shown')
    .option('--redirect <uri>', 'where it may be answered; may be given more than once', oneMore)
    .option('--authentication <how>', 'none, secret or key')
    .option('--jwks <file>', 'its public keys, as a JWK set or one JWK; - is stdin')
    .option('--jwks-uri <url>', 'where it publishes its public keys')
    .action(
      (name: string, { title, redirect = [], authentication, jwks, jwksUri, ...options }: ClientOptions) =>
        kit.online(options, 'Adding the OAuth client', async ({ api }) => {
          const hasKeys = jwks !== undefined || jwksUri !== undefined
          const body = {
            name,
            redirectUris: redirect,
            authentication: authentication ?? (hasKeys ? 'key' : 'none'),
            ...(title === undefined ? {} : { title }),
            ...(jwks === undefined ? {} : { keys: keysIn(readText(kit, jwks), jwks) }),
            ...(jwksUri === undefined ? {} : { jwksUri }),
          }
          const added = await api.post('/oauth-clients', body)
          kit.show(options, added, () => [`Added the OAuth client ${name}.`, ...secretLines(added)])
        }),
    )
  leaf(client, 'secret <client-id>', 'give an OAuth client a new secret; the old one ends at once').action(
    (id: string, options: SharedOptions) =>
      kit.online(options, 'Making a secret', async ({ api }) => {
        const renewed = await api.post(path`/oauth-clients/${id}/secret`, {})
        kit.show(options, renewed, () => secretLines(renewed))
      }),
  )
  leaf(client, 'remove <client-id>', 'remove an OAuth client, with all its tokens').action(
    (id: string, options: SharedOptions) =>
      kit.online(options, 'Removing the OAuth client', async ({ api }) => {
        await api.remove(path`/oauth-clients/${id}`)
        kit.show(options, { removed: id }, () => [`Removed the OAuth client ${id}.`])
      }),
  )
}

function keysIn(text: string, file: string): readonly unknown[] {
  const wrong = {
    why: `${file} has no JWK set in it.`,
    fix: 'Name a file with {"keys": [...]}, or one public JWK.',
  }
  let said: unknown
  try {
    said = JSON.parse(text)
  } catch (cause) {
    return fail('cli.usage', { ...wrong, cause })
  }
  if (!isObject(said)) return fail('cli.usage', wrong)
  if (Array.isArray(said.keys)) return said.keys
  return 'kty' in said ? [said] : fail('cli.usage', wrong)
}

function secretLines({ secret }: Readonly<Record<string, unknown>>): string[] {
  return typeof secret === 'string' ? [`Its secret, shown only now: ${secret}`] : []
}
