import { mkdtempSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { AuditEvent } from '../audit/index.ts'
import { configSchema } from '../config/schema.ts'
import { dispatch } from '../dispatch.ts'
import { openAddresses } from '../foundation/addresses.ts'
import { fail } from '../foundation/errors.ts'
import { silentLog } from '../foundation/log.ts'
import { type Caller, type Role, route } from '../foundation/route.ts'
import type { Principal } from '../identity/index.ts'
import { type Listening, listen } from '../listen.ts'
import { openHttp } from './index.ts'

function principal(name: string, role: Role, kind: Caller['kind'] = 'user'): Principal {
  const caller: Caller = { id: name, kind, name, role, subjects: ['everyone'], tokenId: `t-${name}` }
  return caller as Principal
}

const people = new Map([
  ['Bearer admin', principal('ada', 'admin')],
  ['Bearer auditor', principal('otto', 'auditor')],
  ['Bearer member', principal('mia', 'member')],
  ['Bearer account', principal('nightly', 'member', 'account')],
])

const whoAmI = { answer: z.object({ name: z.string().meta({ id: 'Name' }) }) }
const sampleRoutes = [
  route({
    ...whoAmI,
    method: 'GET',
    path: '/api/v1/me',
    summary: 'Who am I?',
    entry: 'signed-in',
    act: async ({ caller }) => ({ name: caller.name }),
  }),
  route({
    method: 'POST',
    path: '/api/v1/things/{name}',
    summary: 'Make a thing.',
    entry: 'admin',
    status: 201,
    params: z.strictObject({ name: z.string().max(10) }),
    query: z.strictObject({ limit: z.coerce.number().int().max(5).default(1) }),
    body: z.strictObject({ color: z.enum(['red', 'blue']) }),
    answer: z.unknown(),
    act: async ({ params, query, body }) => ({ ...params, ...query, ...body }),
  }),
  route({
    method: 'DELETE',
    path: '/api/v1/things/{name}',
    summary: 'Unmake a thing.',
    entry: 'auditor',
    act: async () => undefined,
  }),
  route({
    method: 'POST',
    path: '/api/v1/claim',
    summary: 'Claim.',
    entry: 'anyone',
    body: z.object({ secret: z.string() }),
    act: async () => fail('identity.claim_refused'),
  }),
  route({
    method: 'GET',
    path: '/api/v1/broken',
    summary: 'Breaks.',
    entry: 'signed-in',
    act: async () => {
      throw new Error('the password is hunter2')
    },
  }),
]

const recorded: AuditEvent[] = []
const checks = [{ name: 'database', isWell: true, isRequired: true, found: 'It answers.' }]
let mode: 'fine' | 'broken' = 'fine'
let listening: Listening
let socketPath: string

beforeAll(async () => {
  const config = configSchema.parse({
    allowedOrigins: ['https://app.example'],
    limits: { requestBytes: 2048 },
  })
  const http = openHttp({
    routes: sampleRoutes,
    identify: authorization => {
      if (mode === 'broken') throw new Error('no database')
      if (authorization === undefined) return { rejected: 'identity.no_token', why: 'There is no token.' }
      return people.get(authorization) ?? { rejected: 'identity.bad_token', why: 'It is not known.' }
    },
    sessionOf: async () => undefined,
    addresses: openAddresses(config),
    operator: () => principal('operator', 'admin', 'operator'),
    audit: {
      record: (event, written) => {
        recorded.push(event)
        written()
      },
      recorded: async event => void recorded.push(event),
    },
    config,
    log: silentLog,
    version: '0.0.0',
    metrics: () => 'up 1\n',
    health: async () => checks,
  })
  const handle = dispatch({
    answered: () => {},
    http: http.handle,
    others: [],
    mcp: (_, response) => response.end('mcp'),
  })
  socketPath = join(mkdtempSync(join(tmpdir(), 'gatehouse-http-')), 'socket')
  listening = await listen({
    handle,
    endStreams: () => undefined,
    tcp: { host: '127.0.0.1', port: 0 },
    socketPath,
  })
})

afterAll(() => listening.drain(0))
beforeEach(() => {
  recorded.length = 0
  mode = 'fine'
})

async function ask(path: string, init: RequestInit & { as?: string } = {}) {
  const headers = new Headers(init.headers)
  if (init.as !== undefined) headers.set('authorization', `Bearer ${init.as}`)
  if (init.body !== undefined && !headers.has('content-type')) headers.set('content-type', 'application/json')
  const response = await fetch(listening.url + path, { ...init, headers })
  const text = await response.text()
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: text.startsWith('{') ? JSON.parse(text) : {},
  }
}

/** Bytes as they stand, for what fetch would never send. */
function askRaw(head: string): Promise<string> {
  const { hostname, port } = new URL(listening.url ?? '')
  return new Promise((resolve, reject) => {
    const socket = createConnection(Number(port), hostname)
    let answer = ''
    socket
      .on('data', data => (answer += data))
      .on('close', () => resolve(answer))
      .on('error', reject)
    socket.end(`${head}\r\nConnection: close\r\n\r\n`)
  })
}

function askLocally(
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    httpRequest({ socketPath, path, headers }, response => {
      let text = ''
      response.on('data', data => (text += data))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
    })
      .on('error', reject)
      .end()
  })
}

const tooLong = JSON.stringify('x'.repeat(2048))
const things = { method: 'POST', body: '{"color":"red"}', as: 'admin' }

describe('a declared route', () => {
  it('gets its parts validated', async () => {
    const answer = await ask('/api/v1/things/box?limit=3', things)
    expect(answer).toMatchObject({ status: 201, json: { name: 'box', limit: 3, color: 'red' } })
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-request-id': expect.stringMatching(/^\w{22}$/),
      'content-type': 'application/json',
    })
  })

  it('answers 204 when there is nothing to say', async () => {
    expect(await ask('/api/v1/things/box', { method: 'DELETE', as: 'auditor' })).toMatchObject({
      status: 204,
      text: '',
    })
  })

  it.each([
    ['/api/v1/things/box', { ...things, body: '{"color":"green"}' }, 400, 'http.bad_request'],
    ['/api/v1/things/box', { ...things, body: '{"color":"red","size":1}' }, 400, 'http.bad_request'],
    ['/api/v1/things/box', { ...things, body: '{"color":"red","color":"blue"}' }, 400, 'json.duplicate_key'],
    ['/api/v1/things/box', { ...things, body: '{"__proto__":{}}' }, 400, 'json.forbidden_key'],
    ['/api/v1/things/box', { ...things, body: '{' }, 400, 'json.malformed'],
    ['/api/v1/things/box', { ...things, body: '['.repeat(65) }, 400, 'json.too_deep'],
    ['/api/v1/things/box', { ...things, body: tooLong }, 413, 'http.body_too_large'],
    [
      '/api/v1/things/box',
      { ...things, headers: { 'content-type': 'text/plain' } },
      415,
      'http.bad_content_type',
    ],
    [
      '/api/v1/things/box',
      { ...things, headers: { 'content-encoding': 'gzip' } },
      415,
      'http.bad_content_type',
    ],
    ['/api/v1/things/a-name-too-long', things, 400, 'http.bad_request'],
    ['/api/v1/things/box?limit=6', things, 400, 'http.bad_request'],
    ['/api/v1/things/box?limt=5', things, 400, 'http.bad_request'],
    ['/api/v1/nothing', { as: 'admin' }, 404, 'http.not_found'],
    ['/api/v1/things/box', { as: 'admin' }, 405, 'http.method_not_allowed'],
    ['/healthz', { method: 'POST' }, 405, 'http.method_not_allowed'],
    ['/api/v1/claim', { method: 'POST', body: '{"secret":"x"}' }, 403, 'identity.claim_refused'],
  ])('%s %o: %i %s', async (path, init, status, code) => {
    const answer = await ask(path, init)
    expect(answer.json).toMatchObject({ status, code, type: `urn:gatehouse:error:${code}` })
    for (const member of ['title', 'why', 'fix']) expect(answer.json[member]).toMatch(/\w{3}/)
    expect(answer.json.requestId).toBe(answer.headers.get('x-request-id'))
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
  })

  it('names what is allowed instead', async () => {
    expect((await ask('/api/v1/things/box')).headers.get('allow')).toBe('POST, DELETE')
  })

  it('shows nothing of what broke inside', async () => {
    const answer = await ask('/api/v1/broken', { as: 'member' })
    expect(answer).toMatchObject({ status: 500, json: { code: 'internal.unexpected' } })
    expect(answer.text).not.toContain('hunter2')
  })

  it('refuses a body that never says its length as soon as it is too long', async () => {
    const endless = new ReadableStream({
      pull: controller => controller.enqueue(new TextEncoder().encode('[1,1,1')),
    })
    const init: RequestInit & { duplex: 'half'; as: string } = {
      method: 'POST',
      body: endless,
      duplex: 'half',
      as: 'admin',
    }
    const status = await ask('/api/v1/things/box', init).then(
      answer => answer.status,
      () => 'cut',
    )
    expect([413, 'cut']).toContain(status)
  })
})

describe('who may enter', () => {
  it.each([
    [undefined, '/api/v1/me', 'GET', 401],
    ['wrong', '/api/v1/me', 'GET', 401],
    ['member', '/api/v1/me', 'GET', 200],
    ['account', '/api/v1/me', 'GET', 200],
    ['account', '/api/v1/broken', 'GET', 403],
    ['member', '/api/v1/things/x', 'DELETE', 403],
    ['auditor', '/api/v1/things/x', 'DELETE', 204],
    ['admin', '/api/v1/things/x', 'DELETE', 204],
    ['auditor', '/api/v1/things/x', 'POST', 403],
    ['member', '/api/v1/doctor', 'GET', 403],
    ['auditor', '/api/v1/doctor', 'GET', 200],
  ])('%s at %s %s: %i', async (as, path, method, status) => {
    const answer = await ask(path, { method, ...(as === undefined ? {} : { as }) })
    expect(answer.status).toBe(status)
    expect(answer.headers.has('www-authenticate')).toBe(status === 401)
    expect(recorded).toHaveLength(status === 403 || as === 'wrong' ? 1 : 0)
  })

  it('records who was refused what, and why', async () => {
    await ask('/api/v1/things/x', { method: 'DELETE', as: 'member' })
    expect(recorded[0]).toMatchObject({
      kind: 'identity',
      who: { id: 'mia', name: 'mia', tokenId: 't-mia', address: '127.0.0.1' },
      action: 'DELETE /api/v1/things/{name}',
      decision: { allowed: false },
      outcome: 'denied',
      error: 'identity.forbidden',
    })
  })

  it('rejects when identifying breaks', async () => {
    mode = 'broken'
    expect(await ask('/api/v1/me', { as: 'admin' })).toMatchObject({
      status: 503,
      json: { code: 'identity.unavailable' },
    })
  })

  it('takes who opens the local socket for the operator', async () => {
    expect(await askLocally('/api/v1/me', { host: 'anything' })).toEqual({
      status: 200,
      text: '{"name":"operator"}',
    })
  })
})

describe('what is refused before a route is looked for', () => {
  it.each([
    [{ origin: 'https://evil.example' }, 403, 'http.bad_origin'],
    [{ origin: 'null' }, 403, 'http.bad_origin'],
  ])('%o: %i', async (headers, status, code) => {
    expect((await ask('/api/v1/me', { headers, as: 'member' })).json).toMatchObject({ status, code })
  })

  it('refuses a token in the query', async () => {
    expect(await ask('/api/v1/me?access_token=x', { as: 'member' })).toMatchObject({
      status: 401,
      json: { code: 'http.token_in_query' },
    })
  })

  const me = 'GET /api/v1/me HTTP/1.1\r\n'
  it.each([
    ['a foreign Host', `${me}Host: evil.example`, 421],
    ['two Hosts', `${me}Host: localhost\r\nHost: localhost`, 400],
    ['two tokens', `${me}Host: localhost\r\nAuthorization: Bearer admin\r\nAuthorization: Bearer x`, 400],
    ['a list of tokens', `${me}Host: localhost\r\nAuthorization: Bearer admin, Bearer x`, 400],
    ['another authority', 'GET http://evil.example/api/v1/me HTTP/1.1\r\nHost: localhost', 400],
    ['another authority at MCP', 'GET http://evil.example/mcp/a/b HTTP/1.1\r\nHost: localhost', 400],
    ['no Host', 'GET /api/v1/me HTTP/1.1', 400],
    [
      'two lengths',
      'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked',
      400,
    ],
    ['101 headers', `${me}Host: localhost\r\n${'X: y\r\n'.repeat(100)}Z: z`, 400],
    ['a header of 40 kB', `${me}Host: localhost\r\nX: ${'y'.repeat(40_000)}`, 431],
  ])('refuses %s', async (_, head, status) => {
    expect(await askRaw(head)).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
  })

  it.each([
    [
      'the whole URL of itself',
      'GET http://localhost/api/v1/me HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer admin',
    ],
    ['the whole URL of itself at MCP', 'GET http://localhost/mcp/a/b HTTP/1.1\r\nHost: localhost'],
    ['a probe at its bare address', 'GET /healthz HTTP/1.1\r\nHost: 10.0.0.7:4000'],
  ])('takes %s', async (_, head) => {
    expect(await askRaw(head)).toMatch(/^HTTP\/1.1 200 /)
  })
})

describe('pages of an allowed origin', () => {
  it('may ask first and then call', async () => {
    const headers = { origin: 'https://app.example', 'access-control-request-method': 'POST' }
    const asked = await ask('/api/v1/me', { method: 'OPTIONS', headers })
    expect(asked.status).toBe(204)
    expect(asked.headers.get('access-control-allow-origin')).toBe('https://app.example')
    const called = await ask('/api/v1/me', { headers: { origin: 'https://app.example' }, as: 'member' })
    expect(called.status).toBe(200)
    expect(called.headers.get('access-control-allow-origin')).toBe('https://app.example')
  })

  it('are the only ones', async () => {
    const headers = { origin: 'https://evil.example', 'access-control-request-method': 'POST' }
    const asked = await ask('/api/v1/me', { method: 'OPTIONS', headers })
    expect(asked.status).toBe(403)
    expect(asked.headers.has('access-control-allow-origin')).toBe(false)
  })
})

describe('the planes', () => {
  it.each([
    ['/mcp', 'mcp'],
    ['/mcp/a/b/server', 'mcp'],
    ['/mcp?x=1', 'mcp'],
    ['/mcps', expect.stringContaining('http.not_found')],
  ])('%s', async (path, text) => {
    expect((await ask(path)).text).toEqual(text)
  })
})

describe('health and metrics', () => {
  it('is alive, and ready when what it needs is well', async () => {
    expect(await ask('/healthz')).toMatchObject({ status: 200, json: { status: 'alive' } })
    expect(await ask('/readyz')).toMatchObject({ status: 200, json: { status: 'ready' } })
    checks.push({ name: 'spool', isWell: false, isRequired: true, found: 'The disk is full.' })
    expect(await ask('/readyz')).toMatchObject({ status: 503, json: { waitingFor: ['spool'] } })
    checks.pop()
  })

  it('shows metrics to a scraper on this machine, but not through a proxy', async () => {
    expect(await ask('/metrics')).toMatchObject({ status: 200, text: 'up 1\n' })
    const forwarded = { headers: { 'x-forwarded-for': '10.0.0.1' } }
    expect((await ask('/metrics', forwarded)).status).toBe(401)
    expect((await ask('/metrics', { ...forwarded, as: 'member' })).status).toBe(403)
    expect((await ask('/metrics', { ...forwarded, as: 'auditor' })).status).toBe(200)
  })
})

describe('the first page', () => {
  it.each(['/'])('%s allows only its own script and style', async path => {
    const { headers, text } = await ask(path)
    expect(headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; script-src '(none|sha256-\S+)'/,
    )
    expect(text).not.toMatch(/https?:\/\//)
    expect(text).toContain('<html lang="en">')
  })
})

it('describes itself as OpenAPI', async () => {
  const { json } = await ask('/api/v1/openapi.json')
  expect(json.openapi).toBe('3.1.1')
  expect(json.paths['/api/v1/things/{name}'].post).toMatchObject({
    operationId: 'postThingsByName',
    parameters: [
      { name: 'name', in: 'path', required: true },
      { name: 'limit', in: 'query', required: false, schema: { type: 'integer', maximum: 5 } },
    ],
    requestBody: { content: { 'application/json': { schema: { required: ['color'] } } } },
    responses: { 201: expect.anything(), default: expect.anything() },
  })
  expect(json.paths['/api/v1/claim'].post.security).toEqual([])
  const me = json.paths['/api/v1/me'].get.responses[200].content['application/json'].schema
  expect(me.properties.name).toEqual({ $ref: '#/components/schemas/Name' })
  expect(json.components.schemas.Name).toEqual({ type: 'string' })
})

// Last, because it uses up what this address may fail.
it('slows down who guesses tokens, not who has one', async () => {
  let answer = await ask('/api/v1/me', { as: 'guess' })
  for (let i = 0; i < 100 && answer.status === 401; i++) answer = await ask('/api/v1/me', { as: `guess${i}` })
  expect(answer).toMatchObject({ status: 429, json: { code: 'identity.too_many_failures' } })
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
  expect((await ask('/api/v1/me', { as: 'member' })).status).toBe(200)
})
