/** Internal servers that nobody may use, and a virtual server of what is safe of them: every call in the audit, one dead source, its return. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Client } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { apiOf, tokenFor } from '../fixtures/api.ts'
import { type Gateway, startGateway } from '../fixtures/gateway.ts'
import { call } from '../fixtures/http-call.ts'
import { answerOf, type Era, hello, inEra, openSession } from '../fixtures/mcp-call.ts'
import { freePort } from '../fixtures/process.ts'
import { connect, type Mode, textOf } from '../fixtures/sdk-client.ts'
import { type Served, startDbhub, startEverything, stdio } from '../fixtures/servers.ts'
import { auditOf, eventually } from '../fixtures/watch.ts'

let gateway: Gateway
let folder: string
let ledger: Served
let status: Served
let statusPort: number
const tokens: Record<string, string> = {}

const person = (name: string, role = 'member') => ({ email: `${name}@example.com`, role })

const manifest = () => ({
  users: [person('root', 'admin'), person('ana')],
  teams: [{ name: 'agents', members: ['ana@example.com'] }],
  virtualAccounts: [{ name: 'robot', owner: 'user:ana@example.com' }],
  groups: [
    { name: 'internal' },
    { name: 'desk', access: [{ subject: 'team:agents' }, { subject: 'account:robot' }] },
  ],
  servers: [
    {
      name: 'ledger',
      transport: ledger.transport,
      auth: { kind: 'headers', headers: { 'X-Internal-Key': 'of the house' } },
    },
    { name: 'wiki', transport: stdio.filesystem(folder) },
    { name: 'status', transport: status.transport },
  ].map(server => ({ group: 'internal', ...server })),
})

/** The parts that are safe, and where each is from. */
const safe: Readonly<Record<string, { source: string; own: string; args(): Record<string, unknown> }>> = {
  echo: { source: 'internal/status', own: 'echo', args: () => ({ message: 'up' }) },
  find_tables: {
    source: 'internal/ledger',
    own: 'search_objects',
    args: () => ({ object_type: 'table', pattern: '%' }),
  },
  list_directory: { source: 'internal/wiki', own: 'list_directory', args: () => ({ path: folder }) },
  read_text_file: {
    source: 'internal/wiki',
    own: 'read_text_file',
    args: () => ({ path: join(folder, 'page.txt') }),
  },
  sum: { source: 'internal/status', own: 'get-sum', args: () => ({ a: 2, b: 40 }) },
}
const ofStatus = ['echo', 'sum']

const sources = [
  { server: 'internal/ledger', tools: [{ name: 'search_objects', as: 'find_tables' }] },
  { server: 'internal/wiki', tools: ['read_text_file', 'list_directory'] },
  { server: 'internal/status', tools: ['echo', { name: 'get-sum', as: 'sum' }] },
]

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-internal-'))
  writeFileSync(join(folder, 'page.txt'), 'what the page says\n')
  statusPort = await freePort()
  status = await startEverything('streamable-http', statusPort)
  ledger = await startDbhub()
  gateway = await startGateway({ user: 'root@example.com', manifest: manifest() })
  const api = apiOf(gateway.url, gateway.token)
  tokens.ana = (await tokenFor(api, 'user:ana@example.com')).token
  tokens.robot = (await tokenFor(api, 'account:robot')).token
  for (const { name } of manifest().servers) await api(`POST /servers/internal/${name}/test`)
  await api('PUT /virtual-servers/desk/safe/draft', { sources })
  await api('POST /virtual-servers/desk/safe/publish')
})

afterAll(async () => {
  await gateway?.stop()
  await Promise.all([ledger?.stop(), status?.stop()])
  if (folder) rmSync(folder, { recursive: true, force: true })
})

const modes: readonly Mode[] = ['legacy', 'pinned']
const everyCase = ['ana', 'robot'].flatMap(who => modes.map(mode => [who, mode] as const))
const desk = () => `${gateway.url}/mcp/desk/safe/server`
const eraOf = (mode: Mode): Era => (mode === 'legacy' ? 'session' : 'stateless')

async function withClient<T>(
  who: string,
  mode: Mode,
  url: string,
  use: (client: Client) => Promise<T>,
): Promise<T> {
  const client = await connect({ url, token: tokens[who] ?? '', mode })
  try {
    return await use(client)
  } finally {
    await client.close()
  }
}

const listOf = async (client: Client) => {
  const { tools, _meta } = await client.listTools()
  return { names: tools.map(({ name }) => name).sort(), partial: _meta?.['dev.gatehouse/partial'] }
}

async function asked(
  url: string,
  who: string,
  { era, method, params = {} }: { era: Era; method: string; params?: Record<string, unknown> },
) {
  const token = tokens[who] ?? ''
  const session = era === 'session' && method !== 'initialize' ? await openSession(url, token) : undefined
  const answered = await call(url, { ...inEra(era, { id: 1, method, params, session }), token })
  return { status: answered.status, ...answerOf(answered) }
}

describe.each(everyCase)('%s, with a %s client', (who, mode) => {
  const era = eraOf(mode)

  it('has the safe tools, at the virtual server and at /mcp, and can use each', async () => {
    for (const url of [desk(), `${gateway.url}/mcp`])
      await withClient(who, mode, url, async client => {
        expect((await listOf(client)).names).toEqual(Object.keys(safe))
        for (const [name, { args }] of Object.entries(safe)) {
          const result = await client.callTool({ name, arguments: args() })
          expect(result.isError ?? false, `${name}: ${JSON.stringify(result.content)}`).toBe(false)
        }
      })
  })

  it('finds every call in the audit, with the source and the name it has there', async () => {
    await withClient(who, mode, desk(), async client => {
      for (const [name, { args }] of Object.entries(safe)) await client.callTool({ name, arguments: args() })
    })
    const calls = await eventually(
      'the calls in the audit',
      async () => {
        const events = await auditOf(gateway, { action: 'tools/call', target: 'desk/safe' })
        return events.filter(event => event.who.name?.startsWith(who) && event.era === era)
      },
      events => events.length >= 5,
    )
    for (const [name, { source, own }] of Object.entries(safe))
      expect(calls).toContainEqual(
        expect.objectContaining({
          subject: name,
          outcome: 'ok',
          decision: expect.objectContaining({ allowed: true }),
          detail: { source, name: own },
        }),
      )
  })

  it('does not find the servers behind it, by any method', async () => {
    const methods: [string, Record<string, unknown>][] =
      era === 'session'
        ? [['initialize', hello]]
        : [
            ['server/discover', {}],
            ['tools/list', {}],
            ['tools/call', { name: 'echo', arguments: {} }],
            ['resources/list', {}],
          ]
    for (const [method, params] of methods)
      for (const server of ['ledger', 'wiki', 'status', 'nothing']) {
        const said = await asked(`${gateway.url}/mcp/internal/${server}/server`, who, { era, method, params })
        expect(said.status, `${server} ${method}`).toBe(404)
        expect(said.result).toBeUndefined()
      }
  })

  it('is refused what is not among the safe ones, by its own name too', async () => {
    for (const url of [desk(), `${gateway.url}/mcp`])
      for (const name of ['write_file', 'execute_sql', 'search_objects', 'get-sum', 'nothing']) {
        const params = { name, arguments: {} }
        const { error } = await asked(url, who, { era, method: 'tools/call', params })
        expect(error, name).toMatchObject({ code: -32602, message: 'Unknown tool.' })
      }
  })
})

describe('one dead source', () => {
  const partial = (mode: Mode, isThere: (found: unknown) => boolean) =>
    withClient('ana', mode, desk(), client =>
      eventually('what the list says', async () => (await listOf(client)).partial, isThere),
    )

  it('costs its own tools and no others, and the list says so until it is back', async () => {
    await status.stop()
    for (const mode of modes)
      await withClient('ana', mode, desk(), async client => {
        for (const [name, { args }] of Object.entries(safe)) {
          const made = client.callTool({ name, arguments: args() })
          if (ofStatus.includes(name))
            await expect(made, name).rejects.toThrow(/upstream\.unreachable|cannot be reached/)
          else expect((await made).isError ?? false, name).toBe(false)
        }
      })
    for (const mode of modes) {
      const said = await partial(mode, found => found !== undefined)
      expect(said).toMatch(/^1 of its sources could not be read/)
      // Whose the sources are is not theirs to know.
      expect(said).not.toContain('internal')
    }
    status = await startEverything('streamable-http', statusPort)
    for (const mode of modes) {
      await withClient('ana', mode, desk(), async client => {
        const said = await client.callTool({ name: 'echo', arguments: { message: 'again' } })
        expect(textOf(said)).toContain('again')
      })
      await partial(mode, found => found === undefined)
    }
  })
})
