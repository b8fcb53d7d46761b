/** Bad input to the management API: all of what is wrong is said, and nothing is changed or started. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, apiOf, tokenFor } from '../fixtures/api.ts'
import { type Gateway, startGateway, USER } from '../fixtures/gateway.ts'
import { type HostileUpstream, startHostileUpstream } from '../fixtures/hostile-upstream.ts'
import { answerOf } from '../fixtures/mcp-call.ts'
import { callerOf, type Sent, send } from '../fixtures/raw-client.ts'
import { eventually } from '../fixtures/watch.ts'

const ADMIN = 'root@example.com'
const MANAGER = 'mia@example.com'
const AUDITOR = 'otto@example.com'

let gateway: Gateway
let upstream: HostileUpstream
let admin: Api
let trap: Server
let visitors = 0
let trapPort: number
const token: Record<string, string> = {}
const folder = mkdtempSync(join(tmpdir(), 'gatehouse-marker-'))
const program = join(folder, 'program.mjs')
const marker = join(folder, 'was-started')

/** A server that says that it was started, and nothing else. */
const stdio = () => ({ kind: 'stdio', command: process.execPath, args: [program, marker] })

beforeAll(async () => {
  writeFileSync(program, "import { writeFileSync } from 'node:fs'\nwriteFileSync(process.argv[2], '')\n")
  upstream = await startHostileUpstream()
  trap = createServer(socket => {
    visitors++
    socket.destroy()
  })
  await new Promise<void>(resolve => trap.listen(0, '127.0.0.1', resolve))
  const address = trap.address()
  trapPort = typeof address === 'object' && address !== null ? address.port : 0
  gateway = await startGateway({
    user: ADMIN,
    manifest: {
      users: [
        { email: ADMIN, role: 'admin' },
        { email: AUDITOR, role: 'auditor' },
        { email: MANAGER, role: 'member' },
        { email: USER, role: 'member' },
      ],
      groups: [{ name: 'lab', managers: [`user:${MANAGER}`], access: [{ subject: 'everyone' }] }],
      servers: [{ group: 'lab', name: 'one', transport: upstream.transport() }],
    },
  })
  admin = apiOf(gateway.url, gateway.token)
  token.admin = gateway.token
  for (const [name, email] of Object.entries({ manager: MANAGER, auditor: AUDITOR, member: USER }))
    token[name] = (await tokenFor(admin, `user:${email}`)).token
})

afterAll(async () => {
  await gateway?.stop()
  await upstream?.stop()
  trap?.close()
  rmSync(folder, { recursive: true })
})

type Problem = { code: string; why: string; problems?: { path: string; line: number | null; why: string }[] }
type Asked = { as?: string; body: unknown; headers?: Sent['headers'] }

/** One clear problem, and everything is as it was. */
async function expectRefused(
  line: string,
  { as = 'admin', body, headers }: Asked,
  status: number,
  code: string,
) {
  const before = await admin<{ manifest: string }>('GET /manifest')
  const [method = '', path = ''] = line.split(' ')
  const answer = await send(`${gateway.url}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${token[as]}`, 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body),
  })
  expect([answer.status, answer.text]).toEqual([status, expect.stringContaining(`"${code}"`)])
  expect(answer.headers['content-type']).toBe('application/problem+json')
  const problem = JSON.parse(answer.text)
  expect(problem).toMatchObject({
    type: `urn:gatehouse:error:${code}`,
    title: expect.stringMatching(/^[A-Z].*\.$/),
    status,
    code,
    why: expect.stringMatching(/\w/),
    fix: expect.stringMatching(/\.$/),
    requestId: answer.headers['x-request-id'],
  })
  expect(await admin<{ manifest: string }>('GET /manifest')).toEqual(before)
  return problem as Problem
}

describe('a body that is not the JSON we take', () => {
  const user = (more: string) => `{"email":"new@example.com"${more}}`
  it.each<[string, string | Buffer, number, string]>([
    ['no JSON', 'email=new@example.com', 400, 'json.malformed'],
    ['half of it', '{"email":"new@example.com"', 400, 'json.malformed'],
    ['nothing', '', 400, 'json.malformed'],
    ['two values', '{}{}', 400, 'json.malformed'],
    ['bytes that are not UTF-8', Buffer.from(user(',"a":"\xff"'), 'latin1'), 400, 'json.malformed'],
    ['a byte order mark', `\ufeff${user('')}`, 400, 'json.malformed'],
    ['a key twice', user(',"role":"member","role":"admin"'), 400, 'json.duplicate_key'],
    [
      'a key twice in other letters',
      user(String.raw`,"role":"member","rol\u0065":"admin"`),
      400,
      'json.duplicate_key',
    ],
    ['__proto__', user(',"__proto__":{"role":"admin"}'), 400, 'json.forbidden_key'],
    ['65 levels', user(`,"a":${'['.repeat(64)}${']'.repeat(64)}`), 400, 'json.too_deep'],
    ['more than 1 MiB', user(`,"a":"${'x'.repeat(1024 * 1024)}"`), 413, 'http.body_too_large'],
    ['an array', '[]', 400, 'http.bad_request'],
    ['null', 'null', 400, 'http.bad_request'],
    ['a text', '"new@example.com"', 400, 'http.bad_request'],
  ])('because it has %s is refused', async (_, body, status, code) => {
    await expectRefused('POST /users', { body }, status, code)
  })

  it.each([['text/plain'], ['application/x-www-form-urlencoded'], [undefined]])(
    'because its type is %s is refused',
    async type => {
      const headers = { 'content-type': type }
      await expectRefused('POST /users', { body: user(''), headers }, 415, 'http.bad_content_type')
    },
  )

  it('because it is compressed is refused', async () => {
    const headers = { 'content-encoding': 'gzip' }
    await expectRefused('POST /users', { body: user(''), headers }, 415, 'http.bad_content_type')
  })
})

describe('a field nobody asked for', () => {
  const server = () => ({ group: 'lab', name: 'two', transport: upstream.transport() })
  it.each<[string, () => unknown, string]>([
    ['POST /users', () => ({ email: 'new@example.com', isAdmin: true }), 'isAdmin'],
    ['POST /users', () => ({ email: 'new@example.com', id: 'mine' }), 'id'],
    ['PATCH /users/ana@example.com', () => ({ disabled: false, teams: ['admins'] }), 'teams'],
    ['POST /teams', () => ({ name: 'crew', ownerId: 'mine' }), 'ownerId'],
    ['POST /accounts', () => ({ name: 'robot', role: 'admin' }), 'role'],
    ['POST /accounts', () => ({ name: 'robot', ownerId: 'mine' }), 'ownerId'],
    ['POST /tokens', () => ({ expires: '1d', role: 'admin' }), 'role'],
    ['POST /tokens', () => ({ expires: '1d', ownerId: 'mine' }), 'ownerId'],
    ['POST /groups', () => ({ name: 'new', access: [{ subject: 'everyone' }] }), 'access'],
    ['POST /groups/lab/grants', () => ({ subject: 'everyone', role: 'admin' }), 'role'],
    ['POST /servers', () => ({ ...server(), id: 'mine' }), 'id'],
    [
      'POST /servers',
      () => ({ ...server(), transport: { ...upstream.transport(), headers: {} } }),
      'headers',
    ],
    ['POST /servers/test', () => ({ ...server(), version: 7 }), 'version'],
    ['PATCH /servers/lab/one', () => ({ group: 'other' }), 'group'],
    ['PATCH /servers/lab/one', () => ({ policy: {} }), 'policy'],
    ['POST /manifest', () => ({ manifest: '', force: true }), 'force'],
  ])('%s with %o is refused by its name', async (line, body, field) => {
    const { why } = await expectRefused(line, { body: body() }, 400, 'http.bad_request')
    expect(why).toContain(field)
  })

  it.each<[string, unknown, number, string]>([
    ['PATCH /users/ana@example.com', { role: 'admin' }, 403, 'identity.forbidden'],
    ['POST /users', { email: 'new@example.com', role: 'admin' }, 403, 'identity.forbidden'],
    ['POST /tokens', { user: ADMIN, expires: '1d' }, 403, 'identity.forbidden'],
    ['PUT /groups/lab/managers/user:ana@example.com', {}, 403, 'identity.forbidden'],
    [
      'POST /manifest',
      { manifest: 'users: [{ email: ana@example.com, role: admin }]' },
      403,
      'identity.forbidden',
    ],
  ])('lifts no member up: %s with %o', async (line, body, status, code) => {
    await expectRefused(line, { as: 'member', body }, status, code)
  })
})

describe('a manifest with mistakes', () => {
  const text = `users:
  - email: new@example.com
    role: amdin
  - emial: other@example.com
groups:
  - name: lab
    acces: []
servers:
  - group: lab
    name: two
    transport: { kind: streamable-htp, url: "https://example.com/mcp" }
  - group: nowhere
    name: three
    transport: { kind: stdio, command: sh, args: [-c, id] }
`
  const lines = [3, 4, 4, 7, 11]

  it('is refused with all of them and their lines', async () => {
    const { problems = [], why } = await expectRefused(
      'POST /manifest',
      { body: { manifest: text } },
      400,
      'manifest.invalid',
    )
    expect(problems.map(({ line }) => line)).toEqual(lines)
    for (const line of lines) expect(why).toContain(`line ${line}`)
  })

  it('is refused on the command line in the same words', async () => {
    const file = join(folder, 'bad.yaml')
    writeFileSync(file, text)
    const before = await gateway.cli('export')
    const complaint = await gateway.cli('apply', '-f', file).catch((error: Error) => error.message)
    for (const line of lines) expect(complaint).toContain(`line ${line}`)
    expect(complaint).toContain('Did you mean admin?')
    expect(await gateway.cli('export')).toBe(before)
  })

  it.each([
    ['that is no YAML', 'users: [', 1],
    ['with a key twice', 'users: []\nusers: []\n', 2],
    ['that is a list', '- a\n', 1],
    [
      'with a group nobody knows',
      'servers:\n  - group: nowhere\n    name: a\n    transport: { kind: sse, url: "https://example.com" }\n',
      2,
    ],
    [
      'with a shell',
      'servers:\n  - group: lab\n    name: a\n    transport:\n      kind: stdio\n      command: sh\n',
      4,
    ],
    [
      'with a secret nobody gave',
      `servers:\n  - group: lab\n    name: a\n    transport: { kind: sse, url: "https://example.com" }\n    auth: { kind: headers, headers: { X-Key: "\${env:NO_SUCH}" } }\n`,
      5,
    ],
  ])('%s is refused with its line', async (_, manifest, line) => {
    const { problems = [] } = await expectRefused(
      'POST /manifest',
      { body: { manifest } },
      400,
      'manifest.invalid',
    )
    expect(problems.map(problem => problem.line)).toContain(line)
  })
})

describe('a program', () => {
  beforeAll(async () => {
    await admin('POST /servers', { group: 'lab', name: 'program', transport: stdio() })
    // An admin may, and the gateway looks at what it registered: until it says that it could not be read, it starts it.
    await eventually(
      'the end of the first reading',
      () => admin<object>(`GET /access/explain?subject=user:${ADMIN}&server=lab/program`),
      explained => JSON.stringify(explained).includes('It could not be read'),
    )
    rmSync(marker)
  })

  const places: [string, () => unknown][] = [
    ['POST /servers', () => ({ group: 'lab', name: 'two', transport: stdio() })],
    ['POST /servers/test', () => ({ group: 'lab', name: 'two', transport: stdio() })],
    ['PATCH /servers/lab/one', () => ({ transport: stdio() })],
    ['PATCH /servers/lab/program', () => ({ transport: { ...stdio(), args: [program, marker, 'more'] } })],
    ['PATCH /servers/lab/program', () => ({ description: 'mine' })],
    ['PATCH /servers/lab/program', () => ({ transport: upstream.transport() })],
    ['POST /servers/lab/program/test', () => ({})],
    [
      'POST /manifest',
      () => ({ manifest: JSON.stringify({ servers: [{ group: 'lab', name: 'two', transport: stdio() }] }) }),
    ],
  ]

  it.each(places)('is not started for the manager of a group by %s %o', async (line, body) => {
    await expectRefused(line, { as: 'manager', body: body() }, 403, 'identity.forbidden')
    expect(existsSync(marker)).toBe(false)
  })

  it.each(places)('is not started for an auditor by %s %o', async (line, body) => {
    await expectRefused(line, { as: 'auditor', body: body() }, 403, 'identity.forbidden')
    expect(existsSync(marker)).toBe(false)
  })

  it.each(places)('is not started for a member by %s %o', async (line, body) => {
    await expectRefused(line, { as: 'member', body: body() }, 403, 'identity.forbidden')
    expect(existsSync(marker)).toBe(false)
  })

  it.each([
    [{ command: 'sh', args: ['-c', 'id'] }],
    [{ command: '/bin/sh', args: [] }],
    [{ command: './server', args: [] }],
    [{ command: 'env', args: ['sh'] }],
    [{ command: process.execPath, args: ['-e', '1'] }],
    [{ command: process.execPath, args: ['a\nb'] }],
    [{ command: process.execPath, args: [], env: { NODE_OPTIONS: '--inspect' } }],
    [{ command: process.execPath, args: [], env: { PATH: '/tmp' } }],
    [{ command: process.execPath, args: [], env: { LD_PRELOAD: '/tmp/a.so' } }],
  ])('is refused even to admins as %o', async what => {
    const body = { group: 'lab', name: 'two', transport: { kind: 'stdio', ...what } }
    await expectRefused('POST /servers', { body }, 400, 'upstream.command_refused')
    await expectRefused('POST /servers/test', { body }, 400, 'upstream.command_refused')
    await expectRefused(
      'PATCH /servers/lab/program',
      { body: { transport: body.transport } },
      400,
      'upstream.command_refused',
    )
  })
})

describe('an address inside the network of the gateway', () => {
  const transport = (host: string, more = {}) => ({
    kind: 'streamable-http',
    url: `http://${host}:${trapPort}/mcp`,
    ...more,
  })

  it('is for admins to allow', async () => {
    const inside = transport('127.0.0.1', { allowPrivateNetwork: true })
    const body = { group: 'lab', name: 'two', transport: inside }
    await expectRefused('POST /servers', { as: 'manager', body }, 403, 'identity.forbidden')
    await expectRefused('POST /servers/test', { as: 'manager', body }, 403, 'identity.forbidden')
    await expectRefused(
      'PATCH /servers/lab/one',
      { as: 'manager', body: { transport: inside } },
      403,
      'identity.forbidden',
    )
    expect(visitors).toBe(0)
  })

  it('is open where an admin named it, and nowhere else', async () => {
    const test = async (allowPrivateNetwork: unknown) => {
      const body = { group: 'lab', name: 'two', transport: transport('127.0.0.1', { allowPrivateNetwork }) }
      return JSON.stringify(await admin('POST /servers/test', body))
    }
    for (const elsewhere of [['10.0.0.0/8'], ['127.0.0.2'], ['localhost']])
      expect(await test(elsewhere)).toContain('not public')
    expect(visitors).toBe(0)
    expect(await test(['10.0.0.0/8', '127.0.0.0/8'])).toContain(`port ${trapPort} is open`)
    visitors = 0
    for (const [as, status, code, network] of [
      ['manager', 403, 'identity.forbidden', ['127.0.0.0/8']],
      ['admin', 400, 'http.bad_request', ['127.0.0.0/40']],
      ['admin', 400, 'http.bad_request', []],
    ] as const) {
      const body = {
        group: 'lab',
        name: 'two',
        transport: transport('127.0.0.1', { allowPrivateNetwork: network }),
      }
      await expectRefused('POST /servers/test', { as, body }, status, code)
    }
  })

  it.each([
    '127.0.0.1',
    'localhost',
    '127.1',
    '2130706433',
    '0x7f000001',
    '0177.0.0.1',
    '0.0.0.0',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '①②⑦.0.0.1',
    '169.254.169.254',
    '10.0.0.1',
  ])('is not reached as %s', async host => {
    const manager = apiOf(gateway.url, token.manager ?? '')
    const server = { group: 'lab', name: 'inside', transport: transport(host) }
    const report = await manager<{ ok: boolean; steps: { why?: string }[] }>('POST /servers/test', server)
    expect(report.ok).toBe(false)
    expect(report.steps.at(-1)?.why).toContain('not public')
    await manager('POST /servers', server)
    try {
      const ana = callerOf('stateless', {
        url: `${gateway.url}/mcp/lab/inside/server`,
        token: token.member ?? '',
      })
      expect(answerOf(await ana.call('ok')).error).toMatchObject({
        data: { code: 'upstream.address_refused' },
      })
    } finally {
      await manager('DELETE /servers/lab/inside')
    }
    expect(visitors).toBe(0)
  })
})
