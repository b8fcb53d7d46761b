/** What is listed can be used, and what is not listed cannot be reached by any method: over a whole gateway, whatever the manifest. */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { covers } from '../src/access/index.ts'
import { isObject, type JsonObject } from '../src/foundation/json.ts'
import { tokenFor } from './fixtures/api.ts'
import { type GatewayInside, openGatewayInside } from './fixtures/gateway-inside.ts'
import { call } from './fixtures/http-call.ts'
import { answerOf, hello, inEra } from './fixtures/mcp-call.ts'
import { type OfferingServers, startOffering } from './fixtures/offering-server.ts'

const reads = { readOnlyHint: true }
const inputSchema = { type: 'object', properties: { bad: { type: 'boolean' } } }
const offerings = {
  s: {
    tools: [
      { name: 'read', inputSchema, annotations: reads },
      { name: 'write', inputSchema },
      { name: 'list_a', inputSchema, annotations: reads },
    ],
    prompts: [{ name: 'greet' }],
    resources: [{ uri: 'mem://s/1', name: 'one' }],
    resourceTemplates: [{ uriTemplate: 'mem://s/x/{id}', name: 'any' }],
  },
  t: {
    tools: [
      { name: 'read', inputSchema },
      { name: 'drop', inputSchema },
    ],
    prompts: [{ name: 'greet' }, { name: 'part' }],
    resources: [{ uri: 'mem://t/1', name: 'one' }],
  },
  // It claims what is not so.
  u: {
    tools: [
      { name: 'write', inputSchema, annotations: reads },
      { name: 'say', inputSchema },
    ],
  },
}

const users = ['ana', 'bo', 'lead'].map(name => ({ email: `${name}@example.com` }))
const principals = ['user:ana@example.com', 'user:bo@example.com', 'user:lead@example.com', 'account:bot']
const addresses = ['/a/s/server', '/a/t/server', '/b/u/server', '/a/v/server', '']

const subject = fc.constantFrom(...principals, 'team:crew', 'everyone')
const globs = fc.subarray(['read', 'write', 'list_*', '*a*', 'dro?', 'say', 'r', '*'])
const tools = fc.oneof(
  fc.constant('readOnly'),
  globs.filter(each => each.length > 0),
)
const grant = fc.record({ subject, tools }, { requiredKeys: ['subject'] })
const grants = (servers: string[]) =>
  fc.array(
    fc.oneof(
      grant,
      fc.record(
        { subject, tools, servers: fc.subarray(servers, { minLength: 1 }) },
        { requiredKeys: ['subject', 'servers'] },
      ),
    ),
    { maxLength: 4 },
  )
const toolPolicy = fc.record(
  {
    default: fc.constantFrom('allow', 'deny'),
    allow: globs,
    deny: fc.subarray(['write', 'drop', 'list_*']),
    readOnly: globs,
    annotations: fc.constantFrom('confirmed', 'claimed'),
  },
  { requiredKeys: [] },
)
const choice = fc.oneof(
  fc.constantFrom('read', 'write', 'drop', 'list_*', '*'),
  fc.record({ name: fc.constantFrom('read', 'write'), as: fc.constantFrom('read', 'pen', 't__read') }),
)
const source = (server: string) =>
  fc.record(
    {
      server: fc.constant(server),
      tools: fc.oneof(
        fc.constantFrom('all', 'readOnly'),
        fc.uniqueArray(choice, {
          maxLength: 3,
          selector: each => (typeof each === 'string' ? `glob ${each}` : each.name),
        }),
      ),
      resources: fc.constantFrom('all', ['mem://s/*']),
      prompts: fc.constantFrom('all', ['greet']),
    },
    { requiredKeys: ['server'] },
  )
const sources = fc
  .subarray(['a/s', 'a/t', 'b/u'], { minLength: 1 })
  .chain(servers => fc.tuple(...servers.map(source)))
const noWriting = 'forbid (principal, action == Action::"tool.call", resource == Tool::"a/s/write");'
const noCrew = 'forbid (principal in Team::"crew", action, resource in Server::"a/t");'
const noPart = 'forbid (principal, action == Action::"prompt.get", resource == Prompt::"a/t/part");'
const texts = [
  noWriting,
  noCrew,
  noPart,
  'permit (principal == Account::"bot", action == Action::"tool.call", resource in Group::"b");',
  'forbid (principal, action == Action::"tool.call", resource) unless { resource.readOnly };',
  'forbid (principal, action == Action::"tool.call", resource in Server::"a/s") when { context.arguments has bad && context.arguments.bad };',
]
const policies = fc.oneof(
  { weight: 2, arbitrary: fc.constant<string[]>([]) },
  { weight: 1, arbitrary: fc.subarray(texts) },
)

const world = fc.record({
  crew: fc.subarray(users.map(({ email }) => email)),
  a: grants(['s', 't']),
  b: grants(['u']),
  of: fc.record({ s: toolPolicy, t: toolPolicy, u: toolPolicy }),
  virtual: fc.option(fc.record({ sources, access: fc.array(grant, { maxLength: 3 }) }), { nil: undefined }),
  policies,
  held: fc.subarray(['read', 'write'], { maxLength: 1 }),
  principal: fc.constantFrom(...principals),
  era: fc.constantFrom('stateless', 'stateless', 'session'),
})
type World = typeof world extends fc.Arbitrary<infer T> ? T : never

let servers: OfferingServers
let gateway: GatewayInside
const tokens = new Map<string, string>()

function manifest({ crew, a, b, of, policies: rules }: World) {
  const server = (group: string, name: keyof World['of']) => ({
    ...{ group, name, transport: servers.transport(name), tools: of[name] },
  })
  return {
    users,
    teams: [{ name: 'crew', members: crew }],
    virtualAccounts: [{ name: 'bot' }],
    groups: [
      { name: 'a', managers: ['user:lead@example.com'], access: a },
      { name: 'b', access: b },
    ],
    servers: [server('a', 's'), server('a', 't'), server('b', 'u')],
    policies: rules.map((text, at) => ({ name: `rule-${at}`, text })),
  }
}

async function settle(made: World): Promise<void> {
  const { operator } = gateway
  const text = JSON.stringify(manifest(made))
  await operator('POST /manifest', { manifest: text, prune: true })
  for (const place of ['a/s', 'a/t', 'b/u']) await operator(`POST /servers/${place}/test`)
  const { virtual, held } = made
  if (held.length > 0) await operator('POST /servers/a/s/review/hold', { tools: held })
  if (virtual === undefined) return
  const { access } = virtual
  await operator('PUT /virtual-servers/a/v/draft', { sources: virtual.sources, access })
  // What clashes or chooses nothing is not published, and so is not there.
  await operator('POST /virtual-servers/a/v/publish').catch(error => {
    if (!/servers\.(?:name_clash|bad_choice)/.test(String(error))) throw error
  })
}

async function clearUp({ virtual, held }: World): Promise<void> {
  if (virtual !== undefined) await gateway.operator('DELETE /virtual-servers/a/v')
  if (held.length === 0) return
  const { items } = await gateway.operator<{ items: { name: string; hash: string }[] }>(
    'GET /servers/a/s/review',
  )
  const hashes = Object.fromEntries(items.map(({ name, hash }) => [name, hash]))
  await gateway.operator('POST /servers/a/s/review/approve', { tools: held, hashes })
}

beforeAll(async () => {
  servers = await startOffering(offerings)
  gateway = await openGatewayInside()
  const [first] = fc.sample(world, { numRuns: 1, seed: 1 })
  await gateway.operator('POST /manifest', { manifest: JSON.stringify(manifest(first as World)) })
  for (const each of principals) tokens.set(each, (await tokenFor(gateway.operator, each)).token)
})

afterAll(async () => {
  await gateway?.stop()
  await servers?.stop()
})

type Ask = (method: string, params?: JsonObject) => Promise<{ result?: JsonObject; error?: JsonObject }>

type Asking = { readonly ask: Ask; end(): Promise<void> }

async function asking({ principal, era }: World, address: string): Promise<Asking> {
  const [url, token] = [`${gateway.url}/mcp${address}`, tokens.get(principal) ?? '']
  const session = era === 'session' ? await openedSession(url, token) : undefined
  return {
    async ask(method, params = {}) {
      const said = { id: 1, method, params, session }
      return answerOf(await call(url, { ...inEra(era === 'session' ? era : 'stateless', said), token }))
    },
    async end() {
      const headers = { 'mcp-session-id': session ?? '' }
      if (session !== undefined) await call(url, { method: 'DELETE', token, headers })
    },
  }
}

/** Undefined for a server that is not there for the caller. */
async function openedSession(url: string, token: string): Promise<string | undefined> {
  const said = { id: 0, method: 'initialize', params: hello }
  const { status, headers } = await call(url, { ...inEra('session', said), token })
  const id = headers['mcp-session-id']
  expect([status, typeof id]).toEqual(status === 404 ? [404, 'undefined'] : [200, 'string'])
  return typeof id === 'string' ? id : undefined
}

const names = [
  'read',
  'write',
  'list_a',
  'drop',
  'say',
  'pen',
  's__read',
  't__read',
  's__write',
  'u__write',
  'a__s__read',
]
const prompts = ['greet', 'part', 's__greet', 't__greet']
const uris = ['mem://s/1', 'mem://s/x/7', 'mem://t/1', 'mem://u/1']

let probes = 0
const everReached = new Set<string>()

/** Was a server reached since this was asked last? */
function isReached(): boolean {
  const reached = servers.reached()
  for (const each of reached) everReached.add(each)
  return reached.length > 0
}

/** Whatever the grants and virtual servers say, these never reach a server. */
function isForbidden({ policies, crew, principal, of }: World, reached: string): boolean {
  const [server = '', method, subject = ''] = reached.split(' ')
  const isDenied = (glob: string) => method === 'tools/call' && covers(glob, subject)
  if (isKey(of, server) && of[server].deny?.some(isDenied)) return true
  return (
    (reached === 's tools/call write' && policies.includes(noWriting)) ||
    (reached === 't prompts/get part' && policies.includes(noPart)) ||
    (server === 't' && policies.includes(noCrew) && crew.some(email => principal === `user:${email}`))
  )
}

function isKey(of: World['of'], name: string): name is keyof World['of'] {
  return name in of
}

type Probe = {
  readonly listed: ReadonlySet<string>
  readonly universe: readonly string[]
  readonly method: string
  params(name: string): JsonObject
  /** A server is asked for what it does not have where only it can know: what the gateway answers is the same as for any name it has not. */
  readonly isAsked?: boolean
}

/** Asks for each of the names, and for what is listed: that is answered, and every other refused like what nobody has. */
async function probe(ask: Ask, { listed, universe, method, params, isAsked = false }: Probe): Promise<void> {
  const refusal = async (name: string) => {
    const { result, error } = await ask(method, params(name))
    probes++
    const reached = isReached()
    if (!isAsked || result !== undefined)
      expect([method, name, reached]).toEqual([method, name, result !== undefined])
    return error === undefined
      ? undefined
      : JSON.stringify(error)
          .replaceAll(name, 'NAME')
          .replace(/"requestId":"[^"]*"/, '')
  }
  const unknown = await refusal('zz://nothing')
  for (const name of new Set([...universe, ...listed])) {
    const refused = await refusal(name)
    expect([method, name, refused === undefined]).toEqual([method, name, listed.has(name)])
    if (refused === undefined || refused.includes('access.tool_held') || isAsked) continue
    expect([method, name, refused]).toEqual([method, name, unknown])
  }
}

const listOf = async (ask: Ask, method: string, key: string, member: string): Promise<string[]> => {
  const { result } = await ask(method)
  const items = result?.[key]
  return Array.isArray(items) ? items.map(item => String(isObject(item) ? item[member] : '')) : []
}

async function probeAddress(made: World, address: string): Promise<void> {
  const { ask, end } = await asking(made, address)
  const tools = new Set(await listOf(ask, 'tools/list', 'tools', 'name'))
  const named = new Set(await listOf(ask, 'prompts/list', 'prompts', 'name'))
  const uri = new Set(await listOf(ask, 'resources/list', 'resources', 'uri'))
  const templates = await listOf(ask, 'resources/templates/list', 'resourceTemplates', 'uriTemplate')
  const read = new Set([...uri, ...(templates.length > 0 ? ['mem://s/x/7'] : [])])
  await probe(ask, {
    listed: tools,
    universe: names,
    method: 'tools/call',
    params: name => ({ name, arguments: {} }),
  })
  const isAsked = address !== '' && !address.includes('/v/')
  const ref = (name: string) => ({ ref: { type: 'ref/prompt', name }, argument: { name: 'x', value: '' } })
  await probe(ask, {
    listed: named,
    universe: prompts,
    method: 'prompts/get',
    params: name => ({ name }),
    isAsked,
  })
  await probe(ask, { listed: named, universe: prompts, method: 'completion/complete', params: ref, isAsked })
  await probe(ask, {
    listed: read,
    universe: uris,
    method: 'resources/read',
    params: uri => ({ uri }),
    isAsked,
  })
  await end()
  if (address === '') await probeSearch(made, tools)
}

/** The same where three tools stand for all. */
async function probeSearch(made: World, tools: ReadonlySet<string>): Promise<void> {
  const { ask, end } = await asking(made, '?tools=search')
  for (const name of names) {
    const { result } = await ask('tools/call', { name: 'call_tool', arguments: { name } })
    probes++
    expect(['call_tool', name, isReached()]).toEqual(['call_tool', name, tools.has(name)])
    expect(result?.isError === true).toBe(!tools.has(name))
  }
  await end()
}

/** LAW_RUNS=10000 asks under as many manifests, which takes about twenty minutes. */
const manifests = Number(process.env.LAW_RUNS ?? 100)

it('holds for 10,000 names under random manifests', { timeout: 3_600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(world, async made => {
      await settle(made)
      try {
        isReached()
        everReached.clear()
        for (const address of addresses) await probeAddress(made, address)
        expect([...everReached].filter(reached => isForbidden(made, reached))).toEqual([])
      } finally {
        await clearUp(made)
      }
    }),
    { numRuns: manifests, endOnFailure: true },
  )
  expect(probes).toBeGreaterThanOrEqual(10_000)
})
