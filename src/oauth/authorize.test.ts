import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type GatewayInside, openGatewayInside } from '../../test/fixtures/gateway-inside.ts'
import { call } from '../../test/fixtures/http-call.ts'
import { Browser, roomOf, type Shown, signedInBrowser } from '../../test/fixtures/oauth-browser.ts'
import {
  authorizeUrl,
  challengeOf,
  newVerifier,
  redeem,
  register,
  returned,
  someClient,
} from '../../test/fixtures/oauth-client.ts'

let gateway: GatewayInside
let ana: Browser

beforeAll(async () => {
  gateway = await openGatewayInside()
  for (const email of ['ana@example.com', 'ben@example.com']) await gateway.operator('POST /users', { email })
  ana = await signedInBrowser(gateway, 'ana@example.com')
})
afterAll(() => gateway.stop())

async function question(more: Record<string, string> = {}): Promise<string> {
  const client_id = await someClient(gateway.url)
  const resource = `${gateway.url}/mcp`
  return authorizeUrl(gateway.url, {
    client_id,
    resource,
    code_challenge: challengeOf(newVerifier()),
    ...more,
  })
}

const rowsOf = async (table: 'oauth_grants' | 'oauth_consents') => {
  const { database, close } = await roomOf(gateway)
  const rows = await database.kysely.selectFrom(table).selectAll().execute()
  await close()
  return rows
}
const lastEvent = async () => {
  const { items } = await gateway.operator<{ items: Record<string, unknown>[] }>('GET /audit?limit=1')
  return items[0]
}

describe('a question that is not well asked', () => {
  it.each([
    ['without a challenge', { code_challenge: '', code_challenge_method: '' }],
    ['with plain', { code_challenge_method: 'plain' }],
    ['without a method', { code_challenge_method: '' }],
    ['with a short challenge', { code_challenge: 'a'.repeat(42) }],
    ['with a long challenge', { code_challenge: 'a'.repeat(129) }],
  ])('T021: %s goes back as invalid_request, with the issuer', async (_, more) => {
    const params = returned(await ana.go(await question(more)))
    expect([params.get('error'), params.get('iss'), params.get('state')]).toEqual([
      'invalid_request',
      gateway.url,
      'st',
    ])
    expect(await lastEvent()).toMatchObject({
      action: 'oauth.authorize',
      outcome: 'rejected',
      error: 'invalid_request',
    })
  })

  it.each([
    ['a slash more', 'https://app.example.com/cb/'],
    ['another case', 'https://app.example.com/CB'],
    ['a query more', 'https://app.example.com/cb?x=1'],
    ['another port', 'https://app.example.com:444/cb'],
    ['another host', 'https://app.example.com.evil.test/cb'],
    ['a user name', 'https://app.example.com@evil.test/cb'],
    ['a backslash', 'https://app.example.com\\@evil.test/cb'],
    ['http', 'http://app.example.com/cb'],
  ])('T022: a redirect with %s stays at our page', async (_, redirect_uri) => {
    const client_id = await webClient()
    const shown = await ana.go(await question({ client_id, redirect_uri }))
    expect([shown.status, shown.headers.get('location')]).toEqual([400, null])
    expect(shown.text).toContain('This application cannot be connected')
    expect(shown.headers.get('content-security-policy')).toContain(`frame-ancestors 'none'`)
    expect(await lastEvent()).toMatchObject({ action: 'oauth.authorize', error: 'invalid_redirect_uri' })
  })

  it('T023: a loopback redirect may have any port', async () => {
    const page = await ana.go(await question({ redirect_uri: 'http://127.0.0.1:50123/callback' }))
    expect(page.status).toBe(200)
    const shown = await ana.go(await question({ redirect_uri: 'http://127.0.0.1:50123/other' }))
    expect(shown.status).toBe(400)
  })

  it.each([
    'https://elsewhere.example.com/mcp',
    'http://localhost.evil.test/mcp',
    'HERE/api/v1',
    'HERE/mcp/lab',
    'HERE/mcp?x=1',
    'HERE/mcp#x',
    'HERE/mcp/../mcp',
    'http://ana@HOST/mcp',
    'http://localhost:1/mcp',
    'no url',
  ])('T031: %s is no resource of this gateway', async resource => {
    const named = resource.replace('HERE', gateway.url).replace('HOST', new URL(gateway.url).host)
    const params = returned(await ana.go(await question({ resource: named })))
    expect([params.get('error'), params.get('iss')]).toEqual(['invalid_target', gateway.url])
  })

  it('T031: two resources at once are none', async () => {
    const url = `${await question()}&resource=${encodeURIComponent(`${gateway.url}/mcp/lab/echo`)}`
    expect(returned(await ana.go(url)).get('error')).toBe('invalid_target')
  })

  it('an answer by form or fragment is not given', async () => {
    const byForm = await ana.go(await question({ response_mode: 'form_post' }))
    expect(byForm.text).toContain('invalid_request')
    expect(byForm.text).not.toContain('to act for you')
    const byFragment = await ana.go(await question({ response_mode: 'fragment' }))
    expect(byFragment.headers.get('location')).toContain('error=invalid_request')
  })

  it('a client that nobody knows gets a page that says what to do', async () => {
    const shown = await ana.go(await question({ client_id: 'dcr_nobody' }))
    expect(shown.status).toBe(400)
    expect(shown.text).toContain('add it again')
  })
})

let web: Promise<string> | undefined
function webClient(): Promise<string> {
  web ??= register(gateway.url, {
    client_name: 'Web <b>app</b> \u202e',
    redirect_uris: ['https://app.example.com/cb'],
    token_endpoint_auth_method: 'client_secret_basic',
  }).then(({ body }) => body.client_id)
  return web
}

describe('consent', () => {
  const webQuestion = async (more = {}) =>
    question({ client_id: await webClient(), redirect_uri: 'https://app.example.com/cb', ...more })

  it('T032, T039: shows who asks, escaped, whether it is verified, where the answer goes, what for; nothing may frame it', async () => {
    const page = await ana.go(await webQuestion({ scope: 'mcp:read' }))
    expect(page.text).toContain('Web &lt;b&gt;app&lt;/b&gt; \\u{202e}')
    expect(page.text).toContain('registered itself')
    expect(page.text).toContain('<strong>app.example.com</strong>')
    expect(page.text).toContain('<strong>ana@example.com</strong>')
    expect(page.text).toContain('<code>mcp:read</code>')
    expect(page.text).toContain(`<code>${gateway.url}/mcp</code>`)
    expect(page.headers.get('x-frame-options')).toBe('DENY')
    expect(page.headers.get('content-security-policy')).toContain(`frame-ancestors 'none'`)
    expect(page.headers.get('content-security-policy')).toContain(
      `form-action 'self' https://app.example.com`,
    )
  })

  it('warns of a program on the machine itself', async () => {
    expect((await ana.go(await question())).text).toContain('program on the machine this browser runs on')
  })

  it.each([
    ['without its token', { csrf: '' }, {}],
    ['with the token of another', { csrf: 'x'.repeat(43) }, {}],
    ['from another origin', {}, { origin: 'http://localhost:1' }],
    ['from nowhere', {}, { origin: '' }],
  ])('T033: sent %s is 403, and nothing is stored', async (_, fields, headers) => {
    const before = await rowsOf('oauth_grants')
    const page = await ana.go(await question())
    const { status } = await ana.submit(page, { decision: 'approve', ...fields }, headers)
    expect(status).toBe(403)
    expect(await rowsOf('oauth_grants')).toEqual(before)
  })

  it('T033, T034: is worth nothing in another browser, and for another person', async () => {
    const page = await ana.go(await question())
    const ben = await signedInBrowser(gateway, 'ben@example.com')
    expect((await ben.submit(page, { decision: 'approve' })).status).toBe(400)
    expect((await new Browser().submit(page, { decision: 'approve' })).status).toBe(400)
    const begun = page.url
    expect((await ben.go(begun)).status).toBe(400)
  })

  it('is asked of whoever is signed in now: the library remembers nobody longer than we do', async () => {
    const browser = await signedInBrowser(gateway, 'ana@example.com')
    expect((await browser.go(await question())).text).toContain('ana@example.com')
    const ben = await signedInBrowser(gateway, 'ben@example.com')
    for (const pair of ben.cookiesFor('/').split('; ')) browser.setCookie(`${pair}; Path=/`)
    expect((await browser.go(await question())).text).toContain('ben@example.com')
    browser.setCookie('gatehouse_session=; Path=/; Max-Age=0')
    expect((await browser.go(await question())).headers.get('location')).toMatch(/^\/sign-in/)
  })

  it('denied goes back as access_denied with the issuer, and is in the audit', async () => {
    const params = returned(await ana.submit(await ana.go(await question()), { decision: 'deny' }))
    expect([params.get('error'), params.get('iss')]).toEqual(['access_denied', gateway.url])
    const { items } = await gateway.operator<{ items: Record<string, unknown>[] }>('GET /audit?limit=2')
    expect(items.map(({ action, outcome }) => [action, outcome])).toContainEqual(['oauth.consent', 'denied'])
  })

  it('for a server that is not there, or not theirs, is not asked: both look the same', async () => {
    for (const path of ['/mcp/lab/nothing', '/mcp/lab/secret']) {
      const params = returned(await ana.go(await question({ resource: gateway.url + path })))
      expect(params.get('error')).toBe('invalid_target')
    }
  })

  it('is remembered for the same question of a client that can prove itself, and asked again for any other', async () => {
    const first = await ana.go(await webQuestion())
    expect(first.status).toBe(200)
    await ana.submit(first, { decision: 'approve' })
    const again = returned(await ana.go(await webQuestion()))
    expect([again.get('code')?.slice(0, 8), again.get('iss')]).toEqual(['gth_oac_', gateway.url])
    expect((await ana.go(await webQuestion({ scope: 'mcp:read' }))).status).toBe(200)
    expect((await ana.go(await webQuestion({ prompt: 'consent' }))).status).toBe(200)
    expect((await ana.go(await webQuestion({ resource: '' }))).status).toBe(200)
    const ben = await signedInBrowser(gateway, 'ben@example.com')
    expect((await ben.go(await webQuestion())).status).toBe(200)
  })

  it('is asked every time where the answer goes to a program on the machine, for anyone could be that', async () => {
    await ana.submit(await ana.go(await question()), { decision: 'approve' })
    expect((await ana.go(await question())).status).toBe(200)
  })
})

describe('what people allowed', () => {
  it('is listed for them, taken back by them, and dead within 5 s', async () => {
    const code_verifier = newVerifier()
    const page: Shown = await ana.go(await question({ code_challenge: challengeOf(code_verifier) }))
    const code = returned(await ana.submit(page, { decision: 'approve' })).get('code') ?? ''
    const { body } = await redeem(gateway.url, {
      code,
      code_verifier,
      client_id: await someClient(gateway.url),
    })
    const { token } = await gateway.operator<{ token: string }>('POST /tokens', { user: 'ana@example.com' })
    const listed = await call(`${gateway.url}/api/v1/me/authorizations`, { token })
    const [mine] = JSON.parse(listed.text).items
    expect(mine).toMatchObject({
      user: 'ana@example.com',
      client: 'Test client',
      resource: `${gateway.url}/mcp`,
      scopes: ['mcp:use'],
    })
    const { token: bens } = await gateway.operator<{ token: string }>('POST /tokens', {
      user: 'ben@example.com',
    })
    const path = `${gateway.url}/api/v1/me/authorizations/${mine.id}`
    expect((await call(path, { method: 'DELETE', token: bens })).status).toBe(404)
    expect((await call(path, { method: 'DELETE', token })).status).toBe(204)
    const tried = await call(`${gateway.url}/mcp`, { method: 'POST', token: body.access_token })
    expect(tried.status).toBe(401)
  })

  it('ends when the person is disabled', async () => {
    await gateway.operator('POST /users', { email: 'gone@example.com' })
    const gone = await signedInBrowser(gateway, 'gone@example.com')
    const code_verifier = newVerifier()
    const page = await gone.go(await question({ code_challenge: challengeOf(code_verifier) }))
    const code = returned(await gone.submit(page, { decision: 'approve' })).get('code') ?? ''
    await gateway.operator('PATCH /users/gone@example.com', { disabled: true })
    const { body } = await redeem(gateway.url, {
      code,
      code_verifier,
      client_id: await someClient(gateway.url),
    })
    expect(body.error).toBe('invalid_grant')
  })
})

describe('metadata of protected resources', () => {
  it('T044: is there for every address a server can have, and tells nothing of which exist', async () => {
    const at = async (path: string) => {
      const { status, text } = await call(`${gateway.url}/.well-known/oauth-protected-resource${path}`)
      return { status, text }
    }
    const [known, unknown] = [await at('/mcp/lab/echo'), await at('/mcp/lab/none')]
    expect(known.status).toBe(200)
    expect(known.text.replaceAll('lab/echo', 'X')).toBe(unknown.text.replaceAll('lab/none', 'X'))
    expect(JSON.parse((await at('')).text).resource).toBe(`${gateway.url}/mcp`)
    for (const path of ['/api/v1', '/mcp/lab', '/mcp/a/b/c', '/mcp/../x', '/MCP'])
      expect((await at(path)).status).toBe(404)
  })

  it('names the resource as the client dialled it', async () => {
    const { port } = new URL(gateway.url)
    const url = `http://localhost:${port}/.well-known/oauth-protected-resource/mcp`
    expect(JSON.parse((await call(url)).text)).toMatchObject({
      resource: `http://localhost:${port}/mcp`,
      authorization_servers: [gateway.url],
    })
    const elsewhere = { host: 'evil.test' }
    expect(
      (await call(`${gateway.url}/.well-known/oauth-protected-resource/mcp`, { headers: elsewhere })).status,
    ).toBe(421)
  })
})
