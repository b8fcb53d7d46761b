import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startEcho } from '../../test/fixtures/echo-http.ts'
import { type GatewayInside, openGatewayInside } from '../../test/fixtures/gateway-inside.ts'
import { type Answered, call } from '../../test/fixtures/http-call.ts'
import { hello, inEra } from '../../test/fixtures/mcp-call.ts'
import { type Browser, signedInBrowser } from '../../test/fixtures/oauth-browser.ts'
import {
  authorizeUrl,
  challengeOf,
  login,
  newVerifier,
  redeem,
  register,
  returned,
} from '../../test/fixtures/oauth-client.ts'

let gateway: GatewayInside
let echo: Awaited<ReturnType<typeof startEcho>>
let browser: Browser
const eras = ['session', 'stateless'] as const

beforeAll(async () => {
  gateway = await openGatewayInside()
  echo = await startEcho()
  const { operator } = gateway
  await operator('POST /users', { email: 'ana@example.com' })
  await operator('POST /groups', { name: 'lab' })
  await operator('POST /groups/lab/grants', { subject: 'user:ana@example.com' })
  for (const name of ['echo', 'other'])
    await operator('POST /servers', {
      group: 'lab',
      name,
      transport: echo.transport,
      tools: { readOnly: ['echo'] },
    })
  for (const name of ['echo', 'other']) await operator(`POST /servers/lab/${name}/test`)
  browser = await signedInBrowser(gateway, 'ana@example.com')
})

afterAll(async () => {
  await gateway.stop()
  await echo.stop()
})

async function tokenFor(path: string, scope: string): Promise<string> {
  const { tokens } = await login(gateway.url, browser, {
    resource: path === '' ? '' : gateway.url + path,
    scope,
  })
  return tokens.access_token
}

async function ask(
  path: string,
  token: string,
  said: { era: (typeof eras)[number]; method: string; params?: Record<string, unknown> },
): Promise<Answered> {
  const { era, ...rest } = said
  if (era === 'stateless') return call(gateway.url + path, { ...inEra(era, { id: 2, ...rest }), token })
  const opened = await call(gateway.url + path, {
    ...inEra(era, { id: 1, method: 'initialize', params: hello }),
    token,
  })
  const session = String(opened.headers['mcp-session-id'])
  return call(gateway.url + path, { ...inEra(era, { id: 2, session, ...rest }), token })
}

const callOf = (name: string, args: Record<string, unknown> = { text: 'hi' }) => ({
  method: 'tools/call',
  params: { name, arguments: args },
})
const challenge = (path: string, scope: string) =>
  `Bearer resource_metadata="${gateway.url}/.well-known/oauth-protected-resource${path}", scope="${scope}", ` +
  `error="insufficient_scope", error_description="The access token lacks the scope ${scope}."`

describe.each(eras)('a token for reading only, in the era %s', era => {
  const path = '/mcp/lab/echo/server'
  it('sees every tool of its person, and calls those that are confirmed to only read', async () => {
    const token = await tokenFor(path, 'mcp:read')
    const listed = await ask(path, token, { era, method: 'tools/list' })
    expect(listed.text).toContain('"write"')
    const read = await ask(path, token, { era, ...callOf('echo') })
    expect([read.status, JSON.parse(read.text.replace(/^.*?data: /s, '')).error]).toEqual([200, undefined])
  })

  it('gets 403 with the scope it lacks for anything else, before an answer began', async () => {
    const token = await tokenFor(path, 'mcp:read')
    const before = echo.seen.length
    const refused = await ask(path, token, { era, ...callOf('write') })
    expect(refused.status).toBe(403)
    expect(refused.headers['content-type']).toBe('application/json')
    expect(refused.headers['www-authenticate']).toBe(challenge(path, 'mcp:use'))
    expect(JSON.parse(refused.text).error.data).toMatchObject({
      code: 'access.scope_missing',
      scopes: ['mcp:use'],
    })
    expect(JSON.stringify(echo.seen.slice(before))).not.toContain('tools/call')
    const { items } = await gateway.operator<{ items: object[] }>('GET /audit?outcome=denied&limit=1')
    expect(items[0]).toMatchObject({
      who: { name: 'ana@example.com', oauthClient: expect.stringMatching(/^dcr_/) },
    })
  })

  it('is not told of a tool that its person may not use: there is none', async () => {
    const token = await tokenFor(path, 'mcp:read')
    expect((await ask(path, token, { era, ...callOf('nothing') })).text).toContain('There is no tool')
  })

  it('is held to the same at /mcp, also through a tool that calls others', async () => {
    const token = await tokenFor('/mcp', 'mcp:read')
    const listed = await ask('/mcp?tools=list', token, { era, method: 'tools/list' })
    const names = [...listed.text.matchAll(/"name":"([^"]*write[^"]*)"/g)].map(([, name]) => name)
    expect(names).toHaveLength(2)
    const direct = await ask('/mcp?tools=list', token, { era, ...callOf(String(names[0])) })
    expect([direct.status, direct.headers['www-authenticate']]).toEqual([403, challenge('/mcp', 'mcp:use')])
    const within = callOf('call_tool', { name: names[0], arguments: { text: 'hi' } })
    const meant = await ask('/mcp?tools=search', token, { era, ...within })
    expect([meant.status, meant.headers['www-authenticate']]).toEqual([403, challenge('/mcp', 'mcp:use')])
  })

  it('narrowed to a server at /mcp, is asked for one server more and not for all', async () => {
    const token = await tokenFor('/mcp', 'mcp:use:lab/echo')
    const listed = await ask('/mcp?tools=list', token, { era, method: 'tools/list' })
    const writes = [...listed.text.matchAll(/"name":"([^"]*write[^"]*)"/g)].map(([, name]) => String(name))
    const answers = await Promise.all(
      writes.map(name => ask('/mcp?tools=list', token, { era, ...callOf(name) })),
    )
    expect(answers.map(answer => answer.status).toSorted()).toEqual([200, 403])
    const refused = answers.find(answer => answer.status === 403)
    expect(refused?.headers['www-authenticate']).toBe(challenge('/mcp', 'mcp:use:lab/other'))
  })
})

describe('the audience', () => {
  it('T011: a token for another server of this gateway is refused', async () => {
    const token = await tokenFor('/mcp/lab/other', 'mcp:use')
    const refused = await call(`${gateway.url}/mcp/lab/echo`, {
      ...inEra('stateless', { id: 1, method: 'tools/list' }),
      token,
    })
    expect(refused.status).toBe(401)
    expect(refused.headers['www-authenticate']).toContain('error="invalid_token"')
  })

  it('is one server at all its addresses', async () => {
    const token = await tokenFor('/mcp/lab/echo', 'mcp:use')
    for (const path of ['/mcp/lab/echo', '/mcp/lab/echo/server', '/mcp/lab/echo/'])
      expect((await ask(path, token, { era: 'stateless', method: 'tools/list' })).status).toBe(200)
    expect((await ask('/mcp', token, { era: 'stateless', method: 'tools/list' })).status).toBe(401)
  })

  it('is never the management API', async () => {
    for (const path of ['', '/mcp'])
      expect(
        (await call(`${gateway.url}/api/v1/me`, { token: await tokenFor(path, 'mcp:use') })).status,
      ).toBe(401)
  })

  it('is the whole gateway for a client of 2025-03-26, which names no server; narrowed by its person', async () => {
    const everywhere = await tokenFor('', 'mcp:use')
    for (const path of ['/mcp', '/mcp/lab/echo', '/mcp/lab/other/server'])
      expect((await ask(path, everywhere, { era: 'stateless', method: 'tools/list' })).status).toBe(200)
    const client_id = (await register(gateway.url)).body.client_id
    const code_verifier = newVerifier()
    const page = await browser.go(
      authorizeUrl(gateway.url, { client_id, code_challenge: challengeOf(code_verifier) }),
    )
    expect(page.text).toContain('did not say which server')
    const done = await browser.submit(page, { decision: 'approve', 'server:lab/other': '' })
    const { body } = await redeem(gateway.url, {
      client_id,
      code_verifier,
      code: returned(done).get('code') ?? '',
    })
    expect(body.scope).toBe('mcp:use:lab/echo')
    const at = (path: string) => ask(path, body.access_token, { era: 'stateless', method: 'tools/list' })
    expect((await at('/mcp/lab/echo')).status).toBe(200)
    const other = await at('/mcp/lab/other')
    expect([other.status, other.headers['www-authenticate']]).toEqual([
      403,
      challenge('/mcp/lab/other', 'mcp:read:lab/other'),
    ])
  })
})
