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
  type Registered,
  register,
  returned,
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

const registered = async (metadata: object = {}) => (await register(gateway.url, metadata)).body

/** What the client says at its own address (RFC 7592, 2). */
async function at(
  { registration_client_uri }: Registered,
  method: string,
  said: { token?: string; body?: object },
) {
  const { status, text } = await call(registration_client_uri, { method, token: said.token, body: said.body })
  return { status, body: text === '' ? {} : JSON.parse(text) }
}

/** Its metadata as it sends it back: without what only the server says. */
function changed(client: Registered, change: object): object {
  const { registration_access_token, registration_client_uri, ...metadata } = client
  for (const name of ['client_id_issued_at', 'client_secret_expires_at'])
    Reflect.deleteProperty(metadata, name)
  return { ...metadata, ...change }
}

const lastEvent = async () => {
  const { items } = await gateway.operator<{ items: Record<string, unknown>[] }>('GET /audit?limit=1')
  return items[0]
}

describe('a client that registered itself', () => {
  it('reads what is known of it, and changes it; each change gives it another token', async () => {
    const client = await registered({ client_name: 'Before' })
    const first = client.registration_access_token
    expect(first).toMatch(/^gth_org_/)
    const read = await at(client, 'GET', { token: first })
    expect(read).toMatchObject({ status: 200, body: { client_name: 'Before', redirect_uris: [REDIRECT] } })
    const body = changed(client, { client_name: 'After', redirect_uris: ['https://app.example.com/cb'] })
    const updated = await at(client, 'PUT', { token: first, body })
    expect(updated).toMatchObject({
      status: 200,
      body: { client_name: 'After', client_id: client.client_id },
    })
    expect(await lastEvent()).toMatchObject({ action: 'oauth.update_client', outcome: 'ok' })
    const second = updated.body.registration_access_token
    expect(second).not.toBe(first)
    expect((await at(client, 'GET', { token: first })).status).toBe(401)
    expect((await at(client, 'GET', { token: second })).body).toMatchObject({ client_name: 'After' })
    // It is answered where it says now, and nowhere else.
    const asked = {
      client_id: client.client_id,
      resource: `${gateway.url}/mcp`,
      code_challenge: challengeOf(newVerifier()),
    }
    expect((await ana.go(authorizeUrl(gateway.url, asked))).status).toBe(400)
  })

  it('T039: changes nothing into what could not be registered', async () => {
    const client = await registered()
    const { registration_access_token: mine } = client
    const put = (change: object) => at(client, 'PUT', { token: mine, body: changed(client, change) })
    expect((await put({ redirect_uris: ['javascript:alert(1)'] })).status).toBe(400)
    expect((await put({ grant_types: ['client_credentials'] })).status).toBe(400)
    expect((await put({ client_id: 'desk' })).status).toBe(400)
    expect((await at(client, 'GET', { token: mine })).body).toMatchObject({ redirect_uris: [REDIRECT] })
  })

  it('shows its address to nobody else', async () => {
    const [one, other] = [await registered({ client_name: 'One' }), await registered()]
    const { refresh_token } = (await login(gateway.url, ana, { client_id: one.client_id })).tokens
    for (const wrong of [undefined, 'gth_org_made-up', other.registration_access_token, refresh_token]) {
      for (const method of ['GET', 'PUT', 'DELETE']) {
        const body = method === 'PUT' ? changed(one, { client_name: 'Taken' }) : undefined
        const { status, body: said } = await at(one, method, {
          ...(wrong && { token: wrong }),
          ...(body && { body }),
        })
        expect([method, status >= 400 && status < 404, JSON.stringify(said).includes('One')]).toEqual([
          method,
          true,
          false,
        ])
      }
    }
    const mine = { token: one.registration_access_token }
    expect((await at(one, 'GET', mine)).body).toMatchObject({ client_name: 'One' })
  })

  it('removes itself, with all it was given', async () => {
    const client = await registered()
    const { tokens } = await login(gateway.url, ana, { client_id: client.client_id })
    const mine = { token: client.registration_access_token }
    expect((await at(client, 'DELETE', mine)).status).toBe(204)
    expect(await lastEvent()).toMatchObject({ action: 'oauth.delete_client', outcome: 'ok' })
    expect((await at(client, 'GET', mine)).status).toBe(401)
    const refresh = {
      grant_type: 'refresh_token',
      refresh_token: tokens.refresh_token,
      client_id: client.client_id,
    }
    expect((await token(gateway.url, refresh)).body.error).toBe('invalid_client')
    const { status } = await call(`${gateway.url}/mcp`, {
      method: 'POST',
      token: tokens.access_token,
      body: {},
    })
    expect(status).toBe(401)
  })
})

describe('a client of 2025-03-26 that found no metadata', () => {
  it('registers, asks and redeems below the origin, and names no server', async () => {
    const asking = { client_name: 'Old', redirect_uris: [REDIRECT], token_endpoint_auth_method: 'none' }
    const made = await call(`${gateway.url}/register`, { method: 'POST', body: asking })
    expect(made.status).toBe(201)
    const { client_id } = JSON.parse(made.text)
    const verifier = newVerifier()
    const asked = authorizeUrl(gateway.url, { client_id, code_challenge: challengeOf(verifier) })
    const page = await ana.go(asked.replace('/oauth/authorize', '/authorize'))
    expect(page.text).toContain('It did not say which server it is for')
    const code = returned(await ana.submit(page, { decision: 'approve' })).get('code') ?? ''
    const redeemed = await fetch(`${gateway.url}/token`, {
      method: 'POST',
      body: new URLSearchParams({
        ...{ grant_type: 'authorization_code', redirect_uri: REDIRECT },
        ...{ client_id, code, code_verifier: verifier },
      }),
    })
    const { access_token } = JSON.parse(await redeemed.text())
    expect(access_token).toMatch(/^gth_oat_/)
    const listed = await call(`${gateway.url}/mcp`, {
      method: 'POST',
      token: access_token,
      headers: { accept: 'application/json, text/event-stream' },
      body: {
        ...{ jsonrpc: '2.0', id: 1, method: 'initialize' },
        params: {
          protocolVersion: '2025-03-26',
          capabilities: {},
          clientInfo: { name: 'old', version: '1' },
        },
      },
    })
    expect(listed.status).toBe(200)
  })

  it.each(['/authorize/x', '/token/x', '/register/x', '/authorizer'])(
    'finds nothing else at %s',
    async path => {
      expect((await call(`${gateway.url}${path}`)).status).toBe(404)
    },
  )
})

describe('a browser that comes by another name of the gateway', () => {
  const elsewhere = () => ({ headers: { host: new URL(gateway.url).host.replace('127.0.0.1', 'localhost') } })

  it.each(['/oauth/authorize?client_id=a&state=%C3%A9+%26', '/authorize?client_id=a'])(
    'goes on where its cookies are: %s',
    async path => {
      const { status, headers } = await call(`${gateway.url}${path}`, elsewhere())
      const there = path.replace(/^\/authorize/, '/oauth/authorize')
      expect([status, headers.location]).toEqual([307, `${gateway.url}${there}`])
    },
  )

  it('a program is answered where it asks', async () => {
    const { status } = await call(`${gateway.url}/oauth/token`, { ...elsewhere(), method: 'POST' })
    expect(status).toBe(400)
    expect((await call(`${gateway.url}/oauth/jwks`, elsewhere())).status).toBe(200)
  })

  it('a name that is none of its own is refused', async () => {
    const { status, headers } = await call(`${gateway.url}/oauth/authorize`, {
      headers: { host: 'evil.example' },
    })
    expect([status, headers.location]).toEqual([421, undefined])
  })
})
