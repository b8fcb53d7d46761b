/** People whose identity provider is a program that others wrote sign in here, and come with its tokens. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type OpenBrowser, openBrowser } from '../fixtures/browser.ts'
import { type GatewayInside, openGatewayInside } from '../fixtures/gateway-inside.ts'
import { type Glewlwyd, goOnAtGlewlwyd, signInAtGlewlwyd, startGlewlwyd } from '../fixtures/glewlwyd.ts'
import { call } from '../fixtures/http-call.ts'

const INSTALLING_MS = 10 * 60_000
const ana = { login: 'ana', password: 'ana has a password', email: 'ana@acme.example', groups: ['cooks'] }
const clientSecret = 'sixteenplainletters'

let browser: OpenBrowser
let gateway: GatewayInside
let glewlwyd: Glewlwyd

beforeAll(async () => {
  browser = await openBrowser()
  gateway = await openGatewayInside()
  glewlwyd = await startGlewlwyd({
    redirectUri: `${gateway.url}/sign-in/callback`,
    clientId: 'gatehouse',
    clientSecret,
    person: ana,
    resources: [`${gateway.url}/mcp`, 'http://127.0.0.1:9/mcp'],
    accessTokenClaims: ['email', 'groups'],
  })
  await gateway.operator('POST /identity-providers', {
    name: 'foreign',
    title: 'Glewlwyd',
    issuer: glewlwyd.issuer,
    clientId: 'gatehouse',
    clientSecret,
    use: { signIn: true, bearer: ['mcp'] },
    domains: ['acme.example'],
    allowPrivateNetwork: true,
  })
}, INSTALLING_MS)

afterAll(async () => {
  await browser?.close()
  await gateway?.stop()
  await glewlwyd?.stop()
})

it('a person signs in at it, and is known when they come back', async () => {
  const { page } = await browser.person()
  await page.goto(`${gateway.url}/sign-in`)
  await page.getByRole('link', { name: /Glewlwyd/ }).click()
  await signInAtGlewlwyd(page, ana)
  await page.waitForURL(`${gateway.url}/account`)
  expect(await page.locator('main').innerText()).toContain(ana.email)
  await page.context().clearCookies({ name: 'gatehouse_session' })
  await page.goto(`${gateway.url}/sign-in`)
  await page.getByRole('link', { name: /Glewlwyd/ }).click()
  await goOnAtGlewlwyd(page)
  await page.waitForURL(`${gateway.url}/account`)
  const { items } = await gateway.operator<{ items: { email: string }[] }>('GET /users')
  expect(items.map(({ email }) => email)).toEqual([ana.email])
})

it('its access tokens are taken where they are for, and its other tokens nowhere', async () => {
  const ask = async (token: string, path = '/mcp') =>
    (await call(`${gateway.url}${path}`, { method: 'POST', token, body: {} })).status
  // 400: the gateway knows who asks, and then finds nothing asked.
  expect(await ask(await glewlwyd.personToken(`${gateway.url}/mcp`))).toBe(400)
  expect(await ask(await glewlwyd.personToken('http://127.0.0.1:9/mcp'))).toBe(401)
  // Without a resource its audience is the list of scopes.
  expect(await ask(await glewlwyd.personToken())).toBe(401)
  expect(await ask(await glewlwyd.personToken(`${gateway.url}/mcp`), '/mcp/lab/other')).toBe(401)
})
