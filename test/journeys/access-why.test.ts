/** Why somebody may do something or not: every cause on real servers, told, checked by a call, and changed by what the answer says. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Api, apiOf, tokenFor } from '../fixtures/api.ts'
import { type ChangingServer, startChangingServer } from '../fixtures/changing-server.ts'
import { type EchoServer, startEcho } from '../fixtures/echo-http.ts'
import { type Gateway, startGateway } from '../fixtures/gateway.ts'
import { call } from '../fixtures/http-call.ts'
import { answerOf, inEra } from '../fixtures/mcp-call.ts'
import { doAll, telling, type Why } from '../fixtures/why.ts'

const people = ['ana', 'picky', 'reader', 'vic', 'nobody', 'lead', 'gone']
const tokens: Record<string, string> = {}
let echo: EchoServer
let changing: ChangingServer
let gateway: Gateway
let api: Api
let grants: ReadonlySet<string>

const user = (name: string, role = 'member') => ({ email: `${name}@example.com`, role })
const strict = { default: 'deny', allow: ['echo'] }
const look = {
  name: 'look',
  description: 'Looks.',
  inputSchema: { type: 'object', properties: { secret: { type: 'string' } } },
}

const odd = ["it's odd", 'one,two', '-f', 'gl?b'].map(name => ({ ...look, name }))

beforeAll(async () => {
  ;[echo, changing] = await Promise.all([startEcho(), startChangingServer('session')])
  changing.show(look, ...odd)
  const access = [
    { subject: 'user:ana@example.com' },
    { subject: 'team:crew' },
    { subject: 'user:picky@example.com', servers: ['files'], tools: ['ech*'] },
    { subject: 'user:reader@example.com', tools: 'readOnly' },
    { subject: 'user:gone@example.com' },
  ]
  gateway = await startGateway({
    user: 'root@example.com',
    manifest: {
      users: [user('root', 'admin'), user('checker', 'auditor'), ...people.map(name => user(name))],
      teams: [{ name: 'crew', members: [] }],
      virtualAccounts: [{ name: 'robot' }],
      groups: [{ name: 'eng', managers: ['user:lead@example.com'], access }, { name: 'ops' }],
      servers: [
        { group: 'eng', name: 'files', transport: echo.transport, tools: { deny: ['era*'] } },
        {
          group: 'ops',
          name: 'strict',
          transport: echo.transport,
          tools: strict,
        },
        { group: 'eng', name: 'changing', transport: changing.transport },
      ],
    },
  })
  api = apiOf(gateway.url, gateway.token)
  for (const name of [...people, 'checker'])
    tokens[name] = (await tokenFor(api, `user:${name}@example.com`)).token
  for (const place of ['eng/files', 'ops/strict', 'eng/changing']) await api(`POST /servers/${place}/test`)
  await api('PUT /virtual-servers/eng/safe/draft', {
    access: [{ subject: 'user:vic@example.com' }],
    sources: [
      {
        server: 'ops/strict',
        tools: [{ name: 'echo', as: 'say', arguments: { secret: { value: 'mine' } } }, '*'],
      },
    ],
  })
  await api('POST /virtual-servers/eng/safe/publish')
  grants = new Set((await grantsThere()).map(({ id }) => id))
})

const policies: Record<string, unknown> = { 'eng/files': { deny: ['era*'] }, 'ops/strict': strict }

async function grantsThere(): Promise<{ group: string; id: string }[]> {
  const of = async (group: string) =>
    (await api<{ items: { id: string }[] }>(`GET /groups/${group}/grants`)).items.map(({ id }) => ({
      group,
      id,
    }))
  return [...(await of('eng')), ...(await of('ops'))]
}

/** Puts everything back as it was. */
async function restore(): Promise<void> {
  const { items } = await api<{ items: { name: string }[] }>('GET /policies')
  for (const { name } of items) await api(`DELETE /policies/${name}`)
  for (const { group, id } of await grantsThere())
    if (!grants.has(id)) await api(`DELETE /groups/${group}/grants/${id}`)
  for (const [place, tools] of Object.entries(policies)) {
    await api(`PATCH /servers/${place}`, { tools })
    await api(`POST /servers/${place}/test`)
  }
}

afterEach(restore)

afterAll(async () => {
  await gateway?.stop()
  await Promise.all([echo?.stop(), changing?.stop()])
})

type Asked = {
  server?: string
  tool?: string
  arguments?: Record<string, unknown>
  subject?: string
  [key: string]: unknown
}

const ask = (body: Asked, as: Api = api) => as<Why>('POST /access/explain', body)
const about = (who: string, body: Asked) => ask({ subject: `user:${who}@example.com`, ...body })
const put = (name: string, text: string, mode = 'enforce') => api(`PUT /policies/${name}`, { text, mode })

/** What really comes of the call: the code of the refusal, or null. */
async function really(
  who: string,
  { server = '', tool = '', arguments: given = {} }: Asked,
): Promise<string | null> {
  const params = { name: tool, arguments: given }
  const asked = inEra('stateless', { id: 1, method: 'tools/call', params })
  const answered = await call(`${gateway.url}/mcp/${server}/server`, { ...asked, token: tokens[who] })
  const { error, result } = answerOf(answered)
  // A model is told in a result what is wrong with its arguments.
  if (result?.isError === true) return 'servers.argument_refused'
  return (
    (error?.data as { code?: string } | undefined)?.code ??
    (error === undefined ? null : String(error.message))
  )
}

type Cause = {
  readonly why: string
  readonly who: string
  readonly asked: Asked
  readonly stops: readonly string[]
  readonly error: string
  readonly ways: number
  prepare?(): Promise<unknown>
}

const files = { server: 'eng/files', tool: 'write' }
const looking = { server: 'eng/changing', tool: 'look' }
const forbidding = (place: string) =>
  `forbid (principal, action == Action::"tool.call", resource in Server::"${place}");`

const causes: readonly Cause[] = [
  {
    why: 'no grant at all',
    who: 'nobody',
    asked: files,
    stops: ['grants'],
    error: 'access.not_found',
    ways: 1,
  },
  {
    why: 'a grant of other tools',
    who: 'picky',
    asked: files,
    stops: ['grants'],
    error: 'access.tool_unknown',
    ways: 1,
  },
  {
    why: 'a grant of other servers',
    who: 'picky',
    asked: { server: 'eng/changing', tool: 'look' },
    stops: ['grants'],
    error: 'access.not_found',
    ways: 1,
  },
  {
    why: 'what is not confirmed to only read',
    who: 'reader',
    asked: { server: 'eng/files', tool: 'echo' },
    stops: ['grants'],
    error: 'access.tool_unknown',
    ways: 2,
  },
  {
    why: 'deny of the tool policy',
    who: 'ana',
    asked: { server: 'eng/files', tool: 'erase' },
    stops: ['tool policy'],
    error: 'access.tool_unknown',
    ways: 1,
  },
  {
    why: 'deny, and no grant',
    who: 'nobody',
    asked: { server: 'eng/files', tool: 'erase' },
    stops: ['tool policy', 'grants'],
    error: 'access.not_found',
    ways: 1,
  },
  {
    why: 'a default of deny',
    who: 'nobody',
    asked: { server: 'ops/strict', tool: 'write' },
    stops: ['tool policy', 'grants'],
    error: 'access.not_found',
    ways: 1,
  },
  {
    why: 'a policy',
    who: 'ana',
    asked: files,
    stops: ['policies'],
    error: 'access.tool_unknown',
    ways: 1,
    prepare: () => put('closed', forbidding('eng/files')),
  },
  {
    why: 'a policy, and no grant',
    who: 'nobody',
    asked: files,
    stops: ['grants', 'policies'],
    error: 'access.not_found',
    ways: 1,
    prepare: () => put('closed', forbidding('eng/files')),
  },
  {
    why: 'a policy on arguments',
    who: 'ana',
    asked: { server: 'eng/changing', tool: 'look', arguments: { secret: 'it' } },
    stops: ['policies'],
    error: 'access.policy_forbids',
    ways: 1,
    prepare: () =>
      put(
        'secrets',
        `forbid (principal, action == Action::"tool.call", resource in Server::"eng/changing") when { context.arguments has secret };`,
      ),
  },
  {
    why: 'a tool that its virtual server has no grant for',
    who: 'nobody',
    asked: { server: 'eng/safe', tool: 'say' },
    stops: ['grants'],
    error: 'access.not_found',
    ways: 1,
  },
  {
    why: 'an argument that the virtual server sets',
    who: 'vic',
    asked: { server: 'eng/safe', tool: 'say', arguments: { secret: 'other' } },
    stops: ['arguments'],
    error: 'servers.argument_refused',
    ways: 1,
  },
  {
    why: 'a forbid of the source',
    who: 'vic',
    asked: { server: 'eng/safe', tool: 'say' },
    stops: ['source policies'],
    error: 'access.tool_unknown',
    ways: 1,
    prepare: () => put('closed', forbidding('ops/strict')),
  },
  {
    why: 'the tool policy of the source',
    who: 'vic',
    asked: { server: 'eng/safe', tool: 'write' },
    stops: ['tool policy'],
    error: 'access.tool_unknown',
    ways: 1,
  },
]

describe('tells, as a call shows, and as doing it changes', () => {
  it.each(causes)('$why', async ({ who, asked, stops, error, ways, prepare }) => {
    await prepare?.()
    const why = await about(who, asked)
    expect({ stops: telling(why), error: why.error, allowed: why.allowed }).toEqual({
      stops,
      error,
      allowed: false,
    })
    expect(await really(who, asked)).toBe(error)
    expect(why.wouldChange).toHaveLength(ways)
    for (const { all } of why.wouldChange) {
      const isSaidOnly = all.every(({ command, tools }) => command === undefined && tools === undefined)
      await doAll(gateway, api, all)
      const after = isSaidOnly ? { ...asked, arguments: {} } : asked
      expect(await about(who, after)).toMatchObject({ allowed: true, error: null, wouldChange: [] })
      expect(await really(who, after)).toBeNull()
      await restore()
      await prepare?.()
    }
  })

  it.each(odd)('a tool called $name, in words that a shell takes', async ({ name }) => {
    const asked = { server: 'eng/changing', tool: name }
    const why = await about('nobody', asked)
    expect(telling(why)).toEqual(['grants'])
    await doAll(gateway, api, why.wouldChange[0]?.all ?? [])
    expect(await about('nobody', asked)).toMatchObject({ allowed: true })
    expect(await really('nobody', asked)).toBeNull()
    await api('POST /servers/eng/changing/review/hold', { tools: [name] })
    const held = await about('nobody', asked)
    expect(telling(held)).toEqual(['pin'])
    await doAll(gateway, api, held.wouldChange[0]?.all ?? [])
    expect(await about('nobody', asked)).toMatchObject({ allowed: true })
  })

  it('a definition that is held', async () => {
    const asked = { server: 'eng/changing', tool: 'look' }
    expect(await about('ana', asked)).toMatchObject({
      allowed: true,
      grant: { subject: 'user:ana@example.com' },
    })
    changing.show({ ...look, description: 'Looks, and tells others.' }, ...odd)
    await api('POST /servers/eng/changing/test')
    const why = await about('ana', asked)
    expect(telling(why)).toEqual(['pin'])
    expect(why.error).toBe(await really('ana', asked))
    await doAll(gateway, api, why.wouldChange[0]?.all ?? [])
    expect(await about('ana', asked)).toMatchObject({ allowed: true })
    expect(await really('ana', asked)).toBeNull()
  })

  it('somebody who is disabled', async () => {
    await api('PATCH /users/gone@example.com', { disabled: true })
    const why = await about('gone', files)
    expect(why).toMatchObject({ allowed: false, error: 'identity.bad_token' })
    expect(telling(why)).toEqual(['subject'])
    await doAll(gateway, api, why.wouldChange[0]?.all ?? [])
    expect(await about('gone', files)).toMatchObject({ allowed: true })
  })
})

describe('also tells', () => {
  it('what shadow mode would do, and what depends on arguments', async () => {
    await put('watching', forbidding('eng/files'), 'shadow')
    const why = await about('ana', files)
    expect(why).toMatchObject({ allowed: true, decision: { shadow: ['watching'] } })
    expect(why.steps).toContainEqual({
      step: 'policies',
      outcome: 'tells',
      says: 'The policy watching forbids it. It is in shadow mode and decides nothing.',
    })
    await put(
      'secrets',
      `forbid (principal, action == Action::"tool.call", resource in Server::"eng/changing") when { context.arguments has secret };`,
    )
    expect(await about('ana', looking)).toMatchObject({ allowed: true, depends: true })
    expect(await about('ana', { ...looking, arguments: {} })).toMatchObject({ allowed: true, depends: false })
  })

  it('what a policy permits, and from where and when', async () => {
    await put(
      'visitors',
      `permit (principal, action == Action::"tool.call", resource == Tool::"eng/files/write") when { context has address && context.address.isInRange(ip("10.0.0.0/8")) };`,
    )
    const from = (address: string) => about('nobody', { ...files, address })
    expect(await from('10.1.2.3')).toMatchObject({ allowed: true, decision: { policies: ['visitors'] } })
    expect(await from('192.0.2.1')).toMatchObject({ allowed: false })
  })

  it('what is not there, and what was meant', async () => {
    const step = async (asked: Asked) =>
      (await about('ana', asked)).steps.findLast(({ outcome }) => outcome === 'stops')?.says
    expect(await step({ server: 'eng/fils', tool: 'write' })).toContain('Did you mean eng/files?')
    expect(await step({ server: 'nowhere/files' })).toContain('There is no group nowhere.')
    expect(await step({ server: 'eng/files', tool: 'wrote' })).toContain('Did you mean write?')
    expect(await step({ server: 'eng/safe', tool: 'sey' })).toContain('Did you mean say?')
  })

  it('what is behind /mcp, a resource, a prompt, and a server as a whole', async () => {
    expect(await about('vic', { tool: 'say' })).toMatchObject({
      allowed: true,
      source: { server: 'ops/strict', name: 'echo' },
    })
    expect(await about('ana', { server: 'eng/files', resource: 'echo://one' })).toMatchObject({
      allowed: true,
    })
    expect(await about('picky', { server: 'eng/files', prompt: 'greeting' })).toMatchObject({
      allowed: false,
      error: 'access.prompt_unknown',
    })
    expect(await about('picky', { server: 'eng/files' })).toMatchObject({ allowed: true })
  })

  it('what a team, everybody, an account and somebody who is not there yet would get', async () => {
    const subject = (name: string) => ask({ subject: name, ...files })
    expect(await subject('team:crew')).toMatchObject({ allowed: true, grant: { subject: 'team:crew' } })
    expect(await subject('everyone')).toMatchObject({ allowed: false })
    expect(await subject('account:robot')).toMatchObject({ allowed: false })
    const [first] = (await subject('user:new@example.com')).steps
    expect(first?.says).toContain('gatehouse user add new@example.com')
    expect((await subject('team:ghosts')).steps[0]?.says).toContain('There is no team ghosts yet')
  })
})

describe('who may ask', () => {
  const as = (name: string) => apiOf(gateway.url, tokens[name] ?? '')

  it('auditors about everybody, managers about their group, others about themselves alone', async () => {
    const subject = 'user:ana@example.com'
    expect(await ask({ subject, ...files }, as('checker'))).toMatchObject({ allowed: true })
    expect(await ask({ subject, ...files }, as('lead'))).toMatchObject({ allowed: true })
    await expect(ask({ subject, server: 'ops/strict' }, as('lead'))).rejects.toThrow('403')
    await expect(ask({ subject }, as('lead'))).rejects.toThrow('403')
    await expect(ask({ subject, ...files }, as('nobody'))).rejects.toThrow('403')
    await expect(
      ask({ subject: 'user:ghost@example.com', server: 'no/where' }, as('nobody')),
    ).rejects.toThrow('403')
  })

  it('and these are told no more than a call would tell', async () => {
    const mine = async (who: string, asked: Asked) => {
      const { says, ...rest } = await ask(asked, as(who))
      return rest
    }
    expect(await mine('picky', { server: 'eng/files', tool: 'echo' })).toMatchObject({
      allowed: true,
      source: null,
    })
    const hidden = await mine('nobody', files)
    expect(hidden).toMatchObject({
      decision: { reason: 'no grant' },
      wouldChange: [{ all: [{ says: 'Ask a manager of the group for access.' }] }],
    })
    const missing = await mine('nobody', { server: 'no/where', tool: 'write' })
    expect({ ...missing, server: '' }).toEqual({ ...hidden, server: '' })
    const denied = await mine('picky', { server: 'eng/files', tool: 'erase' })
    const absent = await mine('picky', { server: 'eng/files', tool: 'neverwas' })
    expect({ ...denied, thing: 0 }).toEqual({ ...absent, thing: 0 })
    expect(await mine('vic', { server: 'eng/safe', tool: 'say', arguments: { secret: 'x' } })).toMatchObject({
      error: 'servers.argument_refused',
    })
  })
})

it('refuses what is not a question', async () => {
  for (const [body, why] of [
    [{ subject: 'somebody' }, 'write user:<email>'],
    [{ server: 'eng' }, 'write group/server'],
    [{ ...files, prompt: 'greeting' }, 'one of them'],
    [{ ...files, address: 'here' }, 'address'],
    [{ ...files, arguments: { big: 'x'.repeat(70_000) } }, '64 KiB'],
  ] as const)
    await expect(ask(body)).rejects.toThrow(why)
  await expect(api(`GET /access/explain?arguments=${encodeURIComponent('[1]')}`)).rejects.toThrow(
    'no JSON object',
  )
  await expect(api(`GET /access/explain?arguments=${encodeURIComponent('{')}`)).rejects.toThrow(
    'json.malformed',
  )
})

describe('the command', () => {
  const why = (...words: string[]) => gateway.cli('access', 'why', ...words).then(String, String)

  it('says yes or no, why, and what would change it; and ends with 0 or 1', async () => {
    const no = await why('user:nobody@example.com', 'eng/files', 'write')
    expect(no).toContain('ended with 1')
    expect(no).toContain('No: user:nobody@example.com may not call the tool write of eng/files.')
    expect(no).toContain('- grants: No grant of the group eng is for user:nobody@example.com.')
    expect(no).toContain('gatehouse group grant eng user:nobody@example.com --servers files --tools write')
    const yes = await why('user:ana@example.com', 'eng/files', 'write', '--args', '{"path":"a"}')
    expect(yes).toContain('Yes: user:ana@example.com may call the tool write of eng/files.')
    expect(yes).not.toContain('ended with')
    expect(JSON.parse(await why('me', 'eng/files', '--json'))).toMatchObject({
      allowed: true,
      subject: 'operator',
    })
    expect(await why('me', '--args', '[]')).toContain('ended with 2')
  })
})
