/** Values that people and teams give for themselves: in headers, and in the environment of a process. */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { apiOf, tokenFor } from '../../../test/fixtures/api.ts'
import { startEcho } from '../../../test/fixtures/echo-http.ts'
import { type GatewayInside, openGatewayInside } from '../../../test/fixtures/gateway-inside.ts'
import { call } from '../../../test/fixtures/http-call.ts'
import { answerOf, inEra } from '../../../test/fixtures/mcp-call.ts'
import { type Browser, signedInBrowser } from '../../../test/fixtures/oauth-browser.ts'
import { ROOT } from '../../../test/fixtures/process.ts'
import type { Connection } from './view.ts'

let gateway: GatewayInside
let echo: Awaited<ReturnType<typeof startEcho>>
const tokens: Record<string, string> = {}
const browsers: Record<string, Browser> = {}

beforeAll(async () => {
  gateway = await openGatewayInside()
  echo = await startEcho()
  const { operator } = gateway
  await operator('POST /groups', { name: 'lab' })
  for (const name of ['ana', 'bo', 'lead']) {
    const email = `${name}@example.com`
    await operator('POST /users', { email })
    await operator('POST /groups/lab/grants', { subject: `user:${email}` })
    tokens[name] = (await tokenFor(operator, `user:${email}`)).token
    browsers[name] = await signedInBrowser(gateway, email)
  }
  await operator('PUT /groups/lab/managers/user:lead@example.com')
  await operator('POST /teams', { name: 'red' })
  await operator('PUT /teams/red/members/ana@example.com')
})

afterAll(async () => {
  await gateway.stop()
  await echo.stop()
})

const headers = { 'X-Api-Key': 'key {{API_KEY}}', 'X-Region': 'eu' }

async function register(name: string, auth: object, transport: object = echo.transport): Promise<string> {
  await gateway.operator('POST /servers', { group: 'lab', name, transport, auth })
  return `lab/${name}`
}

const api = (who: string) => apiOf(gateway.url, tokens[who] ?? '')

async function text(server: string, who: string, name: string, args: object): Promise<string> {
  const said = { id: 1, method: 'tools/call', params: { name, arguments: args } }
  const token = tokens[who] ?? ''
  const { result, error } = answerOf(
    await call(`${gateway.url}/mcp/${server}/server`, { ...inEra('stateless', said), token }),
  )
  const content = result?.content as { text: string }[] | undefined
  return error === undefined ? (content?.[0]?.text ?? '') : JSON.stringify(error)
}

/** The header that the call of this person came with; or what they were told instead. */
async function keyOf(server: string, who: string): Promise<string> {
  const before = echo.heads.length
  const told = await text(server, who, 'echo', {})
  const called = echo.heads.slice(before).findLast(({ method }) => method === 'tools/call')
  return called === undefined ? told : String(called.headers['x-api-key'])
}

async function connection(server: string, who: string): Promise<Connection | undefined> {
  const { items } = await api(who)<{ items: Connection[] }>('GET /connections')
  return items.find(one => one.server === server)
}

describe('headers with values of each user', () => {
  it('are asked for at the page, kept, and sent for their owner alone', async () => {
    const fields = { API_KEY: { title: 'API key', description: 'Under Settings, Keys.' } }
    const server = await register('keys', { kind: 'headers', headers, credentials: 'per-user', fields })
    expect(await keyOf(server, 'ana')).toContain(`/connect/${server}`)
    const page = await browsers.ana?.go(`${gateway.url}/connect/${server}`)
    if (page === undefined) throw new Error('no page')
    expect(page.text).toContain('API key')
    expect(page.text).toContain('type="password"')
    const done = await browsers.ana?.submit(page, { 'value:API_KEY': 'of-ana' })
    expect(done?.text).toContain('is connected')
    expect(await keyOf(server, 'ana')).toContain('key of-ana')
    expect(await keyOf(server, 'bo')).toContain('No account is connected')
    await api('bo')('PUT /connections', { server, values: { API_KEY: 'of-bo' } })
    expect(await keyOf(server, 'bo')).toContain('key of-bo')
    expect(JSON.stringify(await connection(server, 'bo'))).not.toContain('of-bo')
    await api('bo')('PUT /connections', { server, values: { API_KEY: 'other' } })
    expect(await keyOf(server, 'bo')).toContain('key other')
  })

  it.each([
    ['missing', {}],
    ['with a line break', { API_KEY: 'a\r\nHost: evil' }],
    ['beyond ASCII', { API_KEY: 'schlüssel' }],
    ['that nobody asked for', { API_KEY: 'a', OTHER: 'b' }],
    ['that is a token of the gateway', { API_KEY: 'gth_pat_0123456789' }],
  ])('are not kept when one is %s', async (_, values) => {
    const server = 'lab/keys'
    const before = await connection(server, 'ana')
    await expect(api('ana')('PUT /connections', { server, values })).rejects.toThrow(/: 400 /)
    expect(await connection(server, 'ana')).toEqual(before)
  })

  it('are given for others by managers, and by nobody else', async () => {
    const server = 'lab/keys'
    const body = { server, owner: 'user:ana@example.com', values: { API_KEY: 'by-lead' } }
    await expect(api('bo')('PUT /connections', body)).rejects.toThrow(/: 403 /)
    await api('lead')('PUT /connections', body)
    expect(await keyOf(server, 'ana')).toContain('key by-lead')
  })

  it.each([
    ['a place for a value of nobody', { kind: 'headers', headers: { 'X-Key': '{{KEY}}' } }],
    [
      'values of each that stand nowhere',
      { kind: 'headers', headers: { 'X-Key': 'k' }, credentials: 'per-user' },
    ],
    [
      'a field that stands nowhere',
      { kind: 'headers', headers, credentials: 'per-user', fields: { OTHER: {} } },
    ],
  ])('are refused with %s', async (_, auth) => {
    await expect(register('odd', auth)).rejects.toThrow(/: 400 /)
  })
})

describe('a server that its manager moves', () => {
  it.each([
    [
      'to another address',
      {
        transport: {
          ...{ kind: 'streamable-http', allowPrivateNetwork: true },
          url: 'http://127.0.0.1:9/mcp',
        },
      },
    ],
  ])('%s is not shown what was given for the first', async (_, more) => {
    const auth = { kind: 'headers', headers, credentials: 'per-user' }
    const server = await register('moved', auth)
    await api('ana')('PUT /connections', { server, values: { API_KEY: 'of-ana' } })
    expect(await keyOf(server, 'ana')).toContain('key of-ana')
    await gateway.operator(`PATCH /servers/${server}`, { auth, ...more })
    expect(await keyOf(server, 'ana')).toContain('not the one that the account was connected at')
  })
})

describe('a server that an admin let be in a private network', () => {
  it('is no way for its manager to have the gateway ask something else there', async () => {
    const server = await register('inner', { kind: 'none' })
    const { origin } = new URL(String(echo.transport.url))
    const auth = { kind: 'client-credentials', clientId: 'g', clientSecret: 's' }
    const change = (who: string, more: object) =>
      api(who)(`PATCH /servers/${server}`, { auth: { ...auth, ...more } })
    const other = { tokenUrl: 'http://127.0.0.1:9200/_search' }
    for (const each of [
      other,
      { issuer: 'http://127.0.0.1:9200' },
      { revocationUrl: 'https://db.corp.example' },
    ])
      await expect(change('lead', each)).rejects.toThrow(/: 403 .*identity.forbidden/)
    await change('lead', { tokenUrl: `${origin}/token` })
    await gateway.operator(`PATCH /servers/${server}`, { auth: { ...auth, ...other } })
    // What an admin wrote may stay.
    await change('lead', { ...other, scopes: ['read'] })
    await expect(change('lead', { tokenUrl: 'http://127.0.0.1:9201/' })).rejects.toThrow(/: 403 /)
  })
})

describe('headers with values of a team', () => {
  it('are given by managers, and used by who is in it', async () => {
    const server = await register('teams', { kind: 'headers', headers, credentials: 'per-team' })
    const page = await browsers.ana?.go(`${gateway.url}/connect/${server}`)
    expect(page?.text).toContain('gatehouse connections set')
    await api('lead')('PUT /connections', { server, owner: 'team:red', values: { API_KEY: 'of-red' } })
    expect(await keyOf(server, 'ana')).toContain('key of-red')
    expect(await keyOf(server, 'bo')).toContain('No account is connected')
    expect(await connection(server, 'ana')).toMatchObject({
      ...{ owner: 'team:red', state: 'connected', trouble: null, repair: null },
    })
    // Who is in the team and may not use the server does not hear of it.
    await gateway.operator('POST /users', { email: 'cy@example.com' })
    await gateway.operator('PUT /teams/red/members/cy@example.com')
    const { token } = await tokenFor(gateway.operator, 'user:cy@example.com')
    expect(JSON.stringify(await apiOf(gateway.url, token)('GET /connections'))).not.toContain(server)
    // It is not hers to take back.
    const account = (await browsers.ana?.go(`${gateway.url}/account`))?.text
    expect(account).toContain(`${server} of the team red`)
    expect(account).not.toContain(`Disconnect ${server}`)
    // No page of theirs could repair it.
    expect(await connection(server, 'bo')).toMatchObject({
      ...{ id: null, owner: 'user:bo@example.com', state: 'needed', repair: null },
      trouble: expect.stringContaining('Ask a manager of the group lab'),
    })
    await gateway.operator('DELETE /teams/red')
    await gateway.operator('POST /teams', { name: 'red' })
    await gateway.operator('PUT /teams/red/members/ana@example.com')
    expect(await keyOf(server, 'ana')).toContain('No account is connected')
  })
})

describe('the environment of a process', () => {
  const transport = (instance: string) => ({
    kind: 'stdio',
    command: process.execPath,
    args: [join(ROOT, 'test', 'fixtures', 'environment-stdio.ts')],
    instance,
  })
  const auth = { kind: 'environment', environment: { SECRET: '{{SECRET}}' }, credentials: 'per-user' }

  it('has what its user gave, in a process of theirs alone', async () => {
    const server = await register('process', auth, transport('per-user'))
    await api('ana')('PUT /connections', { server, values: { SECRET: 'of-ana' } })
    await api('bo')('PUT /connections', { server, values: { SECRET: 'of-bo' } })
    const variable = (who: string) => text(server, who, 'variable', { name: 'SECRET' })
    expect([await variable('ana'), await variable('bo')]).toEqual(['of-ana', 'of-bo'])
    await api('ana')('PUT /connections', { server, values: { SECRET: 'new' } })
    expect(await variable('ana')).toBe('new')
  })

  it.each([
    ['a process that is shared', auth, 'shared'],
    ['a variable that loads code', { ...auth, environment: { NODE_OPTIONS: '{{SECRET}}' } }, 'per-user'],
  ])('is refused for %s', async (_, wrong, instance) => {
    await expect(register('odd', wrong, transport(instance))).rejects.toThrow(/: 400 /)
  })
})
