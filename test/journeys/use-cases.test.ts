/** Teams with rights of their own on real servers: what is listed works, what is not listed is unknown, and readers change nothing. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Client } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { apiOf, tokenFor } from '../fixtures/api.ts'
import { type Gateway, startGateway } from '../fixtures/gateway.ts'
import { call } from '../fixtures/http-call.ts'
import { answerOf, type Era, inEra, openSession } from '../fixtures/mcp-call.ts'
import { connect, type Mode } from '../fixtures/sdk-client.ts'
import { stdio } from '../fixtures/servers.ts'

let gateway: Gateway
let folder: string
const tokens: Record<string, string> = {}

const files = () => join(folder, 'files')
const graph = () => join(folder, 'graph.json')

/** The disk as it is before each one comes. */
function furnish(): void {
  rmSync(files(), { recursive: true, force: true })
  mkdirSync(files())
  for (const name of ['note.txt', 'old.txt']) writeFileSync(join(files(), name), `what ${name} says\n`)
  const ada = { type: 'entity', name: 'Ada', entityType: 'person', observations: ['wrote it'] }
  const bob = { type: 'entity', name: 'Bob', entityType: 'person', observations: [] }
  writeFileSync(graph(), [ada, bob].map(entity => JSON.stringify(entity)).join('\n'))
}

/** Everything on the disk, with its text. */
function disk(): Record<string, string> {
  const found = readdirSync(files(), { recursive: true, withFileTypes: true })
  const texts = found.map(entry => {
    const path = join(entry.parentPath, entry.name)
    return [path, entry.isFile() ? readFileSync(path, 'utf8') : 'a folder']
  })
  return { ...Object.fromEntries(texts), [graph()]: readFileSync(graph(), 'utf8') }
}

/** What the manager of the group has confirmed; the servers themselves claim more. */
const confirmed = {
  files: ['read_*', 'list_*', 'directory_tree', 'search_files'],
  memory: ['read_graph', 'search_nodes', 'open_nodes'],
}

const person = (name: string, role = 'member') => ({ email: `${name}@example.com`, role })
const team = (name: string, member: string) => ({ name, members: [`${member}@example.com`] })

const manifest = () => ({
  users: [person('root', 'admin'), person('jo'), person('sam'), person('max')],
  teams: [team('juniors', 'jo'), team('seniors', 'sam'), team('managers', 'max')],
  groups: [
    {
      name: 'engineering',
      access: [
        { subject: 'team:juniors', servers: ['files'], tools: 'readOnly' },
        { subject: 'team:seniors', servers: ['files'] },
        { subject: 'team:seniors', servers: ['memory'], tools: 'readOnly' },
        { subject: 'team:managers' },
      ],
    },
  ],
  servers: [
    { name: 'files', transport: stdio.filesystem(files()), tools: { readOnly: confirmed.files } },
    { name: 'memory', transport: stdio.memory(graph()), tools: { readOnly: confirmed.memory } },
    { name: 'chat', transport: stdio.everything() },
  ].map(server => ({ group: 'engineering', ...server })),
})

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-use-cases-'))
  furnish()
  gateway = await startGateway({ user: 'root@example.com', manifest: manifest() })
  const api = apiOf(gateway.url, gateway.token)
  for (const name of ['jo', 'sam', 'max'])
    tokens[name] = (await tokenFor(api, `user:${name}@example.com`)).token
  for (const { name } of manifest().servers) await api(`POST /servers/engineering/${name}/test`)
})

afterAll(async () => {
  await gateway?.stop()
  if (folder) rmSync(folder, { recursive: true, force: true })
})

type Server = 'files' | 'memory' | 'chat'
type Rights = 'all' | readonly string[] | undefined

const readers = {
  files: [
    'directory_tree',
    'list_allowed_directories',
    'list_directory',
    'list_directory_with_sizes',
    'read_file',
    'read_media_file',
    'read_multiple_files',
    'read_text_file',
    'search_files',
  ],
  memory: ['open_nodes', 'read_graph', 'search_nodes'],
}

const rights: readonly (readonly [string, Readonly<Record<Server, Rights>>])[] = [
  ['jo', { files: readers.files, memory: undefined, chat: undefined }],
  ['sam', { files: 'all', memory: readers.memory, chat: undefined }],
  ['max', { files: 'all', memory: 'all', chat: 'all' }],
]
const modes: readonly Mode[] = ['legacy', 'pinned']
const everyCase = rights.flatMap(([who, may]) => modes.map(mode => [who, mode, may] as const))

/** A call of each tool that its server answers with a result. */
function argumentsOf(tool: string): Record<string, unknown> {
  const path = join(files(), 'note.txt')
  const relation = { from: 'Ada', to: 'Bob', relationType: 'knows' }
  const all: Record<string, Record<string, unknown>> = {
    read_multiple_files: { paths: [path] },
    write_file: { path: join(files(), 'new.txt'), content: 'new' },
    edit_file: { path, edits: [{ oldText: 'says', newText: 'said' }] },
    create_directory: { path: join(files(), 'folder') },
    list_directory: { path: files() },
    list_directory_with_sizes: { path: files() },
    directory_tree: { path: files() },
    move_file: { source: join(files(), 'old.txt'), destination: join(files(), 'moved.txt') },
    search_files: { path: files(), pattern: '*.txt' },
    list_allowed_directories: {},
    create_entities: { entities: [{ name: 'Cem', entityType: 'person', observations: [] }] },
    create_relations: { relations: [relation] },
    add_observations: { observations: [{ entityName: 'Ada', contents: ['again'] }] },
    delete_entities: { entityNames: ['Bob'] },
    delete_observations: { deletions: [{ entityName: 'Ada', observations: ['again'] }] },
    delete_relations: { relations: [relation] },
    read_graph: {},
    search_nodes: { query: 'Ada' },
    open_nodes: { names: ['Ada'] },
  }
  return all[tool] ?? { path }
}

const urlOf = (server: string) => `${gateway.url}/mcp/engineering/${server}/server`
const withClient = async <T>(
  who: string,
  mode: Mode,
  server: string,
  use: (client: Client) => Promise<T>,
) => {
  const client = await connect({ url: urlOf(server), token: tokens[who] ?? '', mode })
  try {
    return await use(client)
  } finally {
    await client.close()
  }
}
const namesOf = async (client: Client) => (await client.listTools()).tools.map(({ name }) => name).sort()

/** What a client gets that calls a tool without having listed anything, without what is another in every answer. */
async function answerTo(who: string, era: Era, { server, tool }: { server: string; tool: string }) {
  const token = tokens[who] ?? ''
  const session = era === 'session' ? await openSession(urlOf(server), token) : undefined
  const params = { name: tool, arguments: argumentsOf(tool) }
  const asked = inEra(era, { id: 1, method: 'tools/call', params, session })
  const answered = await call(urlOf(server), { ...asked, token })
  const text = JSON.stringify(answerOf(answered).error)
  return [answered.status, text.replace(/"requestId":"[^"]+"/, '').replaceAll(tool, 'TOOL')]
}

describe.each(everyCase)('%s, with a %s client', (who, mode, may) => {
  const granted = (Object.keys(may) as Server[]).filter(server => may[server] !== undefined)
  const denied = (Object.keys(may) as Server[]).filter(server => may[server] === undefined)
  const allOf = (server: Server) => withClient('max', 'pinned', server, namesOf)
  const era = mode === 'legacy' ? 'session' : 'stateless'

  it('is listed what is granted, and nothing else', async () => {
    for (const server of granted) {
      const listed = await withClient(who, mode, server, namesOf)
      expect(listed, server).toEqual(may[server] === 'all' ? await allOf(server) : may[server])
    }
  })

  it('can use all that is listed', async () => {
    furnish()
    for (const server of granted.filter(each => each !== 'chat'))
      await withClient(who, mode, server, async client => {
        for (const name of await namesOf(client)) {
          const result = await client.callTool({ name, arguments: argumentsOf(name) })
          expect(result.isError ?? false, `${name}: ${JSON.stringify(result.content)}`).toBe(false)
        }
      })
  })

  it('is refused what is not listed as if there were no such thing, and changes nothing by trying', async () => {
    furnish()
    const before = disk()
    for (const server of granted) {
      const listed = may[server] === 'all' ? await allOf(server) : may[server]
      const unknown = await answerTo(who, era, { server, tool: 'no_such_tool' })
      for (const tool of (await allOf(server)).filter(name => !listed?.includes(name)))
        expect(await answerTo(who, era, { server, tool }), tool).toEqual(unknown)
    }
    for (const server of denied)
      await expect(withClient(who, mode, server, namesOf), server).rejects.toThrow()
    expect(disk()).toEqual(before)
  })
})

it('what juniors do changes nothing on the disk', async () => {
  furnish()
  const before = disk()
  for (const mode of modes)
    await withClient('jo', mode, 'files', async client => {
      for (const name of await namesOf(client)) await client.callTool({ name, arguments: argumentsOf(name) })
    })
  expect(disk()).toEqual(before)
})

it('a claim of a server gives its readers nothing: only what was confirmed does', async () => {
  const claimed = await withClient('max', 'pinned', 'files', async client =>
    (await client.listTools()).tools
      .filter(({ annotations }) => annotations?.readOnlyHint === true)
      .map(({ name }) => name),
  )
  expect(claimed).toContain('get_file_info')
  expect(await withClient('jo', 'pinned', 'files', namesOf)).not.toContain('get_file_info')
})

it('managers use a third server that is for nobody else', async () => {
  const sum = await withClient('max', 'pinned', 'chat', client =>
    client.callTool({ name: 'get-sum', arguments: { a: 2, b: 40 } }),
  )
  expect(JSON.stringify(sum.content)).toContain('42')
})
