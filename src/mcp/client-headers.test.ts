/** Headers that clients bring along, through the whole gateway: what goes up, for whom, and what is kept apart. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tokenFor } from '../../test/fixtures/api.ts'
import { type EchoServer, startEcho } from '../../test/fixtures/echo-http.ts'
import { type GatewayInside, openGatewayInside } from '../../test/fixtures/gateway-inside.ts'
import { call } from '../../test/fixtures/http-call.ts'
import { type Era, inEra, openSession } from '../../test/fixtures/mcp-call.ts'
import { ROOT } from '../../test/fixtures/process.ts'
import type { AuditEvent } from '../audit/index.ts'

const configured = 'Bearer configured-secret'
const ours = 'x-gatehouse-mcp-headers'
type Own = Readonly<Record<string, unknown>>

let gateway: GatewayInside
let echo: EchoServer
let old: EchoServer
let token: string
beforeAll(async () => {
  ;[gateway, echo, old] = await Promise.all([
    openGatewayInside(),
    startEcho(),
    startEcho({ isSessionOnly: true }),
  ])
  const { operator } = gateway
  await operator('POST /users', { email: 'ana@example.com' })
  await operator('POST /groups', { name: 'lab' })
  await operator('POST /groups/lab/grants', { subject: 'everyone' })
  const auth = { kind: 'headers', headers: { Authorization: configured } }
  const stdio = { kind: 'stdio', command: process.execPath, args: [`${ROOT}/test/fixtures/echo-stdio.ts`] }
  for (const [name, transport] of Object.entries({
    both: echo.transport,
    old: old.transport,
    fixed: { ...echo.transport, allowClientAuthOverride: false },
  }))
    await operator('POST /servers', { group: 'lab', name, transport, auth })
  await operator('POST /servers', { group: 'lab', name: 'process', transport: stdio })
  token = (await tokenFor(operator, 'user:ana@example.com')).token
})
afterAll(async () => {
  await gateway?.stop()
  await Promise.all([echo?.stop(), old?.stop()])
})

const address = (name: string) => `${gateway.url}/mcp${name === '' ? '' : `/lab/${name}/server`}`

type Saying = { name?: string; era?: Era; session?: string; tool?: string; own?: Own | string }

async function say({ name = 'both', era = 'stateless', session, tool = 'echo', own }: Saying) {
  const asked = inEra(era, { id: 1, method: 'tools/call', params: { name: tool, arguments: {} }, session })
  const carried = own === undefined ? {} : { [ours]: typeof own === 'string' ? own : JSON.stringify(own) }
  return call(address(name), { ...asked, headers: { ...asked.headers, ...carried }, token })
}

/** What the server saw of the last call: the header of this name. */
const sawAt = (server: EchoServer, header: string) =>
  server.heads.findLast(({ method }) => method === 'tools/call')?.headers[header]
const newest = async (): Promise<AuditEvent> => {
  const { items } = await gateway.operator<{ items: AuditEvent[] }>('GET /audit?limit=1')
  if (items[0] === undefined) throw new Error('no event')
  return items[0]
}

describe.each(['stateless', 'session'] as const)('a client of the %s era', era => {
  it.each(['both', 'old'])('sends its own headers to %s, for the one call that has them', async name => {
    const server = name === 'old' ? old : echo
    const session = era === 'session' ? await openSession(address(name), token) : undefined
    const to = { name, era, ...(session === undefined ? {} : { session }) }
    const seen: unknown[] = []
    for (const own of [
      { Authorization: 'Bearer mine-1' },
      undefined,
      { Authorization: 'Bearer mine-2' },
      { 'X-Team': 'red' },
    ]) {
      const { status, text } = await say({ ...to, ...(own && { own }) })
      expect(status, text).toBe(200)
      seen.push([sawAt(server, 'authorization'), sawAt(server, 'x-team')])
    }
    expect(seen).toEqual([
      ['Bearer mine-1', undefined],
      [configured, undefined],
      ['Bearer mine-2', undefined],
      [configured, 'red'],
    ])
    expect(JSON.stringify(server.heads)).not.toContain(ours)
  })
})

it('shares no session upstream between sets of headers', async () => {
  const sessionOf = async (own?: Own) => {
    await say({ name: 'old', ...(own && { own }) })
    return sawAt(old, 'mcp-session-id')
  }
  const [plain, one, two] = [
    await sessionOf(),
    await sessionOf({ 'X-Key': '1' }),
    await sessionOf({ 'X-Key': '2' }),
  ]
  expect(new Set([plain, one, two]).size).toBe(3)
  expect(await sessionOf({ 'X-Key': '1' })).toBe(one)
  const opened = old.heads.filter(
    ({ method, headers }) => method === 'initialize' && headers['x-key'] === '1',
  )
  expect(opened).toHaveLength(1)
})

it('keeps calls of one session apart that go at the same time', async () => {
  const session = await openSession(address('both'), token)
  const before = echo.heads.length
  const keys = Array.from({ length: 20 }, (_, at) => `key-${at}`)
  await Promise.all(
    keys.map(async (key, at) => {
      const asked = inEra('session', {
        id: at + 10,
        method: 'tools/call',
        params: { name: 'echo', arguments: { secret: key } },
        session,
      })
      return call(address('both'), {
        ...asked,
        headers: { ...asked.headers, [ours]: JSON.stringify({ 'X-Key': key }) },
        token,
      })
    }),
  )
  expect(
    echo.heads
      .slice(before)
      .map(({ headers }) => headers['x-key'])
      .sort(),
  ).toEqual(keys.sort())
})

it('sends what belongs to a session with the headers of its own message', async () => {
  const session = await openSession(address('both'), token)
  await say({ era: 'session', session, own: { 'X-Key': 'mine' } })
  const told = inEra('session', { method: 'notifications/roots/list_changed', session })
  const headOf = () =>
    echo.heads.findLast(({ method }) => method === 'notifications/roots/list_changed')?.headers['x-key']
  await call(address('both'), { ...told, headers: { ...told.headers, [ours]: '{"X-Key":"later"}' }, token })
  expect(headOf()).toBe('later')
  await call(address('both'), { ...told, token })
  expect(headOf()).toBeUndefined()
})

it('is for the server that is named, where several are behind the address', async () => {
  expect((await say({ name: '', tool: 'lab-both_echo', own: { A: '1' } })).text).toContain(
    'vault.header_refused',
  )
  await gateway.operator('PUT /virtual-servers/lab/mix/draft', {
    sources: [
      { server: 'lab/both', tools: [{ name: 'echo', as: 'one' }] },
      { server: 'lab/old', tools: [{ name: 'echo', as: 'two' }] },
    ],
  })
  await gateway.operator('POST /virtual-servers/lab/mix/publish', {})
  const own = { both: { 'X-Team': 'for both' }, 'lab/old': { Authorization: 'Bearer for-old' } }
  for (const [tool, server, expected] of [
    ['one', echo, [configured, 'for both']],
    ['two', old, ['Bearer for-old', undefined]],
  ] as const) {
    const { status, text } = await say({ name: 'mix', tool, own })
    expect(status, text).toBe(200)
    expect([sawAt(server, 'authorization'), sawAt(server, 'x-team')]).toEqual(expected)
  }
})

it('says in the audit that the client brought them, by name and without a value', async () => {
  await say({ own: { Authorization: 'Bearer never-recorded', 'X-Team': 'red' } })
  const event = await newest()
  expect(event).toMatchObject({ credentialSource: 'client', clientHeaders: ['authorization', 'x-team'] })
  expect(JSON.stringify(event)).not.toContain('never-recorded')
  await say({})
  expect(await newest()).not.toHaveProperty('credentialSource')
})

it.each([
  ['both', { Host: 'evil.example' }, 'Host'],
  ['both', { 'Mcp-Session-Id': 'x' }, 'Mcp-Session-Id'],
  ['both', '{"A":"1","A":"2"}', 'json.duplicate_key'],
  ['fixed', { Authorization: 'Bearer mine' }, 'Authorization'],
  ['process', { 'X-Key': 'mine' }, 'a process'],
  ['both', { other: { 'X-Key': 'mine' } }, 'no server'],
] as const)(
  'T071, T073: refuses for %s what may not be, with 400 and one event, and nothing goes up',
  async (name, own, why) => {
    const before = echo.heads.length
    const { items } = await gateway.operator<{ items: AuditEvent[] }>('GET /audit?limit=500')
    const { status, text } = await say({ name, own })
    expect([status, JSON.parse(text).error.data.code]).toEqual([400, 'vault.header_refused'])
    expect(text).toContain(why)
    expect(text).not.toMatch(/evil\.example|Bearer mine/)
    expect(echo.heads.length).toBe(before)
    expect((await newest()).error).toBe('vault.header_refused')
    const after = await gateway.operator<{ items: AuditEvent[] }>('GET /audit?limit=500')
    expect(after.items.length - items.length).toBe(1)
  },
)

it('T076: lets neither its own token out nor any other of the gateway', async () => {
  for (const value of [token, `Bearer ${token}`, `Basic ${Buffer.from(`a:${token}`).toString('base64')}`]) {
    const { status, text } = await say({ own: { 'X-Any': value } })
    expect(status).toBe(400)
    expect(text).not.toContain(token)
  }
})

describe.each([false, true])(
  'a server that takes nothing but what clients bring (with sessions only: %s)',
  isSessionOnly => {
    let strict: EchoServer
    const name = isSessionOnly ? 'strict-old' : 'strict'
    const mine = { Authorization: 'Bearer of-the-client' }
    beforeAll(async () => {
      strict = await startEcho({ admits: mine.Authorization, isSessionOnly })
      await gateway.operator('POST /servers', { group: 'lab', name, transport: strict.transport })
    })
    afterAll(() => strict?.stop())

    it('is read and called with it, and with nothing where nothing comes', async () => {
      expect((await say({ name })).text).toContain('upstream.unauthorized')
      expect((await say({ name, own: { Authorization: 'Bearer other' } })).text).toContain(
        'upstream.unauthorized',
      )
      const called = await say({ name, own: mine })
      expect([called.status, called.text]).toEqual([200, expect.not.stringContaining('"error"')])
      expect(sawAt(strict, 'authorization')).toBe(mine.Authorization)
      expect((await say({ name })).text).toContain('upstream.unauthorized')
    })

    it('is a part of /mcp for who brings it', async () => {
      const called = await say({ name: '', tool: `${name}__echo`, own: { [`lab/${name}`]: mine } })
      expect([called.status, called.text]).toEqual([200, expect.not.stringContaining('"error"')])
      expect(sawAt(strict, 'authorization')).toBe(mine.Authorization)
    })
  },
)
