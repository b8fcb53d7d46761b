import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type DocumentServer, startDocumentServer } from '../../test/fixtures/document-server.ts'
import { type GatewayInside, openGatewayInside } from '../../test/fixtures/gateway-inside.ts'
import { type Browser, type Shown, signedInBrowser } from '../../test/fixtures/oauth-browser.ts'
import {
  authorizeUrl,
  challengeOf,
  newClientKey,
  newVerifier,
  returned,
  token,
} from '../../test/fixtures/oauth-client.ts'

let documents: DocumentServer
let gateway: GatewayInside
let ana: Browser

beforeAll(async () => {
  documents = await startDocumentServer()
  gateway = await openGatewayInside({
    environment: { GATEHOUSE_OAUTH_CLIENT_METADATA_PRIVATE_HOSTS: 'localhost' },
  })
  await gateway.operator('POST /users', { email: 'ana@example.com' })
  ana = await signedInBrowser(gateway, 'ana@example.com')
})
afterAll(async () => {
  await gateway?.stop()
  await documents?.stop()
})

const CALLBACK = 'https://app.example.com/callback'

/** Each is another client, so that none was allowed or remembered before. */
let clients = 0
function newClient(more: object = {}) {
  const client_id = `${documents.url}/client-${++clients}.json`
  return {
    client_id,
    client_name: 'Lens',
    redirect_uris: [CALLBACK],
    token_endpoint_auth_method: 'none',
    ...more,
  }
}

type Question = { readonly verifier: string; readonly url: string }

function question(client_id: string): Question {
  const verifier = newVerifier()
  const resource = `${gateway.url}/mcp`
  const asked = { client_id, resource, redirect_uri: CALLBACK, code_challenge: challengeOf(verifier) }
  return { verifier, url: authorizeUrl(gateway.url, asked) }
}

const allow = (page: Shown) => ana.submit(page, { decision: 'approve' })

type Event = Record<string, unknown> & { readonly id: string }
async function eventsSince(id: string | undefined): Promise<Event[]> {
  const { items } = await gateway.operator<{ items: Event[] }>('GET /audit?limit=20')
  const before = items.findIndex(event => event.id === id)
  return before === -1 ? items : items.slice(0, before)
}

describe('a client whose id is the URL of a document', () => {
  it('is shown with the domain that publishes it, and gets its tokens', async () => {
    const client = newClient()
    documents.show({ body: client })
    const { url, verifier } = question(client.client_id)
    const page = await ana.go(url)
    expect(page.status).toBe(200)
    expect(page.text).toContain('Allow <strong>Lens</strong>')
    expect(page.text).toContain(`published by <strong>${new URL(documents.url).host}</strong>`)
    const code = returned(await allow(page)).get('code') ?? ''
    const grant = { grant_type: 'authorization_code', redirect_uri: CALLBACK, code, code_verifier: verifier }
    const { status, body } = await token(gateway.url, { ...grant, client_id: client.client_id })
    expect([status, body.scope]).toEqual([200, 'mcp:use'])
  })

  it('is fetched once in a while, remembered, and asked about again when it could be answered elsewhere', async () => {
    const client = newClient()
    documents.show({ body: client, headers: { 'cache-control': 'max-age=3600' } })
    const before = documents.asked()
    await allow(await ana.go(question(client.client_id).url))
    // Allowed before, the same in every respect: nobody is asked, nothing is fetched.
    expect(returned(await ana.go(question(client.client_id).url)).get('code')).toMatch(/^gth_oac_/)
    expect(documents.asked() - before).toBe(1)
    documents.show({ body: { ...client, redirect_uris: [CALLBACK, 'https://other.example.com/callback'] } })
    // Another server of the library's remembers no document.
    await gateway.operator('POST /oauth/keys/rotate', {})
    const page = await ana.go(question(client.client_id).url)
    expect([page.status, documents.asked() - before]).toEqual([200, 2])
    expect(page.text).toContain('Allow <strong>Lens</strong>')
  })

  it('T011: proves with the keys in its document who it is, once with each assertion', async () => {
    const [mine, others] = await Promise.all([newClientKey(), newClientKey()])
    const client = newClient({ token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [mine.jwk] } })
    const { client_id } = client
    documents.show({ body: client })
    const redeemed = async (proof: object = {}) => {
      const { url, verifier } = question(client_id)
      const page = await ana.go(url)
      const code = returned(page.status === 200 ? await allow(page) : page).get('code') ?? ''
      const grant = {
        grant_type: 'authorization_code',
        redirect_uri: CALLBACK,
        code,
        code_verifier: verifier,
      }
      const { status, body } = await token(gateway.url, { ...grant, client_id, ...proof })
      return [status, body.error]
    }
    const good = await mine.prove(client_id, gateway.url)
    expect(await redeemed(good)).toEqual([200, undefined])
    expect(await redeemed(good)).toEqual([401, 'invalid_client'])
    expect(await redeemed(await others.prove(client_id, gateway.url))).toEqual([401, 'invalid_client'])
    expect(await redeemed()).toEqual([401, 'invalid_client'])
  })
})

const wrong: readonly [
  string,
  (client: ReturnType<typeof newClient>) => Parameters<DocumentServer['show']>[0],
][] = [
  ['names another client', client => ({ body: { ...client, client_id: `${client.client_id}x` } })],
  ['names none', ({ client_id: _, ...rest }) => ({ body: rest })],
  ['is a list', client => ({ body: [client] })],
  ['is null', () => ({ body: 'null' })],
  ['is no JSON', () => ({ body: '{"client_id":' })],
  ['is empty', () => ({ body: '' })],
  ['comes as HTML', client => ({ body: client, headers: { 'content-type': 'text/html' } })],
  ['is larger than 5 KiB', client => ({ body: { ...client, client_name: 'x'.repeat(6000) } })],
  ['is not there', () => ({ status: 404, body: {} })],
  [
    'is elsewhere',
    client => ({ status: 302, headers: { location: `${client.client_id}?again` }, body: client }),
  ],
  ['has a secret', client => ({ body: { ...client, client_secret: 'known-to-all' } })],
  [
    'asks for a secret',
    client => ({ body: { ...client, token_endpoint_auth_method: 'client_secret_basic' } }),
  ],
  ['has no redirect', ({ redirect_uris: _, ...rest }) => ({ body: rest })],
  [
    'has a script for a redirect',
    client => ({ body: { ...client, redirect_uris: ['javascript:alert(1)'] } }),
  ],
  [
    'has plain http for a redirect',
    client => ({ body: { ...client, redirect_uris: ['http://app.example.com/cb'] } }),
  ],
  ['has 40 redirects', client => ({ body: { ...client, redirect_uris: Array(40).fill(CALLBACK) } })],
  ['wants a grant of machines', client => ({ body: { ...client, grant_types: ['client_credentials'] } })],
  ['has a script for a logo', client => ({ body: { ...client, logo_uri: 'javascript:alert(1)' } })],
  [
    'has keys that are none',
    client => ({ body: { ...client, token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: ['x'] } } }),
  ],
]

describe('T040: a document that', () => {
  it('went wrong while the person was asked makes no client either', async () => {
    const client = newClient()
    documents.show({ body: client })
    const page = await ana.go(question(client.client_id).url)
    documents.show({ body: [] })
    await gateway.operator('POST /oauth/keys/rotate', {})
    const answered = await allow(page)
    expect([answered.status, answered.headers.get('location')]).toEqual([400, null])
    expect(answered.text).toContain('oauth.not_here')
  })

  it.each(wrong)('%s makes no client, and the audit says so once', async (_, shown) => {
    const client = newClient()
    const [last] = await eventsSince(undefined)
    documents.show(shown(client))
    const page = await ana.go(question(client.client_id).url)
    expect([page.status, page.headers.get('location')]).toEqual([400, null])
    expect(page.text).toContain('<small>invalid_client</small>')
    const events = await eventsSince(last?.id)
    expect(events).toMatchObject([
      { action: 'oauth.authorize', outcome: 'rejected', error: 'invalid_client' },
    ])
  })

  it('was remembered is no client any more once it is wrong', async () => {
    const client = newClient()
    documents.show({ body: client })
    await allow(await ana.go(question(client.client_id).url))
    documents.show({ body: { ...client, client_id: 'https://elsewhere.example.com/' } })
    await gateway.operator('POST /oauth/keys/rotate', {})
    const grant = { grant_type: 'refresh_token', refresh_token: 'gth_ort_whatever' }
    const { status, body } = await token(gateway.url, { ...grant, client_id: client.client_id })
    expect([status, body.error]).toEqual([400, 'invalid_client'])
  })
})

it('T088: a host that the configuration does not name is not reached inside', async () => {
  const before = documents.asked()
  const elsewhere = documents.url.replace('localhost', '127.0.0.1')
  const page = await ana.go(question(`${elsewhere}/client.json`).url)
  expect([page.status, documents.asked() - before]).toEqual([400, 0])
})
