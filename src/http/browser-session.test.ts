import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { z } from 'zod'
import { type Asked, call } from '../../test/fixtures/http-call.ts'
import { handClock, memoryAudit } from '../../test/fixtures/identity.ts'
import { configSchema } from '../config/schema.ts'
import { openAddresses } from '../foundation/addresses.ts'
import { silentLog } from '../foundation/log.ts'
import { type Caller, type Route, route } from '../foundation/route.ts'
import type { Principal } from '../identity/index.ts'
import { openHttp } from './index.ts'

const ana: Caller = {
  id: 'ana',
  kind: 'user',
  name: 'ana@example.com',
  role: 'admin',
  subjects: ['everyone'],
  tokenId: 'session 1',
}

const done: string[] = []
const doing = (line: string, more: Partial<Route> = {}): Route => {
  const [method, path] = line.split(' ') as [Route['method'], string]
  return route({
    method,
    path: `/api/v1${path}`,
    summary: line,
    entry: 'signed-in',
    ...more,
    answer: z.unknown(),
    act: async ({ caller }) => void done.push(`${line} by ${caller.name}`),
  })
}
const routes = [
  doing('GET /things'),
  doing('POST /things', { body: z.unknown() }),
  doing('DELETE /things'),
  doing('DELETE /everything', { stepUp: true }),
]

const clock = handClock()
const audit = memoryAudit()
const server = createServer()
let url: string
let isBroken = false

beforeAll(async () => {
  const config = configSchema.parse({ allowedOrigins: ['https://app.example'] })
  const authenticatedAt = clock.now()
  const { handle } = openHttp({
    routes,
    identify: authorization =>
      authorization === 'Bearer good'
        ? ({ ...ana, tokenId: 'token 1' } as Caller as Principal)
        : { rejected: 'identity.no_token', why: 'There is no token.' },
    async sessionOf({ headersDistinct: { cookie = [] } }) {
      if (isBroken) throw new Error('no database')
      if (cookie[0] !== 'gatehouse_session=ana') return undefined
      const principal = ana as Caller as Principal
      return { id: 'session 1', principal, method: 'passkey', providerId: null, authenticatedAt }
    },
    operator: () => ana as Caller as Principal,
    addresses: openAddresses(config),
    audit,
    config,
    log: silentLog,
    version: '0.0.0',
    metrics: () => '',
    health: async () => [],
    clock,
  })
  server.on('request', (request, response) => handle(request, response, 'tcp'))
  await new Promise<void>(listening => server.listen(0, '127.0.0.1', listening))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})
beforeEach(() => {
  done.length = 0
  audit.events.length = 0
})

const cookie = 'gatehouse_session=ana'
const ours = { cookie, 'sec-fetch-site': 'same-origin' }

async function ask(line: string, headers: Record<string, string>, asked: Asked = {}): Promise<string> {
  const [method = '', path] = line.split(' ')
  const { status, text } = await call(`${url}/api/v1${path}`, { method, headers, ...asked })
  return text === '' ? `${status}` : `${status} ${JSON.parse(text).code ?? ''}`
}

it('takes the session of a browser for its user', async () => {
  expect(await ask('GET /things', { cookie })).toBe('204')
  expect(await ask('POST /things', ours, { body: {} })).toBe('204')
  expect(await ask('POST /things', { cookie, origin: url }, { body: {} })).toBe('204')
  expect(await ask('DELETE /things', { cookie, 'sec-fetch-site': 'none' })).toBe('204')
  expect(done).toHaveLength(4)
  expect(done).toContain('DELETE /things by ana@example.com')
})

it('T125: takes no change that a page of somebody else could have sent', async () => {
  const refused = '403 identity.cross_site'
  const json = { 'content-type': 'application/json' }
  for (const headers of [
    { cookie },
    { cookie, 'sec-fetch-site': 'cross-site' },
    { cookie, 'sec-fetch-site': 'same-site' },
    { cookie, 'sec-fetch-site': '' },
    { ...ours, origin: 'https://app.example' },
    { cookie, origin: 'https://app.example' },
  ] as const) {
    expect(await ask('POST /things', { ...json, ...headers }, { body: {} })).toBe(refused)
    expect(await ask('DELETE /things', headers)).toBe(refused)
  }
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'])
    expect(await ask('POST /things', { ...ours, 'content-type': type }, { body: {} })).toBe(refused)
  expect(await ask('POST /things', { ...ours, origin: 'null' }, { body: {} })).toBe('403 http.bad_origin')
  expect(done).toEqual([])
  expect(audit.events).toHaveLength(15)
  expect(audit.events[0]).toMatchObject({
    kind: 'identity',
    who: { id: 'ana', tokenId: 'session 1' },
    outcome: 'denied',
    error: 'identity.cross_site',
  })
  expect(JSON.stringify(audit.events)).not.toContain('gatehouse_session')
})

it('looks at a bearer token alone, and asks no page of it', async () => {
  expect(await ask('DELETE /everything', { authorization: 'Bearer good' })).toBe('204')
  expect(await ask('GET /things', { cookie, authorization: 'Bearer bad' })).toBe('401 identity.no_token')
  expect(await ask('GET /things', { cookie: 'other=1' })).toBe('401 identity.no_token')
})

it('asks who has not proved for ten minutes who they are before anything dangerous', async () => {
  expect(await ask('DELETE /everything', ours)).toBe('204')
  clock.move(10 * 60_000 + 1)
  const { status, text } = await call(`${url}/api/v1/everything`, { method: 'DELETE', headers: ours })
  expect(status).toBe(403)
  expect(JSON.parse(text)).toMatchObject({
    code: 'identity.step_up_required',
    signIn: '/sign-in?again=1&return=/account',
  })
  expect(audit.events.map(({ error }) => error)).toEqual(['identity.step_up_required'])
  expect(await ask('DELETE /things', ours)).toBe('204')
  expect(await ask('DELETE /everything', { authorization: 'Bearer good' })).toBe('204')
})

it('T003: is nobody when the store of sessions does not answer', async () => {
  isBroken = true
  expect(await ask('GET /things', { cookie })).toBe('503 identity.unavailable')
  isBroken = false
  expect(done).toEqual([])
})
