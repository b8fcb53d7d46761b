/** The law of "why?": what an explanation says is what a call gets, whoever calls whatever. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ask } from '../../test/fixtures/ask.ts'
import { openRooms } from '../../test/fixtures/rooms.ts'
import type { GroupInput, PolicyInput } from '../access/index.ts'
import { type Database, openDatabase } from '../database/index.ts'
import { GatewayError } from '../foundation/errors.ts'
import type { Caller } from '../foundation/route.ts'
import type { Principal } from '../identity/index.ts'
import { explainRoutes, openServers } from '../servers/index.ts'
import type { Catalogue, ToolFacts, Upstream } from '../upstreams/index.ts'
import { type ClearParts, clear, mayUse } from './clear.ts'
import type { Exchange } from './exchange.ts'
import { type MethodRow, methods } from './methods.ts'

const tools = ['read', 'write', 'erase']
const emails = ['ana@example.com', 'bo@example.com', 'cy@example.com']
const places = ['eng/files', 'ops/db']
const subjects = [...emails.map(email => `user:${email}`), 'team:crew', 'everyone', 'account:robot']
const asking = [...emails.map(email => `user:${email}`), 'account:robot']

const grant = fc.record(
  {
    subject: fc.constantFrom(...subjects),
    servers: fc.uniqueArray(fc.constantFrom('files', 'db', 'safe'), { minLength: 1, maxLength: 2 }),
    tools: fc.oneof(
      fc.constant('readOnly' as const),
      fc.uniqueArray(fc.constantFrom(...tools, 'look', '*e*'), { minLength: 1, maxLength: 2 }),
    ),
  },
  { requiredKeys: ['subject'] },
)
const globs = fc.uniqueArray(fc.constantFrom(...tools, '*e', 'r*'), { maxLength: 2 })
const toolPolicy = fc.record({
  default: fc.constantFrom('allow' as const, 'allow' as const, 'deny' as const),
  allow: globs,
  deny: fc.oneof(fc.constant<string[]>([]), globs),
  readOnly: globs,
})
const things = ['Server::"eng/files"', 'Server::"ops/db"', 'Server::"eng/safe"', 'Group::"eng"']
const statement = fc
  .record({
    effect: fc.constantFrom('forbid', 'permit'),
    who: fc.constantFrom('principal', 'principal == User::"ana@example.com"', 'principal in Team::"crew"'),
    action: fc.constantFrom(
      'action',
      'action == Action::"tool.call"',
      'action == Action::"prompt.get"',
      'action == Action::"server.use"',
    ),
    thing: fc.constantFrom(
      'resource',
      ...things.map(each => `resource in ${each}`),
      'resource == Tool::"eng/files/read"',
    ),
    when: fc.constantFrom(
      '',
      'when { context.arguments has path && context.arguments.path like "*x*" }',
      'when { resource has readOnly && !resource.readOnly }',
    ),
  })
  .map(({ effect, who, action, thing, when }) => `${effect} (${who}, ${action}, ${thing}) ${when};`)
const policies = fc.array(
  fc.record({
    text: statement,
    mode: fc.constantFrom('enforce' as const, 'enforce' as const, 'shadow' as const),
  }),
  { maxLength: 2 },
)
const state = fc.record({
  eng: fc.array(grant, { maxLength: 3 }),
  ops: fc.array(grant, { maxLength: 2 }),
  own: fc.array(fc.constantFrom(...subjects), { maxLength: 2 }),
  files: toolPolicy,
  db: toolPolicy,
  policies,
  held: fc.uniqueArray(fc.constantFrom(...places.flatMap(place => tools.map(tool => `${place} ${tool}`))), {
    maxLength: 2,
  }),
})
type State = typeof state extends fc.Arbitrary<infer Value> ? Value : never

let dataDir: string
let database: Database
let house: Awaited<ReturnType<typeof open>>
let held: ReadonlySet<string> = new Set()

async function open() {
  const rooms = await openRooms(database)
  const { access, register, audit, announcements, identity } = rooms
  const placeOf = (id: string) => [...register.list()].find(each => each.id === id)
  const tool = (id: string, name: string): ToolFacts | undefined => {
    const server = placeOf(id)
    if (server === undefined || !tools.includes(name)) return undefined
    const isHeld = held.has(`${server.group}/${server.name} ${name}`)
    return { readOnly: name === 'read', mirrored: [], ...(isHeld && { held: 'It waits.' }) }
  }
  const schema = { type: 'object', properties: { path: { type: 'string' } } }
  const items = [
    ...tools.map(name => ({
      kind: 'tool',
      name,
      definition: JSON.stringify({ name, inputSchema: schema }),
      hash: '',
    })),
    { kind: 'prompt', name: 'ask', definition: '{"name":"ask"}', hash: '' },
    { kind: 'resource', name: 'file:///a', definition: '{"uri":"file:///a"}', hash: '' },
  ]
  const catalogue = {
    tool,
    items: () => items,
    facts: () => ({}),
    trouble: () => undefined,
    surprise: async (server: Upstream, name: string) => tool(server.id, name),
    pins: () => new Map(),
  } as unknown as Catalogue
  const servers = await openServers({ database, access, audit, announcements, register, catalogue })
  return {
    ...rooms,
    servers,
    catalogue,
    routes: explainRoutes({ access, identity, register, catalogue, servers }),
  }
}

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'gatehouse-explain-'))
  database = await openDatabase({ dataDir })
  house = await open()
  const { ask: does, servers, identity } = house
  for (const email of emails) await does('POST /users', { email })
  await does('POST /teams', { name: 'crew', members: ['bo@example.com'] })
  await does('POST /accounts', { name: 'robot' })
  for (const place of places) {
    const [group, name] = place.split('/')
    await does('POST /groups', { name: group })
    await does('POST /servers', {
      group,
      name,
      transport: { kind: 'streamable-http', url: 'https://example.com/mcp' },
    })
  }
  const by = { caller: identity.operator(), requestId: 'r' }
  const rules = { path: { enum: ['/a', '/x'] } }
  await servers.draft(by, {
    group: 'eng',
    name: 'safe',
    description: '',
    access: [],
    sources: [
      {
        server: 'eng/files',
        tools: [{ name: 'read', as: 'look', arguments: rules }, 'write'],
        prompts: 'all',
      },
      {
        server: 'ops/db',
        tools: [{ name: 'erase', as: 'clean', arguments: { path: { value: '/x' } } }],
        resources: 'all',
      },
    ],
  })
  await servers.publish(by, { group: 'eng', name: 'safe' })
})

afterAll(async () => {
  await database?.close()
  rmSync(dataDir, { recursive: true, force: true })
})

/** Makes the house exactly this. */
async function furnish({ eng, ops, own, files, db, policies: wanted, held: now }: State): Promise<void> {
  const { access, register, servers } = house
  held = new Set(now)
  const group = (name: string, grants: typeof eng): GroupInput => ({
    name,
    description: '',
    managers: [],
    access: grants,
  })
  const policy = (each: (typeof wanted)[number], at: number): PolicyInput => ({
    ...each,
    name: `p${at}`,
    description: '',
  })
  await database.change(async tx => {
    await access.putGroup(tx, group('eng', eng))
    await access.putGroup(tx, group('ops', ops))
    await access.putOwnGrants(
      tx,
      { group: 'eng', name: 'safe' },
      own.map(subject => ({ subject })),
    )
    for (const { name } of await access.policies.readInputs(tx)) await access.policies.remove(tx, name)
    for (const [at, each] of wanted.entries()) await access.policies.put(tx, policy(each, at))
    for (const [place, rule] of [
      ['files', files],
      ['db', db],
    ] as const) {
      const server = (await register.manifest.read(tx)).find(({ name }) => name === place)
      if (server !== undefined)
        await register.manifest.put(tx, { ...server, policy: rule, version: server.version + 1 })
    }
  })
  await register.refresh()
  await access.refresh()
  await servers.refresh()
}

type Question = {
  place: string
  tool?: string
  prompt?: string
  resource?: string
  arguments: Record<string, unknown>
}

const questions: readonly Question[] = [...places, 'eng/safe', '/mcp', 'eng/nothing'].flatMap(place => [
  ...[...tools, 'look', 'clean', 'files__write', 'nothing'].flatMap(tool =>
    [{}, { path: '/x' }, { path: '/b' }].map(given => ({ place, tool, arguments: given })),
  ),
  { place, prompt: 'ask', arguments: {} },
  { place, resource: 'file:///a', arguments: {} },
])

/** What a call gets: null, or the code it is refused with; and what the audit has of it. */
async function called(caller: Caller, { place, tool, prompt, resource, arguments: given }: Question) {
  const { access, catalogue, servers } = house
  const [group = '', name = ''] = place.split('/')
  const upstream = place === '/mcp' ? servers.everything(caller) : servers.find(group, name)
  // As the door does.
  if (upstream === undefined || !mayUse(access, caller as Principal, upstream))
    return { error: 'access.not_found' }
  const method = tool !== undefined ? 'tools/call' : prompt !== undefined ? 'prompts/get' : 'resources/read'
  const params = resource === undefined ? { name: tool ?? prompt, arguments: given } : { uri: resource }
  const exchange = { at: Date.now(), request: { headers: {}, socket: {} } } as unknown as Exchange
  const parts = { access, catalogue, vault: { equip: () => ({}) } } as unknown as ClearParts
  try {
    await clear(parts, exchange, {
      row: methods.get(method) as MethodRow,
      params,
      upstream,
      principal: caller as Principal,
    })
    return { error: null, reason: exchange.decision?.reason }
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    return { error: error.code, reason: exchange.decision?.reason }
  }
}

type Answer = { allowed: boolean; error: string | null; decision: { allowed: boolean; reason: string } }

/** Of every kind of answer one. */
const telling: State = {
  eng: [{ subject: 'user:ana@example.com' }, { subject: 'user:bo@example.com', tools: ['read'] }],
  ops: [],
  own: ['user:cy@example.com'],
  files: { default: 'allow', allow: [], deny: [], readOnly: [] },
  db: { default: 'allow', allow: [], deny: [], readOnly: [] },
  policies: [
    {
      text: 'forbid (principal, action == Action::"tool.call", resource == Tool::"eng/files/read") when { context.arguments has path && context.arguments.path like "*x*" };',
      mode: 'enforce',
    },
    {
      text: 'forbid (principal, action == Action::"resource.read", resource in Server::"eng/safe");',
      mode: 'enforce',
    },
  ],
  held: ['eng/files write'],
}

const seen = { allowed: 0, refused: new Set<string | null>() }

it('says what a call gets, to everybody who may ask', async () => {
  await fc.assert(
    fc.asyncProperty(state, async made => {
      await furnish(made)
      for (const subject of asking) {
        const { caller } = (await house.identity.standInOf(subject)) ?? { caller: house.identity.operator() }
        for (const question of questions) {
          const { place: server, ...thing } = question
          const got = await called(caller, question)
          const body = { subject, server, ...thing }
          const told = await ask<Answer>(house.routes, 'POST /access/explain', {
            caller: house.identity.operator(),
            body,
          })
          expect({ subject, question, error: told.error, allowed: told.allowed }).toEqual({
            subject,
            question,
            error: got.error,
            allowed: got.error === null,
          })
          if (got.reason !== undefined) expect(told.decision.reason).toBe(got.reason)
          const own = await ask<Answer>(house.routes, 'POST /access/explain', {
            caller,
            body: { ...body, subject: undefined },
          })
          expect({ error: own.error, allowed: own.allowed }).toEqual({
            error: told.error,
            allowed: told.allowed,
          })
          if (told.allowed) seen.allowed++
          seen.refused.add(told.error)
        }
      }
    }),
    { numRuns: 12, examples: [[telling]] },
  )
  // Every kind of answer came about.
  expect(seen.allowed).toBeGreaterThan(100)
  expect([...seen.refused].sort()).toEqual(
    [
      'access.not_found',
      'access.policy_forbids',
      'access.prompt_unknown',
      'access.resource_unknown',
      'access.tool_held',
      'access.tool_unknown',
      null,
      'servers.argument_refused',
    ].sort(),
  )
}, 300_000)
