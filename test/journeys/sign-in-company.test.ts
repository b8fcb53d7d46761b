/** People of a company sign in at its identity provider, which is a process of its own, in a real browser. */
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { AuditEvent } from '../../src/audit/index.ts'
import { type OpenBrowser, openBrowser } from '../fixtures/browser.ts'
import { openJar } from '../fixtures/cookie-jar.ts'
import { openDatabaseFile } from '../fixtures/database-file.ts'
import { type GatewayInside, openGatewayInside } from '../fixtures/gateway-inside.ts'
import { type IdentityProviderProcess, startIdentityProvider } from '../fixtures/identity-provider.ts'
import { complaintsOf, expectAccessible, picture } from '../fixtures/pages.ts'

let browser: OpenBrowser
let gateway: GatewayInside
let company: IdentityProviderProcess
const secret = 'gate-secret-gate-secret-gate'

beforeAll(async () => {
  browser = await openBrowser()
  gateway = await openGatewayInside()
  const { url } = gateway
  company = await startIdentityProvider({
    people: [
      { id: 'ana', email: 'ana@acme.example', email_verified: true, groups: ['crew'] },
      { id: 'bo', email: 'bo@acme.example', email_verified: true },
      { id: 'eve', email: 'eve@elsewhere.example', email_verified: true },
    ],
    clients: [
      {
        client_id: 'gate',
        client_secret: secret,
        redirect_uris: [`${url}/sign-in/callback`],
        post_logout_redirect_uris: [`${url}/signed-out`],
        backchannel_logout_uri: `${url}/sign-in/acme/logout`,
        backchannel_logout_session_required: true,
      },
    ],
  })
  await gateway.operator('POST /identity-providers', {
    name: 'acme',
    title: 'Acme',
    issuer: company.issuer,
    clientId: 'gate',
    clientSecret: secret,
    use: { signIn: true },
    teams: { map: { crew: 'crew' } },
    domains: ['acme.example'],
    allowPrivateNetwork: true,
  })
})
afterAll(async () => {
  await browser?.close()
  await gateway?.stop()
  await company?.stop()
})

const text = (page: Page) => page.locator('main').innerText()
const isAt = (path: string) => (url: URL) => url.origin === gateway.url && url.pathname + url.search === path

/** One statement on the database of the gateway; gives the first row. */
function database(statement: string): Record<string, unknown> | undefined {
  const opened = openDatabaseFile(gateway.dataDir)
  try {
    return opened.prepare(statement).get()
  } finally {
    opened.close()
  }
}

async function events(action: string): Promise<AuditEvent[]> {
  const { items } = await gateway.operator<{ items: AuditEvent[] }>('GET /audit?limit=200')
  return items.filter(event => event.action === action)
}

/** From our page to theirs, and through their forms as far as they ask. */
async function logIn(page: Page, who: string): Promise<void> {
  await page.getByLabel('Name', { exact: true }).fill(who)
  await page.getByLabel('Password').fill('x')
  await page.getByRole('button', { name: 'Log in' }).click()
  const allow = page.getByRole('button', { name: 'Allow' })
  const ours = page.getByRole('link', { name: 'Gatehouse', exact: true })
  await allow.or(ours).or(page.locator('pre')).first().waitFor()
  if (await allow.isVisible()) await allow.click()
}

async function signedIn(who: string) {
  const person = await browser.person()
  await person.page.goto(`${gateway.url}/sign-in`)
  await person.page.getByRole('link', { name: 'Sign in with Acme' }).click()
  await logIn(person.page, who)
  await person.page.waitForURL(isAt('/account'))
  return person
}

it('a person of the company comes in, is known with their teams, and goes on to where they wanted', async () => {
  const { page } = await browser.person()
  const complaints = complaintsOf(page, gateway.url)
  await page.goto(`${gateway.url}/sign-in?return=/api/v1/me`)
  await expectAccessible(page)
  await picture(page, 'sign-in-company')
  await page.getByRole('link', { name: 'Sign in with Acme' }).click()
  await logIn(page, 'ana')
  await page.waitForURL(isAt('/api/v1/me'))
  expect(JSON.parse((await page.textContent('body')) ?? '')).toMatchObject({
    kind: 'user',
    name: 'ana@acme.example',
    role: 'member',
    subjects: ['user:ana@acme.example', 'team:crew', 'everyone'],
  })
  await page.goto(`${gateway.url}/account`)
  expect(await text(page)).toContain('Passkeys for it are added there.')
  expect(complaints).toEqual([])
  expect((await events('identity.sign_in'))[0]).toMatchObject({
    kind: 'identity',
    target: 'user:ana@acme.example',
    detail: { method: 'provider', provider: 'acme' },
  })
})

it('somebody whose address the company may not vouch for stays outside, with the reason in the audit only', async () => {
  const { page } = await browser.person()
  await page.goto(`${gateway.url}/sign-in/acme`)
  await logIn(page, 'eve')
  await page.waitForURL(`${gateway.url}/sign-in/callback**`)
  expect(await text(page)).toContain('does not let them in')
  expect(await text(page)).not.toContain('elsewhere.example')
  await expectAccessible(page)
  await picture(page, 'not-admitted')
  expect((await events('identity.sign_in'))[0]).toMatchObject({
    outcome: 'rejected',
    error: 'identity.not_admitted',
  })
  await page.goto(`${gateway.url}/account`)
  expect(new URL(page.url()).pathname).toBe('/sign-in')
})

/** Begins as a browser does, goes through their forms, and stops before the way back. */
async function begun(who: string) {
  const jar = openJar()
  const login = await jar.go(`${gateway.url}/sign-in/acme`, company.issuer)
  const next = await jar.go(login.url, company.issuer, { login: who, password: 'x' })
  const { url } = next.url.includes('/callback') ? next : await jar.go(next.url, company.issuer, {})
  expect(url).toContain(`${gateway.url}/sign-in/callback?`)
  return { jar, url }
}

const tokensAsked = async () =>
  (await company.seen()).requests.filter(request => request === 'POST /token').length

it('T034, T035: another browser cannot finish it; the one that began can, once', async () => {
  const { jar, url } = await begun('bo')
  const other = await browser.person()
  const before = await tokensAsked()
  const answer = await other.page.goto(url)
  expect(answer?.status()).toBe(403)
  expect(await text(other.page)).toContain('begun in another browser')
  expect((await other.context.cookies()).filter(({ name }) => name === 'gatehouse_session')).toEqual([])
  expect(await tokensAsked()).toBe(before)
  expect(await jar.get(url)).toMatchObject({ status: 303, location: '/account' })
  expect(jar.has('gatehouse_session')).toBe(true)
  expect(await tokensAsked()).toBe(before + 1)
  expect(await jar.get(url)).toMatchObject({ status: 400, text: expect.stringContaining('This is over') })
  expect(await tokensAsked()).toBe(before + 1)
})

it('T035, T036: a missing or invented state and another issuer end it before anything is asked of the provider', async () => {
  const { jar, url } = await begun('bo')
  const before = await tokensAsked()
  const changed = (change: (params: URLSearchParams) => void) => {
    const to = new URL(url)
    change(to.searchParams)
    return to.href
  }
  for (const hostile of [
    changed(params => params.delete('state')),
    changed(params => params.set('state', 'x')),
    `${url}&state=twice`,
  ])
    expect(await jar.get(hostile)).toMatchObject({ status: 400 })
  const lookAlike = changed(params => params.set('iss', `${company.issuer}/`))
  expect(await jar.get(lookAlike)).toMatchObject({
    status: 403,
    text: expect.stringContaining('The answer does not come from Acme.'),
  })
  expect(await jar.get(url)).toMatchObject({ status: 400 })
  expect(await tokensAsked()).toBe(before)
})

it('T036: of an error of the provider only our own sentence is shown', async () => {
  const { page } = await browser.person()
  await page.goto(`${gateway.url}/sign-in/acme`)
  await page.getByRole('button', { name: 'Refuse' }).click()
  await page.waitForURL(`${gateway.url}/sign-in/callback**`)
  expect(await text(page)).toContain('Acme says no')
  expect(await text(page)).not.toContain('The person said no.')
})

it('several tabs of one browser come in each by itself', async () => {
  const { page, context } = await browser.person()
  const second = await context.newPage()
  await page.goto(`${gateway.url}/sign-in/acme?return=/api/v1/me`)
  await second.goto(`${gateway.url}/sign-in/acme?return=/account`)
  await logIn(page, 'bo')
  await page.waitForURL(isAt('/api/v1/me'))
  await logIn(second, 'bo')
  await second.waitForURL(isAt('/account'))
})

it('signing out ends the session here and leads to the provider, and back', async () => {
  const { page, context } = await signedIn('bo')
  const cookie = (await context.cookies()).find(({ name }) => name === 'gatehouse_session')
  await page.getByRole('button', { name: 'Sign out', exact: true }).click()
  await page.waitForURL(url => url.href.startsWith(company.issuer))
  // It is told who leaves, so that it need not ask.
  const hint = new URL(page.url()).searchParams.get('id_token_hint') ?? ''
  expect(JSON.parse(Buffer.from(hint.split('.')[1] ?? '', 'base64url').toString())).toMatchObject({
    sub: 'bo',
  })
  const me = await fetch(`${gateway.url}/api/v1/me`, {
    headers: { cookie: `gatehouse_session=${cookie?.value}` },
  })
  expect(me.status).toBe(401)
  await page.getByRole('button', { name: /yes/i }).click()
  await page.waitForURL(`${gateway.url}/signed-out**`)
  await page.goto(`${gateway.url}/account`)
  expect(new URL(page.url()).pathname).toBe('/sign-in')
})

it('showing once more that it is you is asked of the provider, and makes the session fresh', async () => {
  const { page } = await signedIn('bo')
  database('update browser_sessions set authenticated_at = authenticated_at - 600001')
  const before = (await events('identity.sign_in')).length
  await page.goto(`${gateway.url}/sign-in?again=1&return=/account`)
  await expectAccessible(page)
  await picture(page, 'step-up')
  await page.getByRole('link', { name: 'Sign in with Acme' }).click()
  // Whoever is signed in there has to log in again all the same.
  await page.getByLabel('Name', { exact: true }).waitFor()
  await logIn(page, 'bo')
  await page.waitForURL(isAt('/account'))
  expect(await events('identity.sign_in')).toHaveLength(before + 1)
  const fresh = 'select max(authenticated_at) as at from browser_sessions'
  expect(Number(database(fresh)?.at)).toBeGreaterThan(Date.now() - 60_000)
})

it('somebody who must be told something is told when they come, and goes on from there', async () => {
  const { page, context } = await signedIn('bo')
  database(
    "insert into notices select 'n1', id, 'stolen_authorization', 'Lens <1>', 1790000000000 from users where email = 'bo@acme.example'",
  )
  await context.clearCookies({ domain: '127.0.0.1' })
  await page.goto(`${gateway.url}/sign-in?return=/api/v1/me`)
  await page.getByRole('link', { name: 'Sign in with Acme' }).click()
  await logIn(page, 'bo')
  await page.waitForURL(isAt('/account?return=%2Fapi%2Fv1%2Fme'))
  expect(await text(page)).toContain('What Lens <1> was given to act for you was used twice')
  await expectAccessible(page)
  await picture(page, 'account-notice')
  expect(await page.getByRole('link', { name: 'Go on' }).getAttribute('href')).toBe('/api/v1/me')
  await page.getByRole('button', { name: 'I have seen it' }).click()
  await page.waitForURL(isAt('/account'))
  expect(await text(page)).not.toContain('Something happened')
})

it('who signs out at the provider is signed out here', async () => {
  const { page } = await signedIn('bo')
  const tab = await page.context().newPage()
  await tab.goto(`${company.issuer}/session/end`)
  await tab.getByRole('button', { name: /yes/i }).click()
  await expect.poll(async () => (await events('identity.sign_out'))[0]?.target).toBe('identity-provider:acme')
  await page.goto(`${gateway.url}/account`)
  expect(new URL(page.url()).pathname).toBe('/sign-in')
})

it('takes no logout token that is another kind of token, for somebody else, or was sent before', async () => {
  await signedIn('bo')
  const event = { 'http://schemas.openid.net/event/backchannel-logout': {} }
  const good = { aud: 'gate', sub: 'bo', jti: crypto.randomUUID(), events: event }
  const header = { typ: 'logout+jwt' }
  const send = (token: string) =>
    fetch(`${gateway.url}/sign-in/acme/logout`, {
      method: 'POST',
      body: new URLSearchParams({ logout_token: token }),
    })
  const { items } = await gateway.operator<{ items: object[] }>('GET /users/bo@acme.example/sessions')
  const open = async () =>
    (await gateway.operator<{ items: object[] }>('GET /users/bo@acme.example/sessions')).items.length
  const old = Math.floor(Date.now() / 1000) - 3600
  const hostile = [
    { claims: { ...good, events: undefined }, header },
    { claims: { ...good, nonce: 'n' }, header },
    { claims: { ...good, aud: 'other' }, header },
    { claims: { ...good, sub: undefined }, header },
    { claims: { ...good, jti: undefined }, header },
    { claims: { ...good, iat: old }, header },
    { claims: { ...good, iss: `${company.issuer}/` }, header },
    { claims: good, header: { typ: 'at+jwt' } },
    { claims: good, header, key: 'foreign' },
    { claims: good, header: { ...header, alg: 'none' }, key: 'none' },
  ] as const
  for (const minting of hostile)
    expect((await send(await company.mint(minting))).status, JSON.stringify(minting)).toBe(400)
  expect(await open()).toBe(items.length)
  const token = await company.mint({ claims: good, header })
  expect((await send(token)).status).toBe(200)
  expect(await open()).toBe(0)
  expect((await send(token)).status).toBe(400)
})

it('a provider that does not answer is told about on a page, with what to do', async () => {
  await gateway.operator('POST /identity-providers', {
    name: 'gone',
    issuer: 'http://127.0.0.1:9',
    clientId: 'gate',
    use: { signIn: true },
    allowPrivateNetwork: true,
  })
  const { page } = await browser.person()
  expect((await page.goto(`${gateway.url}/sign-in/gone`))?.status()).toBe(502)
  await expectAccessible(page)
  await picture(page, 'provider-down')
  expect((await page.goto(`${gateway.url}/sign-in/nobody`))?.status()).toBe(404)
})
