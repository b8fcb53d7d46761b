import type { Command } from 'commander'
import { fail } from '../foundation/errors.ts'
import type { JsonObject } from '../foundation/json.ts'
import { nearest } from '../foundation/nearest.ts'
import { addressOf } from './address.ts'
import { type Kit, leaf, type Session, type SharedOptions } from './kit.ts'
import { type Place, type Snippet, snippets } from './snippets.ts'
import { cell } from './table.ts'

type ConnectOptions = SharedOptions & { readonly token?: string; readonly signIn?: boolean }

export function addConnectCommand(program: Command, kit: Kit): void {
  const clients = Object.keys(snippets)
  leaf(
    program,
    'connect <client> [group/server]',
    `print how to connect a client, to a server or with /mcp to everything: ${clients.join(', ')}`,
  )
    .option('--token <token>', 'put this token into it')
    .option('--sign-in', 'without a token: the client asks its person to sign in')
    .action((client: string, name: string | undefined, options: ConnectOptions) =>
      kit.online(options, 'Looking up servers', async session => {
        const snippet = snippetFor(client)
        const places = await placesOf(kit, session, { name, options })
        const answer = places.map(place => ({
          server: place.name,
          url: place.url,
          snippet: textOf(snippet, place, options),
        }))
        kit.show(options, answer, () => [snippet.where, ...answer.flatMap(({ snippet }) => ['', snippet])])
        if (options.token === undefined && !options.signIn && !options.json)
          kit.terminal.note('\nPut a token where <token> stands; make one with: gatehouse token create')
      }),
    )
}

function textOf(snippet: Snippet, place: Place, { token, signIn }: ConnectOptions): string {
  if (!signIn) return snippet.text(place)
  if (token !== undefined)
    fail('cli.usage', { why: 'Who signs in needs no token.', fix: 'Give --token or --sign-in, not both.' })
  const able = Object.keys(snippets).filter(name => snippets[name]?.signIn !== undefined)
  return (
    snippet.signIn?.(place) ??
    fail('cli.usage', {
      why: `${snippet.title} does not sign in by itself.`,
      fix: `Give it a token with --token, or use one of: ${able.join(', ')}.`,
    })
  )
}

function snippetFor(client: string): Snippet {
  const snippet = snippets[client]
  if (snippet !== undefined) return snippet
  const known = Object.keys(snippets)
  const meant = nearest(client, known)
  return fail('cli.usage', {
    why: `There is no client ${client} here.`,
    fix: meant === undefined ? `Use one of: ${known.join(', ')}.` : `Did you mean ${meant}?`,
  })
}

type Asked = { readonly name: string | undefined; readonly options: ConnectOptions }

/** The named server, or every server there is. */
async function placesOf(kit: Kit, { api }: Session, { name, options }: Asked): Promise<Place[]> {
  const base = publicBase(kit, options)
  const names =
    name !== undefined
      ? [name]
      : [...(await api.list('/servers')).items, ...(await published(api))].map(
          item => `${cell(item.group)}/${cell(item.name)}`,
        )
  if (names.length === 0)
    fail('cli.usage', {
      why: 'There is no server to connect to yet.',
      fix: 'Register one: gatehouse server add --help',
    })
  return names.map(each => {
    const address = addressOf(each)
    return { name: address.name, url: `${base}/${address.path}`, token: options.token ?? '<token>' }
  })
}

async function published(api: Session['api']): Promise<JsonObject[]> {
  return (await api.list('/virtual-servers')).items.filter(item => item.published !== null)
}

/** The URL clients reach the gateway at, without a slash at its end. */
function publicBase(kit: Kit, options: SharedOptions): string {
  const remote = kit.environment.GATEHOUSE_URL
  if (remote) return remote.replace(/\/$/, '')
  const { publicUrl, host, port } = kit.readConfig(options)
  return publicUrl?.replace(/\/$/, '') ?? `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}
