/** More tools than a model should read: three stand for them, and what is behind them is decided and recorded as ever. */
import type { Client } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { apiOf, tokenFor } from '../fixtures/api.ts'
import { catalogueNames, startCatalogues } from '../fixtures/catalogue-server.ts'
import { type Gateway, startGateway } from '../fixtures/gateway.ts'
import { call } from '../fixtures/http-call.ts'
import { answerOf, inEra } from '../fixtures/mcp-call.ts'
import type { OfferingServers } from '../fixtures/offering-server.ts'
import { connect, type Mode, textOf } from '../fixtures/sdk-client.ts'
import { auditOf, eventually } from '../fixtures/watch.ts'
import { readQuestions } from '../search/measure.ts'

let catalogues: OfferingServers
let gateway: Gateway
const tokens: Record<string, string> = {}

const people = ['root', 'ana', 'few', 'gitter'].map(name => ({
  email: `${name}@example.com`,
  role: name === 'root' ? 'admin' : 'member',
}))

beforeAll(async () => {
  catalogues = await startCatalogues()
  gateway = await startGateway({
    user: 'root@example.com',
    manifest: {
      users: people,
      groups: [
        {
          name: 'pub',
          access: [
            { subject: 'user:ana@example.com' },
            { subject: 'user:few@example.com', servers: ['thinking'] },
            { subject: 'user:gitter@example.com', servers: ['git'] },
          ],
        },
      ],
      servers: catalogueNames.map(name => ({
        ...{ group: 'pub', name, transport: catalogues.transport(name) },
        ...(name === 'git' ? { tools: { deny: ['git_push'] } } : {}),
      })),
      policies: [
        {
          name: 'no-force',
          text: '@reason("Nothing is forced.") forbid (principal, action == Action::"tool.call", resource == Tool::"pub/git/git_clean") when { context.arguments has force && context.arguments.force };',
        },
      ],
    },
  })
  const api = apiOf(gateway.url, gateway.token)
  for (const name of ['ana', 'few', 'gitter'])
    tokens[name] = (await tokenFor(api, `user:${name}@example.com`)).token
  for (const name of catalogueNames) await api(`POST /servers/pub/${name}/test`)
})

afterAll(async () => {
  await gateway?.stop()
  await catalogues?.stop()
})

const as = (who: string, mode: Mode, query = ''): Promise<Client> =>
  connect({ url: `${gateway.url}/mcp${query}`, token: tokens[who] ?? '', mode })

const modes: readonly Mode[] = ['legacy', 'pinned']

describe.each(modes)('to a %s client', mode => {
  it('a long list is three tools, and says how many they stand for', async () => {
    const client = await as('ana', mode)
    const { tools, _meta } = await client.listTools()
    expect(tools.map(({ name }) => name)).toEqual(['search_tools', 'describe_tool', 'call_tool'])
    expect(_meta?.['dev.gatehouse/tools']).toMatchObject({ tools: 340, tokens: expect.any(Number) })
    await client.close()
  })

  it('a short list is as it is', async () => {
    const client = await as('few', mode)
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['sequentialthinking'])
    const said = await client
      .callTool({ name: 'call_tool', arguments: { name: 'sequentialthinking' } })
      .catch(String)
    expect(said).toContain('Unknown tool')
    await client.close()
  })

  it('what is found can be described and called', async () => {
    const client = await as('ana', mode)
    const query = 'create an issue in a GitHub repository'
    const found = await client.callTool({ name: 'search_tools', arguments: { query } })
    const { tools } = found.structuredContent as { tools: { name: string }[] }
    expect(tools).toHaveLength(5)
    expect(tools[0]?.name).toBe('create_issue')
    expect(textOf(found)).toContain('create_issue(owner: string, repo: string, title: string')
    const described = await client.callTool({ name: 'describe_tool', arguments: { name: 'create_issue' } })
    const whole = await as('ana', mode, '?tools=list')
    const listed = (await whole.listTools()).tools.find(({ name }) => name === 'create_issue')
    expect((described.structuredContent as { tool: unknown }).tool).toEqual(listed)
    const args = { owner: 'a', repo: 'b', title: 'é "q"', n: 1e2 }
    const called = await client.callTool({
      name: 'call_tool',
      arguments: { name: 'create_issue', arguments: args },
    })
    expect(JSON.parse(textOf(called))).toEqual(['create_issue', args])
    expect(textOf(await client.callTool({ name: 'create_issue', arguments: args }))).toBe(textOf(called))
    await Promise.all([client.close(), whole.close()])
  })

  it.each<[string, string, Record<string, unknown>, string]>([
    [
      'no query',
      'search_tools',
      {},
      'search_tools takes a query: what you want to do, in 1 to 1000 characters.',
    ],
    [
      'a limit of 0',
      'search_tools',
      { query: 'x', limit: 0 },
      'The limit of search_tools is a whole number from 1 to 20.',
    ],
    [
      'no name',
      'call_tool',
      { arguments: {} },
      'call_tool takes the name of a tool, as search_tools gave it.',
    ],
    [
      'arguments that are a text',
      'call_tool',
      { name: 'create_issue', arguments: '{}' },
      'The arguments of call_tool are an object, by the schema of the tool it calls.',
    ],
    [
      'a misspelt name',
      'call_tool',
      { name: 'create_isue' },
      'There is no tool "create_isue" here. Did you mean create_issue?',
    ],
    [
      'a misspelt name to describe',
      'describe_tool',
      { name: 'create_isue' },
      'There is no tool "create_isue" here. Did you mean create_issue?',
    ],
    [
      'a name like no other',
      'call_tool',
      { name: 'x'.repeat(60) },
      `There is no tool "${'x'.repeat(60)}" here. Find tools with search_tools.`,
    ],
    ['itself', 'call_tool', { name: 'call_tool' }, 'There is no tool "call_tool" here.'],
    [
      'what its server forbids everybody',
      'call_tool',
      { name: 'git_push' },
      'There is no tool "git_push" here. Did you mean git_pull?',
    ],
    [
      'what a policy forbids',
      'call_tool',
      { name: 'git_clean', arguments: { force: true } },
      'Nothing is forced.',
    ],
  ])('%s is told to the model', async (_, name, args, says) => {
    const client = await as('ana', mode)
    const said = await client.callTool({ name, arguments: args })
    expect([said.isError, textOf(said)]).toEqual([true, expect.stringContaining(says)])
    await client.close()
  })

  it('what is not granted is neither found nor known', async () => {
    const client = await as('gitter', mode, '?tools=search')
    const found = await client.callTool({
      name: 'search_tools',
      arguments: { query: 'create an issue', limit: 20 },
    })
    for (const { name } of (found.structuredContent as { tools: { name: string }[] }).tools)
      expect(name).toMatch(/^git_/)
    const says = async (name: string) =>
      textOf(await client.callTool({ name: 'call_tool', arguments: { name } })).replace(name, 'NAME')
    expect(await says('create_issue')).toBe(await says('create_nothing'))
    await client.close()
  })
})

describe('the choice', () => {
  const post = async (who: string, path: string, headers: Record<string, string> = {}) => {
    const said = inEra('stateless', { id: 1, method: 'tools/list' })
    const token = tokens[who] ?? ''
    return call(`${gateway.url}/mcp${path}`, { ...said, token, headers: { ...said.headers, ...headers } })
  }
  const count = async (...asked: Parameters<typeof post>) => answerOf(await post(...asked)).result?.tools

  it('is the caller’s, by header or query, where several servers stand behind the address', async () => {
    expect(await count('ana', '', { 'x-gatehouse-tools': 'list' })).toHaveLength(340)
    expect(await count('ana', '?tools=list')).toHaveLength(340)
    expect(await count('few', '?tools=search')).toHaveLength(3)
    expect(await count('few', '?tools=list', { 'x-gatehouse-tools': 'search' })).toHaveLength(3)
    expect(await count('few', '/pub/thinking/server?tools=search')).toHaveLength(1)
  })

  it('is one of three', async () => {
    const answer = await post('ana', '?tools=all')
    expect([answer.status, answerOf(answer).error]).toMatchObject([
      400,
      {
        data: {
          code: 'http.bad_request',
          why: 'x-gatehouse-tools and ?tools= are one of auto, list, search.',
        },
      },
    ])
  })
})

describe.each(modes)('a %s client of everything', mode => {
  it('is told when what it may use is another', async () => {
    const heard: string[] = []
    const client = await connect({
      url: `${gateway.url}/mcp`,
      token: tokens.few ?? '',
      mode,
      prepare: one => {
        one.setNotificationHandler('notifications/tools/list_changed', () => void heard.push('tools'))
      },
    })
    const listening = mode === 'pinned' ? await client.listen({ toolsListChanged: true }) : undefined
    const names = async () => (await client.listTools()).tools.map(({ name }) => name)
    expect(await names()).toEqual(['sequentialthinking'])
    const api = apiOf(gateway.url, gateway.token)
    const grant = { subject: 'user:few@example.com', servers: ['context7'] }
    const { id } = await api<{ id: string }>('POST /groups/pub/grants', grant)
    const news = () =>
      eventually(
        'news',
        () => [...heard],
        found => found.length > 0,
      )
    await news()
    expect((await names()).sort()).toEqual(['query-docs', 'resolve-library-id', 'sequentialthinking'])
    heard.length = 0
    await api(`DELETE /groups/pub/grants/${id}`)
    await news()
    expect(await names()).toEqual(['sequentialthinking'])
    await listening?.close()
    await client.close()
  })
})

describe('the audit', () => {
  it('has the tool that was called, where it is, and the search', async () => {
    const client = await as('ana', 'pinned')
    await client.callTool({ name: 'search_tools', arguments: { query: 'delete a branch' } })
    await client.callTool({ name: 'call_tool', arguments: { name: 'git_branch', arguments: {} } })
    const find = async () =>
      (await auditOf(gateway)).filter(({ subject }) => subject === 'git_branch' || subject === 'search_tools')
    const events = await eventually('the events', find, found =>
      found.some(({ subject }) => subject === 'git_branch'),
    )
    const of = (subject: string) => events.findLast(event => event.subject === subject)
    expect(of('git_branch')).toMatchObject({
      action: 'tools/call',
      target: 'pub/git',
      outcome: 'ok',
      input: { bytes: 2 },
      decision: { allowed: true, reason: expect.stringMatching(/^grant .* to user:ana@example.com$/) },
      detail: { source: 'pub/git', name: 'git_branch' },
    })
    expect(of('search_tools')).toMatchObject({ action: 'tools/call', outcome: 'ok', target: null })
    await client.close()
  })
})

describe('the search', () => {
  it('finds, through the gateway, the right tool among five for 95 of 100 questions', async () => {
    const client = await as('ana', 'pinned')
    const isOffered = (place: string) => place !== 'git/git_push'
    const questions = readQuestions().filter(({ tools }) => tools.some(isOffered))
    let hits = 0
    for (const { question, tools } of questions) {
      const found = await client.callTool({ name: 'search_tools', arguments: { query: question } })
      const names = (found.structuredContent as { tools: { name: string }[] }).tools.map(({ name }) => name)
      const isRight = (place: string) =>
        names.some(name => name === place.split('/')[1] || name === place.replace('/', '__'))
      if (tools.some(isRight)) hits++
    }
    expect(questions.length).toBeGreaterThanOrEqual(100)
    expect(hits / questions.length).toBeGreaterThanOrEqual(0.95)
    await client.close()
  })
})
