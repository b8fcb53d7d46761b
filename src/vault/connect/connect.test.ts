/** Accounts of people at servers: connected with a browser, used by calls, renewed, repaired and taken back. */
import { setTimeout as passed } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { apiOf, tokenFor } from '../../../test/fixtures/api.ts'
import { type GatewayInside, openGatewayInside } from '../../../test/fixtures/gateway-inside.ts'
import { call } from '../../../test/fixtures/http-call.ts'
import { answerOf, hello, inEra, type Message } from '../../../test/fixtures/mcp-call.ts'
import { Browser, type Shown, signedInBrowser } from '../../../test/fixtures/oauth-browser.ts'
import {
  type Manners,
  type ProtectedServer,
  startProtectedServer,
} from '../../../test/fixtures/protected-server.ts'
import type { Connection } from './view.ts'

let gateway: GatewayInside
let there: ProtectedServer
let usual: Manners
const people = ['ana', 'bo'] as const
type Person = (typeof people)[number]
const browsers = {} as Record<Person, Browser>
const tokens = {} as Record<Person, string>
let servers = 0
let server = ''

beforeAll(async () => {
  gateway = await openGatewayInside()
  there = await startProtectedServer()
  usual = { ...there.manners }
  const { operator } = gateway
  await operator('POST /groups', { name: 'lab' })
  for (const person of people) {
    await operator('POST /users', { email: `${person}@example.com` })
    await operator('POST /groups/lab/grants', { subject: `user:${person}@example.com` })
    browsers[person] = await signedInBrowser(gateway, `${person}@example.com`)
    tokens[person] = (await tokenFor(operator, `user:${person}@example.com`)).token
  }
})

afterAll(async () => {
  await gateway.stop()
  await there.stop()
})

afterEach(() => {
  there.manners = { ...usual }
})

/** A server of its own for each case, so that what is remembered of one is nothing to the next. */
async function register(auth: Record<string, unknown> = { kind: 'oauth2' }): Promise<string> {
  server = `lab/s${++servers}`
  await gateway.operator('POST /servers', {
    group: 'lab',
    name: `s${servers}`,
    transport: { kind: 'streamable-http', url: there.url, allowPrivateNetwork: true },
    auth,
  })
  return server
}

async function connect(person: Person, path = `/connect/${server}`): Promise<Shown> {
  const page = await browsers[person].go(gateway.url + path)
  if (page.status !== 200) return page
  const onward = await browsers[person].submit(page, {})
  return back(person, onward)
}

async function back(person: Person, onward: Shown): Promise<Shown> {
  const url = /<meta http-equiv="refresh" content="0; url=([^"]+)"/
    .exec(onward.text)?.[1]
    ?.replaceAll('&amp;', '&')
  if (url === undefined) return onward
  const answered = await fetch(url, { redirect: 'manual' })
  return browsers[person].go(answered.headers.get('location') ?? '')
}

const mcpUrl = () => `${gateway.url}/mcp/${server}/server`

async function ask(
  person: Person,
  said: { method: string; params?: Record<string, unknown> },
): Promise<Message> {
  return answerOf(
    await call(mcpUrl(), { ...inEra('stateless', { id: 'c', ...said }), token: tokens[person] }),
  )
}

const whoami = { method: 'tools/call', params: { name: 'whoami', arguments: {} } }

async function who(person: Person): Promise<string> {
  const { result, error } = await ask(person, whoami)
  const content = result?.content as { text: string }[] | undefined
  return content?.[0]?.text ?? JSON.stringify(result ?? error)
}

async function connection(person: Person): Promise<Connection> {
  const { items } = await apiOf(gateway.url, tokens[person])<{ items: Connection[] }>('GET /connections')
  const found = items.find(one => one.server === server)
  if (found === undefined) throw new Error('no connection')
  return found
}

const linkIn = (text: string) =>
  /http:\/\/[^\s"]*\/connect\/[^\s"]*/.exec(text)?.[0].replace(gateway.url, '').replace(/[.,]$/, '') ?? ''

type Told = { readonly action: string; readonly target: string; readonly outcome: string }

async function events(action: string): Promise<Told[]> {
  const { items } = await gateway.operator<{ items: Told[] }>('GET /audit?limit=200')
  return items.filter(event => event.action === action && event.target === server)
}

describe('a person', () => {
  it('is told where to connect, connects, and is who they are there from then on', async () => {
    await register()
    const refused = await who('ana')
    expect(refused).toContain(`No account is connected. It is about ${server}.`)
    const done = await connect('ana', linkIn(refused))
    expect(done.text).toContain(`${server} is connected`)
    expect(await who('ana')).toBe('ana@there.example')
    expect(await connection('ana')).toMatchObject({
      state: 'connected',
      account: 'ana@there.example',
      issuer: there.origin,
      scopes: ['read', 'offline_access'],
      renews: true,
      trouble: null,
      repair: null,
    })
    const [asked] = there.authorized.slice(-1)
    expect(Object.fromEntries(asked ?? [])).toMatchObject({
      resource: there.url,
      code_challenge_method: 'S256',
      redirect_uri: `${gateway.url}/connect/callback`,
    })
    expect(there.asked.at(-1)?.get('resource')).toBe(there.url)
    expect(await events('vault.connect')).toMatchObject([{ outcome: 'ok' }])
  })

  it('is nobody else: what one connects is no use to another', async () => {
    await register()
    there.manners.user = 'ana@there.example'
    await connect('ana')
    expect(await who('bo')).toContain('No account is connected')
    there.manners.user = 'bo@there.example'
    await connect('bo')
    expect([await who('ana'), await who('bo')]).toEqual(['ana@there.example', 'bo@there.example'])
  })

  it('sees what the server offers before they connect, once somebody has', async () => {
    await register()
    await connect('ana')
    await who('ana')
    const { result } = await ask('bo', { method: 'tools/list' })
    expect(result?.tools).toMatchObject([{ name: 'whoami' }])
  })

  it('opens a session before they connect, and goes on in it after', async () => {
    await register()
    const say = async (message: object, session?: string) =>
      call(mcpUrl(), {
        method: 'POST',
        token: tokens.ana,
        headers: {
          accept: 'application/json, text/event-stream',
          'mcp-protocol-version': '2025-11-25',
          ...(session !== undefined && { 'mcp-session-id': session }),
        },
        body: { jsonrpc: '2.0', ...message },
      })
    const opened = await say({ id: 1, method: 'initialize', params: hello })
    const session = String(opened.headers['mcp-session-id'])
    await say({ method: 'notifications/initialized' }, session)
    const before = answerOf(await say({ id: 2, ...whoami }, session))
    expect(before.result).toMatchObject({ isError: true })
    expect(answerOf(await say({ id: 3, method: 'ping' }, session)).result).toEqual({})
    await connect('ana', linkIn(JSON.stringify(before.result)))
    expect(answerOf(await say({ id: 4, ...whoami }, session)).result).toMatchObject({
      content: [{ text: 'ana@there.example' }],
    })
  })

  it('T065: cannot give their account to whoever sends them a link', async () => {
    await register()
    const link = linkIn(await who('ana'))
    const page = await connect('bo', link)
    expect(page.status).toBe(403)
    expect(page.text).toContain('made for somebody else')
    expect(await who('ana')).toContain('No account is connected')
    expect(await who('bo')).toContain('No account is connected')
  })

  it('who is not signed in is asked to sign in first, and comes back', async () => {
    await register()
    const shown = await new Browser().ask(`${gateway.url}/connect/${server}`)
    expect(shown.headers.get('location')).toBe(`/sign-in?return=${encodeURIComponent(`/connect/${server}`)}`)
  })
})

describe('a credential', () => {
  const refreshes = () => there.asked.filter(form => form.get('grant_type') === 'refresh_token').length

  it('is renewed before it ends, and once for all who call at the same time', async () => {
    await register()
    there.manners.lifetime = 0.4
    await connect('ana')
    await who('ana')
    const before = refreshes()
    await passed(400)
    there.manners.lifetime = 3600
    const answers = await Promise.all(Array.from({ length: 20 }, () => who('ana')))
    expect(new Set(answers)).toEqual(new Set(['ana@there.example']))
    expect(refreshes() - before).toBe(1)
    expect((await connection('ana')).refreshedAt).not.toBeNull()
  })

  it('that the server refuses is renewed, and the call goes on', async () => {
    await register()
    await connect('ana')
    await who('ana')
    there.forgetAccess()
    expect(await who('ana')).toBe('ana@there.example')
  })

  it('that the server refuses however new it is brings about one renewal, and no flood', async () => {
    await register()
    await connect('ana')
    await who('ana')
    there.manners.refusesAll = true
    const before = refreshes()
    for (const text of [await who('ana'), await who('ana'), await who('ana')])
      expect(text).toContain('upstream.unauthorized')
    expect(refreshes() - before).toBe(1)
  })

  it('that was ended there is marked once, and connecting repairs it', async () => {
    await register()
    await connect('ana')
    await who('ana')
    there.endAll()
    const told = await Promise.all([who('ana'), who('ana'), who('ana')])
    for (const text of told) expect(text).toContain('was ended there, or has expired')
    expect(await events('vault.connection_broken')).toHaveLength(1)
    expect(await connection('ana')).toMatchObject({
      state: 'broken',
      repair: `${gateway.url}/connect/${server}`,
    })
    await connect('ana', linkIn(told[0] ?? ''))
    expect(await who('ana')).toBe('ana@there.example')
    expect(await connection('ana')).toMatchObject({ state: 'connected' })
  })

  it('that allows too little is widened by all that is needed', async () => {
    await register()
    await connect('ana')
    there.manners.scopeOfCalls = 'write'
    const told = await who('ana')
    expect(told).toContain('allows less than this needs')
    await connect('ana', linkIn(told))
    expect(there.authorized.at(-1)?.get('scope')?.split(' ').sort()).toEqual([
      'offline_access',
      'read',
      'write',
    ])
    expect(await who('ana')).toBe('ana@there.example')
  })

  it('is kept when the authorization server is away, and its caller is told what it is', async () => {
    await register()
    there.manners.lifetime = 0.4
    await connect('ana')
    there.manners.isAway = true
    await passed(400)
    expect(await who('ana')).toContain('vault.provider_trouble')
    expect(await connection('ana')).toMatchObject({ state: 'connected', trouble: null })
    there.manners = { ...usual }
    await passed(1)
    expect(await who('ana')).toBe('ana@there.example')
  })

  it.each([
    ['HTML', { body: '<html></html>', type: 'text/html' }],
    ['a token with a line break', { body: { access_token: 'a\r\nHost: x', token_type: 'Bearer' } }],
    [
      'a refresh token with a line break',
      { body: { access_token: 'a', token_type: 'Bearer', refresh_token: 'a\nb' } },
    ],
    ['more than it should', { body: Array.from({ length: 300_000 }) }],
    ['nothing at all', undefined],
  ])('stays as it was when the answer to its renewal is %s', async (_, answer) => {
    await register()
    there.manners.lifetime = 0.4
    await connect('ana')
    await passed(400)
    there.manners.token = () => answer
    expect(await who('ana')).toContain('vault.provider_trouble')
    expect(await connection('ana')).toMatchObject({ trouble: null, refreshedAt: null })
  })

  it('whose renewal got lost on its way back is renewed once more, while the other side lets it', async () => {
    await register()
    Object.assign(there.manners, { lifetime: 0.4, hasGrace: true })
    await connect('ana')
    await passed(400)
    there.manners.lifetime = 3600
    let asked = 0
    there.manners.token = answer => (asked++ === 0 ? undefined : answer)
    expect(await who('ana')).toBe('ana@there.example')
    expect(asked).toBe(2)
  })

  it('is taken back: its secrets are gone, the other side is told, and calls are not made any more', async () => {
    await register()
    await connect('ana')
    await who('ana')
    const { id } = await connection('ana')
    await expect(apiOf(gateway.url, tokens.bo)(`DELETE /connections/${id}`)).rejects.toThrow('404')
    await apiOf(gateway.url, tokens.ana)(`DELETE /connections/${id}`)
    expect(await who('ana')).toContain('No account is connected')
    await expect.poll(() => there.revoked.length).toBeGreaterThan(0)
    expect(await connection('ana')).toMatchObject({ state: 'needed', id: null })
    expect(await events('vault.disconnect')).toHaveLength(1)
  })

  it('goes with its owner, and is told of to admins without its secrets', async () => {
    await register()
    await gateway.operator('POST /users', { email: 'cy@example.com' })
    await gateway.operator('POST /groups/lab/grants', { subject: 'user:cy@example.com' })
    const cy = await signedInBrowser(gateway, 'cy@example.com')
    Object.assign(browsers, { cy })
    await connect('cy' as Person)
    const all = async () =>
      (await gateway.operator<{ items: Connection[] }>(`GET /connections?all=true&server=${server}`)).items
    expect(await all()).toMatchObject([{ owner: 'user:cy@example.com', state: 'connected' }])
    expect(JSON.stringify(await all())).not.toMatch(/access_?token|refresh_?token|sealed|secret/i)
    const told = there.revoked.length
    await gateway.operator('PATCH /users/cy@example.com', { disabled: true })
    await expect.poll(all).toEqual([])
    await expect.poll(() => there.revoked.length).toBeGreaterThan(told)
  })
})

describe('coming back', () => {
  async function left(person: Person = 'ana'): Promise<string> {
    const page = await browsers[person].go(`${gateway.url}/connect/${server}`)
    const onward = await browsers[person].submit(page, {})
    const url = /content="0; url=([^"]+)"/.exec(onward.text)?.[1]?.replaceAll('&amp;', '&') ?? ''
    return (await fetch(url, { redirect: 'manual' })).headers.get('location') ?? ''
  }

  const changed = (url: string, change: (query: URLSearchParams) => void) => {
    const next = new URL(url)
    change(next.searchParams)
    return next.href
  }

  it.each([
    ['T035: without a state', (query: URLSearchParams) => query.delete('state')],
    ['T035: with another state', (query: URLSearchParams) => query.set('state', 'x'.repeat(43))],
    [
      'T036: from an issuer with a slash more',
      (query: URLSearchParams) => query.set('iss', `${query.get('iss')}/`),
    ],
    [
      'T036: from an issuer in capitals',
      (query: URLSearchParams) => query.set('iss', query.get('iss')?.toUpperCase() ?? ''),
    ],
    ['without the issuer it says it always names', (query: URLSearchParams) => query.delete('iss')],
    [
      'with an error in words of its own',
      (query: URLSearchParams) => {
        query.delete('code')
        query.set('error', 'access_denied')
        query.set('error_description', 'CALL 555')
      },
    ],
  ])('%s changes nothing, and asks for no token', async (_, change) => {
    await register()
    const asked = there.asked.length
    const shown = await browsers.ana.go(changed(await left(), change))
    expect(shown.status).toBeGreaterThanOrEqual(400)
    expect(shown.text).not.toContain('CALL 555')
    expect(there.asked.length).toBe(asked)
    expect(await connection('ana')).toMatchObject({ state: 'needed' })
    const { items } = await gateway.operator<{ items: { action: string; requestId: string }[] }>(
      'GET /audit?limit=5',
    )
    const { requestId } = items.find(({ action }) => action === 'identity.connect') ?? {}
    expect(shown.headers.get('x-request-id')).toBe(requestId)
  })

  it('T035: with a state that was used is over', async () => {
    await register()
    const url = await left()
    expect((await browsers.ana.go(url)).text).toContain('is connected')
    expect((await browsers.ana.go(url)).status).toBe(400)
  })

  it('T034: in another browser, or as another person, changes nothing', async () => {
    await register()
    const url = await left()
    expect((await browsers.bo.go(url)).status).toBe(403)
    const other = await signedInBrowser(gateway, 'ana@example.com')
    expect((await other.go(url)).status).toBe(403)
    expect(await connection('ana')).toMatchObject({ state: 'needed' })
    expect((await browsers.ana.go(url)).text).toContain('is connected')
  })
})

describe('an authorization server', () => {
  it.each([
    [
      'T037: that names another issuer',
      { metadata: (all: object) => ({ ...all, issuer: 'https://evil.example' }) },
    ],
    [
      'T037: that says nothing of PKCE',
      { metadata: (all: object) => ({ ...all, code_challenge_methods_supported: undefined }) },
    ],
    [
      'T038: whose authorization endpoint is a script',
      { metadata: (all: object) => ({ ...all, authorization_endpoint: 'javascript:alert(1)' }) },
    ],
    [
      'T038: whose token endpoint is plain http elsewhere',
      { metadata: (all: object) => ({ ...all, token_endpoint: 'http://example.com/token' }) },
    ],
    ['whose metadata are no JSON', { metadata: () => '<html>' }],
    [
      'on another machine of the network, which nobody configured,',
      { protectedResource: (all: object) => ({ ...all, authorization_servers: ['http://localhost:9/'] }) },
    ],
    [
      'of a server that is protected as another',
      { protectedResource: (all: object) => ({ ...all, resource: 'https://other.example/mcp' }) },
    ],
  ] as [string, Partial<Manners>][])('%s is not used', async (_, manners) => {
    await register()
    Object.assign(there.manners, manners)
    const authorized = there.authorized.length
    const shown = await connect('ana')
    expect(shown.status).toBe(502)
    expect(there.authorized.length).toBe(authorized)
  })

  it('without metadata is found where revision 2025-03-26 has it', async () => {
    await register()
    Object.assign(there.manners, { challengesWithMetadata: false, hasMetadata: false })
    expect((await connect('ana')).text).toContain('is connected')
    expect(await who('ana')).toBe('ana@there.example')
  })

  it('that gives no refresh token asks again when the token is over', async () => {
    await register()
    Object.assign(there.manners, { isShort: true, lifetime: 0.4 })
    await connect('ana')
    expect(await connection('ana')).toMatchObject({ renews: false })
    await passed(400)
    expect(await who('ana')).toContain('Open http')
  })

  it.each([
    ['is another', { auth: { kind: 'oauth2', issuer: 'https://other.example' } }],
    ['gives tokens elsewhere', { auth: { kind: 'oauth2', tokenUrl: 'https://other.example/token' } }],
    [
      'is of a server that moved and claims the old resource',
      () => ({
        transport: { kind: 'streamable-http', url: `${there.origin}/evil`, allowPrivateNetwork: true },
        auth: { kind: 'oauth2', resource: there.url },
      }),
    ],
  ])('that %s is shown nothing of the one before', async (_, change) => {
    await register()
    await connect('ana')
    await who('ana')
    const [asked, seen] = [there.asked.length, there.seen.length]
    await gateway.operator(`PATCH /servers/${server}`, typeof change === 'function' ? change() : change)
    expect(await who('ana')).toContain('not the one that the account was connected at')
    expect([there.asked.length, there.seen.length]).toEqual([asked, seen])
  })
})

describe('a server with one account of the gateway', () => {
  it('is called with it by everybody, and nobody connects', async () => {
    const auth = { kind: 'client-credentials', clientId: 'machine', clientSecret: 'hush', scopes: ['read'] }
    await register(auth)
    expect([await who('ana'), await who('bo')]).toEqual(['the gateway', 'the gateway'])
    expect(there.asked.filter(form => form.get('grant_type') === 'client_credentials')).toHaveLength(1)
    expect((await connect('ana')).status).toBe(403)
  })

  it('says who has to repair it when it is refused', async () => {
    await register({ kind: 'client-credentials', clientId: 'machine', clientSecret: 'hush' })
    there.manners.token = () => ({ status: 401, body: { error: 'invalid_client' } })
    expect(await who('ana')).toContain('refuses the gateway (invalid_client)')
  })
})
