/** Walks every route of the management API and every row of the MCP table, as everybody who must not get through. */

import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newToken } from '../../src/identity/index.ts'
import { clientNotifications, type MethodRow, methods } from '../../src/mcp/index.ts'
import { type Api, apiOf, tokenFor } from '../fixtures/api.ts'
import { type EchoServer, startEcho } from '../fixtures/echo-http.ts'
import { type Gateway, startGateway } from '../fixtures/gateway.ts'
import { type Answered, type Asked, call } from '../fixtures/http-call.ts'
import { answerOf, type Era, hello, inEra, openSession, textOf } from '../fixtures/mcp-call.ts'

let gateway: Gateway
let echo: EchoServer
let poor: EchoServer
let api: Api
let documented: Operation[]
/** Tokens of those who may do something, by their name. */
const token: Record<string, string> = {}
/** Tokens that are good for nothing, by what is wrong with them. */
const bad: Record<string, string> = {}
/** Parameters that name things which exist. */
const existing: Record<string, string> = {
  'users.email': 'owner@example.com',
  'teams.name': 'crew',
  'teams.email': 'owner@example.com',
  'accounts.name': 'robot',
  'groups.group': 'lab',
  'groups.subject': 'user:owner@example.com',
  'servers.group': 'lab',
  'servers.server': 'echo',
}

const person = (name: string, role = 'member') => ({ email: `${name}@example.com`, role })
const people = ['owner', 'stranger', 'picky', 'reader', 'gone'].map(name => person(name))

function manifest() {
  const server = (name: string, at: EchoServer, tools = {}) => ({
    group: 'lab',
    name,
    transport: at.transport,
    tools,
  })
  return {
    users: [person('root', 'admin'), person('checker', 'auditor'), ...people],
    teams: [{ name: 'crew', members: ['owner@example.com'] }],
    virtualAccounts: [{ name: 'robot', owner: 'user:owner@example.com' }],
    groups: [
      {
        name: 'lab',
        managers: ['user:owner@example.com'],
        access: [
          { subject: 'user:owner@example.com' },
          { subject: 'account:robot' },
          { subject: 'user:picky@example.com', servers: ['echo', 'poor'], tools: ['echo', 'ec*'] },
          { subject: 'user:reader@example.com', servers: ['echo'], tools: 'readOnly' },
        ],
      },
      { name: 'yard', access: [{ subject: 'user:stranger@example.com' }] },
    ],
    servers: [
      server('echo', echo),
      server('poor', poor),
      server('strict', echo, { deny: ['wri*'] }),
      server('closed', echo, { default: 'deny', allow: ['echo'] }),
    ],
  }
}

async function makeBadTokens(): Promise<void> {
  bad.fabricated = newToken('pat')
  bad['fabricated for an account'] = newToken('vat')
  bad.misshapen = `${newToken('pat').slice(0, -1)}!`
  const [expired, revoked, disabled] = await Promise.all([
    tokenFor(api, 'user:owner@example.com'),
    tokenFor(api, 'user:owner@example.com'),
    tokenFor(api, 'user:gone@example.com'),
  ])
  // A token lives a minute at least; the test does not wait for it.
  const database = new DatabaseSync(join(gateway.dataDir, 'gatehouse.db'))
  database.prepare('update tokens set expires_at = ? where id = ?').run(Date.now() - 1000, expired.id)
  database.close()
  await api(`DELETE /tokens/${revoked.id}`)
  await api('PATCH /users/gone@example.com', { disabled: true })
  Object.assign(bad, { expired: expired.token, revoked: revoked.token, 'of a disabled user': disabled.token })
}

beforeAll(async () => {
  ;[echo, poor] = await Promise.all([startEcho(), startEcho({ without: ['write', 'erase'] })])
  gateway = await startGateway({ user: 'root@example.com', manifest: manifest() })
  api = apiOf(gateway.url, gateway.token)
  for (const name of ['owner', 'stranger', 'picky', 'reader', 'checker'])
    token[name] = (await tokenFor(api, `user:${name}@example.com`)).token
  token.robot = (await tokenFor(api, 'account:robot')).token
  existing['tokens.id'] = (await tokenFor(api, 'user:owner@example.com')).id
  const { items } = await api<{ items: { id: string }[] }>('GET /groups/lab/grants')
  existing['groups.id'] = items[0]?.id ?? ''
  await makeBadTokens()
  documented = await operations()
  // The catalogue is read soon after a server is registered; from here on only what clients do may reach the server.
  for (const server of ['echo', 'poor', 'strict', 'closed']) await api(`POST /servers/lab/${server}/test`)
})

afterAll(async () => {
  await gateway?.stop()
  await Promise.all([echo?.stop(), poor?.stop()])
})

type Operation = {
  readonly name: string
  readonly method: string
  readonly path: string
  /** Who may enter, in the words of the document. */
  readonly entry: string
  readonly isOpen: boolean
}

async function operations(): Promise<Operation[]> {
  type Described = { description: string; security?: unknown[] }
  const { paths } = await api<{ paths: Record<string, Record<string, Described>> }>('GET /openapi.json')
  return Object.entries(paths).flatMap(([template, verbs]) =>
    Object.entries(verbs).map(([verb, { description, security }]) => {
      const method = verb.toUpperCase()
      const [, , , family = ''] = template.split('/')
      const path = template.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
        const value = existing[`${family}.${name}`]
        if (value === undefined) throw new Error(`${method} ${template}: name an existing ${family}.${name}`)
        return encodeURIComponent(value)
      })
      const name = `${method} ${template.replace('/api/v1', '')}`
      return { name, method, path, entry: description, isOpen: security?.length === 0 }
    }),
  )
}

/** What is well formed but names what belongs to others, for the routes that let everybody in and look closer inside. */
const bodies: Record<string, () => unknown> = {
  'POST /tokens': () => ({ user: 'owner@example.com' }),
  'PATCH /groups/{group}': () => ({ description: 'mine now' }),
  'POST /groups/{group}/grants': () => ({ subject: 'user:stranger@example.com' }),
  'POST /servers': () => ({ group: 'lab', name: 'mine', transport: echo.transport }),
  'POST /servers/test': () => ({ group: 'lab', name: 'mine', transport: echo.transport }),
  'PATCH /servers/{group}/{server}': () => ({ description: 'mine now' }),
}

function ask({ name, method, path }: Operation, asked: Asked): Promise<Answered> {
  return call(`${gateway.url}${path}`, { method, body: bodies[name]?.(), ...asked })
}

/** Every operation that needs a token, with what came when it was asked. */
function walked(asked: Asked): Promise<readonly (readonly [string, Answered])[]> {
  const guarded = documented.filter(({ isOpen }) => !isOpen)
  return Promise.all(guarded.map(async operation => [operation.name, await ask(operation, asked)] as const))
}

const statuses = (answers: readonly (readonly [string, Answered])[]) =>
  Object.fromEntries(answers.map(([name, { status }]) => [name, status]))

const all = (status: number) =>
  Object.fromEntries(documented.filter(({ isOpen }) => !isOpen).map(({ name }) => [name, status]))

const problem = ({ text }: Answered): { code: string } => JSON.parse(text)

/** Failed authentications are counted for each address, so every bad token comes from its own. */
const addressOf = (kind: string) => `127.0.0.${2 + Object.keys(bad).indexOf(kind)}`

describe('the management API', () => {
  it('is open exactly where it says so', async () => {
    const open = documented.filter(({ isOpen }) => isOpen).map(({ name }) => name)
    expect(open).toEqual(['POST /claim'])
    const pages = [
      '/',
      '/claim',
      '/healthz',
      '/readyz',
      '/api/v1/openapi.json',
      '/metrics',
      '/mcp',
      '/api/v1',
    ]
    const found = await Promise.all(
      pages.map(async page => [page, (await call(gateway.url + page)).status] as const),
    )
    // Metrics are open to a scraper on the same machine only.
    expect(Object.fromEntries(found)).toEqual({
      '/': 200,
      '/claim': 200,
      '/healthz': 200,
      '/readyz': 200,
      '/api/v1/openapi.json': 200,
      '/metrics': 200,
      '/mcp': 401,
      '/api/v1': 404,
    })
  })

  it('answers 401 without a token', async () => {
    const answers = await walked({})
    expect(statuses(answers)).toEqual(all(401))
    for (const [, answer] of answers) {
      expect(problem(answer).code).toBe('identity.no_token')
      expect(answer.headers['www-authenticate']).toBe('Bearer realm="gatehouse"')
    }
  })

  it('answers 401 to every token that is not good', async () => {
    for (const [kind, value] of Object.entries(bad)) {
      const answers = await walked({ token: value, from: addressOf(kind) })
      expect({ kind, ...statuses(answers) }).toEqual({ kind, ...all(401) })
      for (const [, answer] of answers) {
        expect(problem(answer).code).toBe('identity.bad_token')
        expect(answer.headers['www-authenticate']).toContain('error="invalid_token"')
      }
    }
  })

  it('answers 403 to the token of a virtual account, but tells it who it is', async () => {
    const answers = await walked({ token: token.robot })
    expect(statuses(answers)).toEqual({ ...all(403), 'GET /me': 200 })
  })

  it('answers 403 to the wrong role', async () => {
    const refusing: Record<string, readonly string[]> = {
      'For admins.': ['owner', 'stranger', 'checker'],
      'For auditors and admins.': ['owner', 'stranger'],
    }
    for (const operation of documented) {
      for (const name of refusing[operation.entry] ?? []) {
        const { status } = await ask(operation, { token: token[name] })
        expect([operation.name, name, status]).toEqual([operation.name, name, 403])
      }
    }
  })

  it('shows and does nothing of others where everybody may enter', async () => {
    const before = await api('GET /manifest')
    const entered = documented.filter(({ entry }) => entry.startsWith('For every user'))
    expect(entered.length).toBeGreaterThan(15)
    for (const operation of entered) {
      const { status, text } = await ask(operation, { token: token.stranger })
      const isPersonal = operation.method === 'GET' && !operation.name.includes('{')
      if (isPersonal) {
        expect([operation.name, status]).toEqual([operation.name, 200])
        expect(text).not.toMatch(/owner|robot|crew|\blab\b|echo/)
      } else
        expect([operation.name, [403, 404].includes(status), status]).toEqual([operation.name, true, status])
    }
    expect(await api('GET /manifest')).toEqual(before)
  })

  it('lists only the tools that are granted', async () => {
    const names = async (who: string) => {
      const { text } = await call(`${gateway.url}/api/v1/tools`, { token: token[who] })
      return JSON.parse(text).items.map(
        (item: { server: string; name: string }) => `${item.server} ${item.name}`,
      )
    }
    expect(await names('picky')).toEqual(['lab/echo echo', 'lab/poor echo'])
    expect(await names('reader')).toEqual(['lab/echo echo'])
    expect(await names('stranger')).toEqual([])
  })
})

type Step = { readonly name: string; readonly era: Era; asked(session?: string): Asked }

const uri = 'echo://one'
const parameters: Record<NonNullable<MethodRow['subject']> | 'none', Record<string, unknown>> = {
  name: { name: 'echo', arguments: { secret: 'x' } },
  uri: { uri },
  ref: { ref: { type: 'ref/prompt', name: 'greeting' }, argument: { name: 'a', value: '' } },
  none: { notifications: { toolsListChanged: true }, level: 'info' },
}

/** Everything that can be sent to the address of a server: the table of methods, and what is beside it. */
const steps: readonly Step[] = [
  ...[...methods].flatMap(([method, row]) =>
    (['session', 'stateless'] as const)
      .filter(era => row.eras === era || row.eras === 'both')
      .map(era => post(era, method, { id: 7, params: parameters[row.subject ?? 'none'] })),
  ),
  post('session', 'initialize', { id: 7, params: hello }),
  post('stateless', 'initialize', { id: 7, params: hello }),
  post('session', 'no/such', { id: 7 }),
  post('stateless', 'no/such', { id: 7 }),
  ...[...clientNotifications, 'notifications/of-nobody'].map(method => post('session', method, {})),
  bare('a response', { method: 'POST', body: { jsonrpc: '2.0', id: 1, result: {} } }),
  bare('an error', { method: 'POST', body: { jsonrpc: '2.0', id: 1, error: { code: 1, message: '' } } }),
  bare('a batch', { method: 'POST', body: [] }),
  bare('GET', { method: 'GET' }),
  bare('DELETE', { method: 'DELETE' }),
  bare('PUT', { method: 'PUT' }),
]

function post(era: Era, method: string, said: { id?: number; params?: Record<string, unknown> }): Step {
  return { name: `${era} ${method}`, era, asked: session => inEra(era, { method, session, ...said }) }
}

function bare(name: string, asked: Asked): Step {
  const headersWith = (session: string | undefined): Record<string, string> =>
    session === undefined ? {} : { 'mcp-session-id': session }
  return { name, era: 'session', asked: session => ({ ...asked, headers: headersWith(session) }) }
}

const addresses = (server: string) => [`${gateway.url}/mcp/${server}/server`, `${gateway.url}/mcp/${server}`]
const at = (server: string) => `${gateway.url}/mcp/${server}/server`

/** An answer without what differs in every answer. */
function comparable({ status, headers, text }: Answered) {
  const { date: _, 'x-request-id': requestId, ...others } = headers
  expect(requestId).toMatch(/^[0-9a-z]+$/)
  return { status, headers: others, text: text.replaceAll(String(requestId), 'REQUEST') }
}

describe('the MCP plane', () => {
  let session: string
  beforeAll(async () => {
    session = await openSession(at('lab/echo'), token.owner ?? '')
  })

  it('answers 401 without a token, with the challenge, also inside a session', async () => {
    for (const url of addresses('lab/echo')) {
      for (const { name, asked } of steps) {
        const answer = await call(url, asked(session))
        expect([name, answer.status]).toEqual([name, 401])
        expect(answer.headers['www-authenticate']).toBe('Bearer realm="gatehouse"')
      }
    }
  })

  it.each([
    'fabricated',
    'fabricated for an account',
    'misshapen',
    'expired',
    'revoked',
    'of a disabled user',
  ])('answers 401 to a token that is %s', async kind => {
    for (const { name, asked } of steps) {
      const from = addressOf(kind).replace('127.0.0', '127.0.1')
      const answer = await call(at('lab/echo'), { ...asked(session), token: bad[kind], from })
      expect([name, answer.status]).toEqual([name, 401])
      expect(answer.headers['www-authenticate']).toContain('error="invalid_token"')
    }
  })

  it('answers without a grant as if there were no such server and no such group', async () => {
    const before = echo.seen.length
    for (const { name, asked } of steps) {
      const answers = await Promise.all(
        ['lab/echo', 'lab/none', 'none/echo'].flatMap(addresses).map(async url => {
          return comparable(await call(url, { ...asked(session), token: token.stranger }))
        }),
      )
      expect([name, answers[0]?.status]).toEqual([name, 404])
      for (const answer of answers) expect(answer).toEqual(answers[0])
    }
    expect(echo.seen.slice(before)).toEqual([])
  })

  it('gives the session of one to nobody else', async () => {
    const inside = steps.filter(({ era, name }) => era === 'session' && !/initialize|batch|PUT/.test(name))
    for (const { name, asked } of inside) {
      const answer = await call(at('lab/echo'), { ...asked(session), token: token.picky })
      const other = await call(at('lab/echo'), { ...asked('of-nobody'), token: token.picky })
      expect([name, answer.status]).toEqual([name, 404])
      expect(comparable(answer)).toEqual(comparable(other))
    }
    expect(
      (
        await call(at('lab/poor'), {
          ...inEra('session', { id: 1, method: 'ping', session }),
          token: token.owner,
        })
      ).status,
    ).toBe(404)
  })

  it('lets those through who may: every step of the table reaches its end', async () => {
    const own = await openSession(at('lab/echo'), token.robot ?? '')
    for (const { name, era, asked } of steps.filter(({ name }) => methods.has(name.split(' ')[1] ?? ''))) {
      if (name.endsWith('subscriptions/listen')) continue
      const answer = await call(at('lab/echo'), { ...asked(own), token: token.robot })
      expect([name, era, answer.status, answerOf(answer).error]).toEqual([name, era, 200, undefined])
    }
  })
})

async function sees(
  server: string,
  who: string,
  asked: { era: Era; method: string; params?: Record<string, unknown> },
) {
  const { era, method, params } = asked
  const session = era === 'session' ? await openSession(at(server), token[who] ?? '') : undefined
  const said = { id: 3, method, session, ...(params === undefined ? {} : { params }) }
  return call(at(server), { ...inEra(era, said), token: token[who] })
}

async function toolsOf(server: string, who: string, era: Era): Promise<unknown> {
  const { result } = answerOf(await sees(server, who, { era, method: 'tools/list' }))
  return Array.isArray(result?.tools) ? result.tools.map(tool => tool.name) : result
}

const called = (name: string) => ({ method: 'tools/call', params: { name, arguments: { secret: 'done' } } })

describe.each(['session', 'stateless'] as const)('grants and policies in the %s era', era => {
  const callsOf = (name: string) =>
    [...echo.seen, ...poor.seen].filter(
      ({ method, params }) => method === 'tools/call' && params?.name === name,
    )

  it('a tool that is not granted is as absent as one that does not exist', async () => {
    const before = callsOf('write').length
    expect(await toolsOf('lab/echo', 'picky', era)).toEqual(['echo'])
    // The one server has the tool and does not grant it, the other has none of that name.
    const [hidden, missing] = await Promise.all([
      sees('lab/echo', 'picky', { era, ...called('write') }),
      sees('lab/poor', 'picky', { era, ...called('write') }),
    ])
    expect(comparable(hidden)).toEqual(comparable(missing))
    expect(answerOf(hidden).error).toMatchObject({ code: -32602, message: 'Unknown tool.' })
    expect(callsOf('write')).toHaveLength(before)
    expect(textOf(answerOf(await sees('lab/echo', 'picky', { era, ...called('echo') })))).toBe('done')
  })

  it('a grant of tools gives nothing but tools', async () => {
    const others = [...methods].filter(
      ([method, row]) =>
        (row.eras === era || row.eras === 'both') && /^(resource|prompt)\./.test(row.action) && method !== '',
    )
    expect(others.length).toBeGreaterThan(4)
    for (const [method, row] of others) {
      const before = echo.seen.length
      const params = {
        ...parameters[row.subject ?? 'none'],
        ...(method === 'prompts/get' ? { name: 'greeting' } : {}),
      }
      const answer = await sees('lab/echo', 'picky', { era, method, params })
      expect(answer.text).not.toMatch(/what is in it|good day|"echo:\/\/\{name\}"|"one"|completed/)
      const reached = echo.seen.slice(before).map(message => message.method)
      expect(reached.filter(name => name === method)).toEqual([])
    }
  })

  it('readOnly gives what says that it only reads', async () => {
    expect(await toolsOf('lab/echo', 'reader', era)).toEqual(['echo'])
    for (const name of ['write', 'erase']) {
      const before = callsOf(name).length
      expect(answerOf(await sees('lab/echo', 'reader', { era, ...called(name) })).error?.message).toBe(
        'Unknown tool.',
      )
      expect(callsOf(name)).toHaveLength(before)
    }
    expect(textOf(answerOf(await sees('lab/echo', 'reader', { era, ...called('echo') })))).toBe('done')
    const read = answerOf(
      await sees('lab/echo', 'reader', { era, method: 'resources/read', params: { uri } }),
    )
    expect(read.result).toMatchObject({ contents: [{ text: 'what is in it' }] })
  })

  it.each([
    ['lab/strict', ['echo', 'erase']],
    ['lab/closed', ['echo']],
  ])('the policy of %s binds those who are granted everything', async (server, allowed) => {
    expect(await toolsOf(server, 'owner', era)).toEqual(allowed)
    for (const name of ['echo', 'write', 'erase']) {
      const before = callsOf(name).length
      const answer = answerOf(await sees(server, 'owner', { era, ...called(name) }))
      expect([name, textOf(answer), answer.error?.message]).toEqual(
        allowed.includes(name) ? [name, 'done', undefined] : [name, undefined, 'Unknown tool.'],
      )
      expect(callsOf(name)).toHaveLength(before + (allowed.includes(name) ? 1 : 0))
    }
  })
})
