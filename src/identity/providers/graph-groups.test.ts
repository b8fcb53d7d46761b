import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { directories } from '../../../test/fixtures/databases.ts'
import { type Office, openOffice } from '../../../test/fixtures/identity.ts'
import { type Database, openDatabase } from '../../database/index.ts'

const TENANT = '12345678-1234-1234-1234-123456789abc'
const newDirectory = directories()

type Answer = (url: URL, request: IncomingMessage) => { status?: number; body?: unknown } | undefined

/** A directory as Microsoft has it, as far as it is asked: metadata, tokens of the application, and who is in what. */
let groups: string[]
let instead: Answer
let seen: string[]
const server = createServer((request, response) => void answer(request, response))
let origin: string
let database: Database
let office: Office

beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await database?.close()
})

beforeEach(async () => {
  groups = Array.from({ length: 1500 }, (_, n) => `group-${n}`)
  instead = () => undefined
  seen = []
  await database?.close()
  database = await openDatabase({ dataDir: newDirectory() })
  office = await openOffice(database)
  await office.ask('POST /identity-providers', {
    ...{ name: 'acme', preset: 'entra', issuer: `${origin}/${TENANT}/v2.0`, allowPrivateNetwork: true },
    ...{ clientId: 'gate', clientSecret: 'sesame', use: { bearer: ['api'] }, audiences: ['api://gate'] },
    ...{ domains: ['acme.example'], teams: { map: { 'group-3': 'crew', 'group-1400': 'board' } } },
  })
})

async function answer(request: IncomingMessage, response: ServerResponse) {
  const url = new URL(request.url ?? '/', origin)
  seen.push(`${request.method} ${url.pathname}`)
  const form = new URLSearchParams(await text(request))
  const { status = 200, body = {} } = instead(url, request) ?? usual(url, request, form)
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

function usual(
  url: URL,
  { headers }: IncomingMessage,
  form: URLSearchParams,
): { status?: number; body?: unknown } {
  const tokenEndpoint = `/${TENANT}/oauth2/v2.0/token`
  if (url.pathname.endsWith('/openid-configuration')) {
    const host = { msgraph_host: new URL(origin).host, token_endpoint: `${origin}${tokenEndpoint}` }
    return { body: { issuer: `${origin}/${TENANT}/v2.0`, ...host } }
  }
  if (url.pathname === tokenEndpoint) {
    const isOurs = form.get('client_secret') === 'sesame' && form.get('scope') === `${origin}/.default`
    return isOurs ? { body: { access_token: 'graph', token_type: 'Bearer' } } : { status: 401 }
  }
  if (headers.authorization !== 'Bearer graph' || !url.pathname.includes('/transitiveMemberOf'))
    return { status: 403 }
  const [first, size] = [
    Number(url.searchParams.get('from') ?? 0),
    Number(url.searchParams.get('$top') ?? 100),
  ]
  const next = new URL(url)
  next.searchParams.set('from', String(first + size))
  const value = groups.slice(first, first + size).map(id => ({ '@odata.type': '#microsoft.graph.group', id }))
  return { body: { value, ...(first + size < groups.length && { '@odata.nextLink': next.href }) } }
}

const ana = {
  sub: 'pairwise',
  oid: '00000000-0000-0000-0000-00000000000a',
  email: 'ana@acme.example',
  xms_edov: true,
}
const elsewhere = { _claim_sources: { src1: { endpoint: 'https://evil.example/groups' } } }
const over = { ...ana, _claim_names: { groups: 'src1' }, ...elsewhere }

async function admit(claims: Record<string, unknown>) {
  const provider = office.identity.providers.byName('acme')
  if (provider === undefined) throw new Error('no provider')
  return office.identity.admit(provider, claims, { via: 'sign-in', requestId: 'r1' })
}
const teams = async () => (await office.ask<{ teams: string[] }>('GET /users/ana@acme.example')).teams

it.each([
  ['names another source', over],
  ['only hints', { ...ana, hasgroups: true }],
])('a token that %s has all its groups from the directory, page after page', async (_, claims) => {
  expect(await admit(claims)).toHaveProperty('userId')
  expect(await teams()).toEqual(['board', 'crew'])
  expect(seen.filter(line => line.includes('transitiveMemberOf'))).toHaveLength(2)
  groups = ['group-3']
  await admit(claims)
  expect(await teams()).toEqual(['crew'])
  groups = []
  await admit(claims)
  expect(await teams()).toEqual([])
})

const troubles: readonly [string, Answer][] = [
  ['is down', () => ({ status: 503 })],
  ['does not let the gateway in', url => (url.pathname.includes('token') ? { status: 401 } : undefined)],
  ['does not let it read groups', url => (url.pathname.includes('Member') ? { status: 403 } : undefined)],
  ['says nothing of groups', url => (url.pathname.includes('Member') ? { body: {} } : undefined)],
  ['says no JSON object', url => (url.pathname.includes('Member') ? { body: [] } : undefined)],
  [
    'leads elsewhere with the token',
    url =>
      url.pathname.includes('Member')
        ? { body: { value: [], '@odata.nextLink': 'http://127.0.0.1:9/x' } }
        : undefined,
  ],
  [
    'never ends',
    url =>
      url.pathname.includes('Member')
        ? { body: { value: [{ id: 'group-3' }], '@odata.nextLink': url.href } }
        : undefined,
  ],
  [
    'is nowhere',
    url =>
      url.pathname.includes('well-known') ? { body: { issuer: `${origin}/${TENANT}/v2.0` } } : undefined,
  ],
]

it.each(troubles)(
  'where the directory %s, people keep their teams and nobody new comes in',
  async (_, trouble) => {
    instead = trouble
    expect(await admit(over)).toMatchObject({
      rejected: 'identity.not_admitted',
      why: expect.stringContaining('groups'),
    })
    expect(await office.ask('GET /users')).toMatchObject({ items: [] })
    expect(office.audit.events.at(-1)).toMatchObject({ action: 'identity.sign_in', outcome: 'rejected' })
    instead = () => undefined
    await admit(over)
    instead = trouble
    expect(await admit(over)).toHaveProperty('userId')
    expect(await teams()).toEqual(['board', 'crew'])
  },
)

it('a person whose id is none is not asked for', async () => {
  expect(await admit({ ...over, oid: '../../me' })).toMatchObject({ rejected: 'identity.not_admitted' })
  expect(seen).toEqual([])
})
