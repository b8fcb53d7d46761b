/** Authorization servers that answer badly, late, twice or not at all, before two gateways: what was good stays, nobody else notices, and people are told what to do. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Connecting, openConnecting } from '../../../test/fixtures/connecting.ts'
import { openGatewayInside } from '../../../test/fixtures/gateway-inside.ts'
import type { Answer, Manners } from '../../../test/fixtures/protected-server.ts'

let yard: Connecting
const ana = 'ana@there.example'

beforeAll(async () => {
  yard = await openConnecting(['ana', 'bo'], true)
})

afterAll(() => yard.stop())

afterEach(() => yard.tidy())

/** A server at which both have accounts. */
async function connected(): Promise<string> {
  const server = await yard.register()
  yard.there.manners.user = 'bo@there.example'
  await yard.connect('bo', server)
  yard.there.manners.user = ana
  await yard.connect('ana', server)
  expect([await yard.who('ana', server), await yard.who('bo', server)]).toEqual([ana, 'bo@there.example'])
  return server
}

/** The same, as both gateways know it. */
async function connectedAtBoth(): Promise<string> {
  const server = await connected()
  await expect.poll(() => yard.who('ana', server, yard.beside)).toBe(ana)
  return server
}

const refreshes = () => yard.there.asked.filter(form => form.get('grant_type') === 'refresh_token').length
const good = { access_token: 'good', token_type: 'Bearer' }
const json = (body: unknown, more: Partial<Answer> = {}): Answer => ({ body, ...more })

const malformed: [string, Answer | undefined][] = [
  ['HTML', json('<html>SECRET</html>', { type: 'text/html' })],
  ['HTML that says it is JSON', json('<html>SECRET</html>')],
  ['nothing', json('')],
  ['half of an object', json('{"access_token":"a"')],
  ['an array', json([good])],
  ['null', json('null')],
  ['a number', json('7')],
  ['no token', json({ token_type: 'Bearer' })],
  ['a token that is a number', json({ ...good, access_token: 7 })],
  ['a token that is an object', json({ ...good, access_token: {} })],
  ['an empty token', json({ ...good, access_token: '' })],
  ['a token with a line break', json({ ...good, access_token: 'a\r\nHost: x' })],
  ['a token with NUL', json({ ...good, access_token: 'a\0' })],
  ['a token with a space', json({ ...good, access_token: 'a b' })],
  ['a token beyond ASCII', json({ ...good, access_token: 'ä' })],
  ['a token of 9,000 characters', json({ ...good, access_token: 'a'.repeat(9000) })],
  ['no type', json({ access_token: 'a' })],
  ['another type', json({ ...good, token_type: 'mac' })],
  ['a type that is a list', json({ ...good, token_type: ['Bearer'] })],
  ['a refresh token that is a number', json({ ...good, refresh_token: 7 })],
  ['a refresh token with a line break', json({ ...good, refresh_token: 'a\nb' })],
  ['scopes that are a list', json({ ...good, scope: ['read'] })],
  ['T083: a negative lifetime', json({ ...good, expires_in: -1 })],
  ['T083: a lifetime that is a word', json({ ...good, expires_in: 'NaN' })],
  ['T083: a lifetime that is an object', json({ ...good, expires_in: {} })],
  ['more than it should', json({ ...good, more: 'x'.repeat(300_000) })],
  ['a redirect', json('', { status: 307, headers: { location: 'https://evil.example/token' } })],
  ['good tokens with another status', json(good, { status: 201 })],
  [
    'an error of its own, in JSON',
    json({ error: 'internal_error', error_description: 'SECRET' }, { status: 500 }),
  ],
  ['a refusal from what stands before it', json({ error: 'invalid_grant' }, { status: 503 })],
  ['too many requests', json({ error: 'slow_down' }, { status: 429 })],
  ['a problem it expects to be over soon', json({ error: 'temporarily_unavailable' }, { status: 400 })],
  ['a connection that is cut', undefined],
]

describe('a renewal that is answered with', () => {
  it.each(malformed)('%s leaves what was good, and another account is not touched', async (_, answer) => {
    const server = await connected()
    const before = await yard.connection('ana', server)
    // The refresh token is good again, as where nothing was done.
    Object.assign(yard.there.manners, { hasGrace: true, token: () => answer })
    yard.there.forgetAccess(ana)
    const told = await yard.who('ana', server)
    expect(told).toContain('vault.provider_trouble')
    expect(told).not.toMatch(/SECRET|evil|Host: x/)
    expect(await yard.connection('ana', server)).toEqual(before)
    expect(await yard.who('bo', server)).toBe('bo@there.example')
    yard.tidy()
    yard.there.manners.hasGrace = true
    expect(await yard.who('ana', server)).toBe(ana)
    expect(await yard.events('vault.connection_broken', server)).toEqual([])
  })

  it.each([
    ['T083: no lifetime', { expires_in: undefined }],
    ['T083: a lifetime of 0', { expires_in: 0 }],
    ['T083: a lifetime as text', { expires_in: '3600' }],
    ['T083: a lifetime of 30,000 years', { expires_in: 1e12 }],
    ['T082: no refresh token', { refresh_token: undefined }],
    ['scopes that nobody could ask for', { scope: 'read "\u0000" \u00e4' }],
  ])('%s is taken, and brings about no renewal for each call', async (_, more) => {
    const server = await connected()
    Object.assign(yard.there.manners, {
      hasGrace: true,
      token: ({ body }: Answer) => json({ ...(body as object), ...more }),
    })
    yard.there.forgetAccess(ana)
    const before = refreshes()
    for (let call = 0; call < 3; call++) expect(await yard.who('ana', server)).toBe(ana)
    expect(refreshes() - before).toBe(1)
    expect(await yard.connection('ana', server)).toMatchObject({ state: 'connected', trouble: null })
  })

  it('other scopes is kept with those, and a call that needs more is told where to get it', async () => {
    const server = await connected()
    yard.there.manners.token = ({ body }) => json({ ...(body as object), scope: 'write\tx other' })
    yard.there.forgetAccess(ana)
    expect(await yard.who('ana', server)).toBe(ana)
    expect((await yard.connection('ana', server)).scopes).toEqual(['other'])
    yard.there.manners.scopeOfCalls = 'admin'
    const told = await yard.who('ana', server)
    expect(told).toContain('allows less than this needs')
    expect(told).toContain(`/connect/${server}`)
  })
})

it('a code that is answered with any of these connects nothing, and what was connected stays', async () => {
  const server = await yard.register()
  await yard.connect('bo', server)
  const before = await yard.connection('bo', server)
  for (const [what, answer] of malformed.filter(([, answer]) => answer?.status === undefined)) {
    yard.there.manners.token = () => answer
    const shown = await yard.connect('ana', server)
    expect(shown.status, what).toBe(502)
    expect(shown.text, what).not.toMatch(/SECRET|Host: x/)
  }
  expect((await yard.connect('bo', server)).status).toBe(502)
  expect(await yard.connection('ana', server)).toMatchObject({ state: 'needed', id: null })
  expect(await yard.connection('bo', server)).toEqual(before)
  yard.tidy()
  expect(await yard.who('bo', server)).toBe(ana)
})

const inside = 'https://169.254.169.254'

describe('metadata', () => {
  it.each([
    ['an array', { metadata: () => [] }],
    ['null', { metadata: () => null }],
    ['larger than they should be', { metadata: all => ({ ...all, more: 'x'.repeat(300_000) }) }],
    ['of an issuer that is a number', { metadata: all => ({ ...all, issuer: 7 }) }],
    ['with a token endpoint that is a list', { metadata: all => ({ ...all, token_endpoint: [] }) }],
    ['with a token endpoint that is no address', { metadata: all => ({ ...all, token_endpoint: '/token' }) }],
    [
      'with PKCE methods that are a text',
      { metadata: all => ({ ...all, code_challenge_methods_supported: 'S256' }) },
    ],
    [
      'T088: with registration inside the network',
      { metadata: all => ({ ...all, registration_endpoint: `${inside}/r` }) },
    ],
    [
      'T088: that are said to be inside the network',
      { protectedResource: all => ({ ...all, authorization_servers: [inside] }) },
    ],
    ['of a resource that is a number', { protectedResource: all => ({ ...all, resource: 7 }) }],
    ['of the resource that are HTML', { protectedResource: () => '<html>' }],
  ] as [string, Partial<Manners>][])(
    '%s: nobody is sent anywhere, and no token is asked for',
    async (_, manners) => {
      const server = await yard.register()
      Object.assign(yard.there.manners, manners)
      const [authorized, asked] = [yard.there.authorized.length, yard.there.asked.length]
      const shown = await yard.connect('ana', server)
      expect(shown.status).toBe(502)
      expect([yard.there.authorized.length, yard.there.asked.length]).toEqual([authorized, asked])
    },
  )

  it('T088: with a token endpoint inside the network get no code and no refresh token there', async () => {
    const server = await yard.register()
    yard.there.manners.metadata = all => ({ ...all, token_endpoint: `${inside}/token` })
    const shown = await yard.connect('ana', server)
    expect(shown.status).toBe(502)
    expect(shown.text).toContain('may not be reached')
  })

  it.each([
    [
      'T037: that name another issuer',
      { metadata: all => ({ ...all, issuer: 'https://evil.example' }) },
      'another issuer',
    ],
    [
      'of a server that names another authorization server',
      { protectedResource: all => ({ ...all, authorization_servers: ['http://127.0.0.1:9'] }) },
      'cannot be reached',
    ],
  ] as [string, Partial<Manners>, string][])(
    '%s from now on: the refresh token is shown to nobody, and kept',
    async (_, manners, why) => {
      const server = await connectedAtBoth()
      const before = await yard.connection('ana', server)
      Object.assign(yard.there.manners, manners)
      yard.there.forgetAccess(ana)
      const asked = yard.there.asked.length
      // The other gateway has not looked yet.
      expect(await yard.who('ana', server, yard.beside)).toContain(why)
      expect(yard.there.asked.length).toBe(asked)
      expect(await yard.connection('ana', server)).toEqual(before)
      yard.tidy()
      expect(await yard.who('ana', server, yard.beside)).toBe(ana)
    },
  )
})

describe('two gateways', () => {
  it('T081: renew once for a hundred calls at the end of a token', async () => {
    const server = await connectedAtBoth()
    yard.there.forgetAccess(ana)
    const before = refreshes()
    const calls = [yard.gateway, yard.beside].flatMap(at =>
      Array.from({ length: 50 }, () => yard.who('ana', server, at)),
    )
    expect(new Set(await Promise.all(calls))).toEqual(new Set([ana]))
    expect(refreshes() - before).toBe(1)
  })

  it.each([
    ['a person who ends it there', () => yard.there.endAll(ana)],
    [
      'an answer that got lost after the token was used up',
      () => {
        yard.there.forgetAccess(ana)
        yard.there.manners.token = answer => (answer.status === 400 ? answer : undefined)
      },
    ],
  ])('hear of %s, say so once, and to that person alone', async (_, end) => {
    const server = await connectedAtBoth()
    end()
    const told = await Promise.all(
      [yard.gateway, yard.beside, yard.gateway].map(at => yard.who('ana', server, at)),
    )
    for (const text of told) {
      expect(text).toContain('was ended there, or has expired')
      expect(text).toContain(`/connect/${server}`)
    }
    const asked = yard.there.asked.length
    expect(await yard.who('ana', server, yard.beside)).toContain('was ended there')
    expect(yard.there.asked.length).toBe(asked)
    // Each process ships what it recorded a moment later.
    await expect.poll(() => yard.events('vault.connection_broken', server)).toHaveLength(1)
    expect(await yard.connection('ana', server)).toMatchObject({ state: 'broken' })
    yard.tidy()
    expect(await yard.who('bo', server)).toBe('bo@there.example')
    await yard.connect('ana', server)
    for (const at of [yard.gateway, yard.beside])
      await expect.poll(() => yard.who('ana', server, at)).toBe(ana)
  })
})

it('a gateway that got another address renews what was connected before as who it was then', async () => {
  const server = await connected()
  const environment = { ...yard.environment, GATEHOUSE_PUBLIC_URL: 'http://127.0.0.1:9' }
  const moved = await openGatewayInside({ environment, beside: yard.gateway })
  const registered = yard.there.registered.length
  yard.there.forgetAccess(ana)
  expect(await yard.who('ana', server, moved)).toBe(ana)
  expect(yard.there.registered.length).toBe(registered)
  expect(await yard.connection('ana', server)).toMatchObject({ state: 'connected', trouble: null })
  await moved.stop()
})

it('T080: a server that refuses a token while nobody renews it is not blamed, nor is the token, and all is well afterwards', async () => {
  const server = await connected()
  yard.there.manners.isAway = true
  yard.there.forgetAccess(ana)
  for (let call = 0; call < 3; call++)
    expect(await yard.who('ana', server)).toContain('vault.provider_trouble')
  yard.tidy()
  expect(await yard.who('ana', server)).toBe(ana)
})

it('a server that is moved and moved back finds what was good for it', async () => {
  const server = await connected()
  const { operator } = yard.gateway
  const seen = yard.there.seen.length
  await operator(`PATCH /servers/${server}`, {
    auth: { kind: 'oauth2', resource: 'https://other.example/mcp' },
  })
  for (const person of ['ana', 'bo']) {
    const told = await yard.who(person, server)
    expect(told).toContain('not the one that the account was connected at')
    expect(told).toContain(`/connect/${server}`)
  }
  expect(yard.there.seen.length).toBe(seen)
  await operator(`PATCH /servers/${server}`, { auth: { kind: 'oauth2' } })
  expect([await yard.who('ana', server), await yard.who('bo', server)]).toEqual([ana, 'bo@there.example'])
})
