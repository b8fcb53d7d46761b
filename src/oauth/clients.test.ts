import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type GatewayInside, openGatewayInside } from '../../test/fixtures/gateway-inside.ts'
import { call } from '../../test/fixtures/http-call.ts'
import { type Browser, signedInBrowser } from '../../test/fixtures/oauth-browser.ts'
import {
  authorizeUrl,
  challengeOf,
  login,
  newVerifier,
  REDIRECT,
  register,
  token,
} from '../../test/fixtures/oauth-client.ts'

let gateway: GatewayInside
let ana: Browser
beforeAll(async () => {
  gateway = await openGatewayInside()
  await gateway.operator('POST /users', { email: 'ana@example.com' })
  ana = await signedInBrowser(gateway, 'ana@example.com')
})
afterAll(() => gateway.stop())

type Basic = { readonly client_id: string; readonly client_secret: string }

const basic = ({ client_id, client_secret }: Basic) => ({
  authorization: `Basic ${Buffer.from(`${client_id}:${client_secret}`).toString('base64')}`,
})

type Company = { readonly clientId: string; readonly secret: string }

function company(name: string): Promise<Company> {
  return gateway.operator('POST /oauth-clients', { name, redirectUris: [REDIRECT], authentication: 'secret' })
}

async function post(path: string, fields: Record<string, string>, headers: Record<string, string> = {}) {
  const response = await fetch(`${gateway.url}${path}`, {
    method: 'POST',
    body: new URLSearchParams(fields),
    headers,
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? {} : JSON.parse(text) }
}

describe('registering', () => {
  it.each([
    ['javascript', 'javascript:alert(1)'],
    ['a fragment', 'https://app.example.com/cb#x'],
    ['a wildcard', 'https://*.example.com/cb'],
    ['http elsewhere', 'http://app.example.com/cb'],
    ['data', 'data:text/html,x'],
    ['a user name', 'https://ana@app.example.com/cb'],
    ['a look-alike of loopback', 'http://localhost.evil.test/cb'],
  ])('T039: %s is no redirect', async (_, uri) => {
    const { status, body } = await register(gateway.url, { redirect_uris: [uri] })
    expect([status, body.error]).toEqual([400, 'invalid_redirect_uri'])
  })

  it('T041: what registers itself gets no way around people', async () => {
    for (const grant_types of [['password'], ['implicit'], ['client_credentials']]) {
      const { status } = await register(gateway.url, { grant_types })
      expect([grant_types, status]).toEqual([grant_types, 400])
    }
  })
})

describe('a token request', () => {
  it('T041: by a way that does not exist, or with a secret that is not asked for, is refused', async () => {
    const { clientId, tokens } = await login(gateway.url, ana)
    for (const grant_type of ['password', 'implicit', 'client_credentials']) {
      const { status, body } = await token(gateway.url, { grant_type, client_id: clientId })
      expect([grant_type, status]).toEqual([grant_type, 400])
      expect(body.error).toMatch(/^(?:unsupported_grant_type|unauthorized_client|invalid_request)$/)
    }
    const secret = { client_id: clientId, client_secret: 'made-up' }
    const refresh = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token }
    expect((await token(gateway.url, { ...refresh, ...secret })).body.error).toBe('invalid_client')
    expect((await token(gateway.url, refresh, basic(secret))).body.error).toBe('invalid_client')
  })
})

describe('introspection and revocation', () => {
  it('T042: need the client, and tell and touch nothing of another', async () => {
    const [one, other] = [await company('one'), await company('other')]
    const client_id = one.clientId
    const { tokens } = await loginAs(one)
    const mine = { client_id, client_secret: one.secret }
    const theirs = { client_id: other.clientId, client_secret: other.secret }
    const asked = { token: tokens.access_token }
    expect((await post('/oauth/introspect', asked)).status).toBe(400)
    expect((await post('/oauth/introspect', { ...asked, client_id })).status).toBe(401)
    expect(await post('/oauth/introspect', asked, basic(theirs))).toEqual({
      status: 200,
      body: { active: false },
    })
    expect(await post('/oauth/introspect', asked, basic(mine))).toMatchObject({
      status: 200,
      body: { active: true, client_id },
    })
    expect((await post('/oauth/revoke', asked, basic(theirs))).status).toBe(200)
    expect((await post('/oauth/introspect', asked, basic(mine))).body).toMatchObject({ active: true })
    expect((await post('/oauth/revoke', { token: 'nobody-has-it' }, basic(mine))).status).toBe(200)
    expect((await post('/oauth/revoke', { token: tokens.refresh_token }, basic(mine))).status).toBe(200)
    expect((await post('/oauth/introspect', asked, basic(mine))).body).toEqual({ active: false })
    const { status } = await call(`${gateway.url}/mcp`, {
      method: 'POST',
      token: tokens.access_token,
      body: {},
    })
    expect(status).toBe(401)
  })

  async function loginAs({ clientId: client_id, secret: client_secret }: Company) {
    const verifier = newVerifier()
    const asked = { client_id, resource: `${gateway.url}/mcp`, code_challenge: challengeOf(verifier) }
    const page = await ana.go(authorizeUrl(gateway.url, asked))
    const done = await ana.submit(page, { decision: 'approve' })
    const code = new URL(done.headers.get('location') ?? '').searchParams.get('code') ?? ''
    const grant = { grant_type: 'authorization_code', redirect_uri: REDIRECT, code, code_verifier: verifier }
    const { status, body } = await token(gateway.url, grant, basic({ client_id, client_secret }))
    expect(status, JSON.stringify(body)).toBe(200)
    return { tokens: body }
  }
})

describe('a document about the client', () => {
  it.each([
    'https://127.0.0.1/client.json',
    'https://localhost/client.json',
    'https://169.254.169.254/latest/meta-data/client',
    'https://[::1]/client.json',
    'https://gateway.invalid/client.json',
  ])('T040, T088: %s is not fetched from inside, and the client is not known', async client_id => {
    const asked = { client_id, resource: `${gateway.url}/mcp`, code_challenge: challengeOf(newVerifier()) }
    const page = await ana.go(authorizeUrl(gateway.url, asked))
    expect([page.status, page.headers.get('location')]).toEqual([400, null])
  })
})

describe('signing keys', () => {
  it('are changed without a failed call, and the old ones stay published', async () => {
    const kids = async () => {
      const { keys }: { keys: { kid: string }[] } = JSON.parse((await call(`${gateway.url}/oauth/jwks`)).text)
      return keys.map(({ kid }) => kid)
    }
    const { tokens, clientId } = await login(gateway.url, ana, { scope: 'openid mcp:use' })
    const before = await kids()
    await gateway.operator('POST /oauth/keys/rotate', {})
    const after = await kids()
    expect(after).toEqual(expect.arrayContaining(before))
    expect(after.length).toBeGreaterThan(before.length)
    const refreshed = await token(gateway.url, {
      grant_type: 'refresh_token',
      refresh_token: tokens.refresh_token,
      client_id: clientId,
    })
    expect(refreshed.status).toBe(200)
    const headerOf = (jwt = '') => JSON.parse(Buffer.from(jwt.split('.')[0] ?? '', 'base64url').toString())
    expect(before).toContain(headerOf(tokens.id_token).kid)
    expect(before).not.toContain(headerOf(refreshed.body.id_token).kid)
  })
})

it('T039: a flood of registrations from one address is slowed down', async () => {
  const statuses: number[] = []
  for (let n = 0; n < 30; n++) statuses.push((await register(gateway.url)).status)
  expect(statuses).toContain(429)
  expect(statuses.at(-1)).toBe(429)
})
