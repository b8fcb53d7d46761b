/** People without an identity provider: claim, links, passkeys, and out again; in a real browser. */
import type { CDPSession, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { AuditEvent } from '../../src/audit/index.ts'
import { type OpenBrowser, openBrowser } from '../fixtures/browser.ts'
import { openDatabaseFile } from '../fixtures/database-file.ts'
import { type GatewayInside, openGatewayInside } from '../fixtures/gateway-inside.ts'
import { complaintsOf, expectAccessible, picture } from '../fixtures/pages.ts'

let browser: OpenBrowser
let gateway: GatewayInside
/** Passkeys are for names. */
let url: string
beforeAll(async () => {
  browser = await openBrowser()
  gateway = await openGatewayInside()
  url = gateway.url.replace('127.0.0.1', 'localhost')
  await gateway.operator('POST /users', { email: 'ana@example.com', role: 'admin' })
  await gateway.operator('POST /users', { email: 'bo@example.com' })
})
afterAll(async () => {
  await browser?.close()
  await gateway?.stop()
})

const text = (page: Page) => page.locator('main').innerText()
const press = (page: Page, name: string | RegExp) => page.getByRole('button', { name }).click()

async function linkFor(email: string): Promise<string> {
  const { url: link } = await gateway.operator<{ url: string }>(`POST /users/${email}/link`, {})
  return link.replace('127.0.0.1', 'localhost')
}

async function signedIn(email: string) {
  const person = await browser.person()
  await person.page.goto(await linkFor(email))
  await press(person.page, `Sign in as ${email}`)
  expect(new URL(person.page.url()).pathname).toBe('/account')
  return person
}

async function withPasskeys(page: Page): Promise<CDPSession> {
  const session = await page.context().newCDPSession(page)
  await session.send('WebAuthn.enable')
  await session.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
    },
  })
  return session
}

async function events(action: string): Promise<AuditEvent[]> {
  const { items } = await gateway.operator<{ items: AuditEvent[] }>('GET /audit?limit=200')
  return items.filter(event => event.action === action)
}

it('signs in with a link that whoever looks at it does not use up, once', async () => {
  const { page } = await browser.person()
  const complaints = complaintsOf(page, url)
  await page.goto(url.concat('/sign-in'))
  await expectAccessible(page)
  await picture(page, 'sign-in-nothing')
  expect(await text(page)).toContain('gatehouse user link <email>')
  const link = await linkFor('bo@example.com')
  for (let looks = 0; looks < 3; looks++) expect((await fetch(link)).status).toBe(200)
  await page.goto(link)
  await expectAccessible(page)
  await picture(page, 'link')
  await press(page, 'Sign in as bo@example.com')
  expect(await text(page)).toContain('bo@example.com')
  await expectAccessible(page)
  await picture(page, 'account')
  expect(complaints).toEqual([])
  const other = await browser.person()
  expect((await other.page.goto(link))?.status()).toBe(403)
  expect(await text(other.page)).toContain('This sign-in link is not valid any more.')
  await expectAccessible(other.page)
  await picture(other.page, 'error')
  const [event] = await events('identity.sign_in')
  expect(event).toMatchObject({
    kind: 'identity',
    target: 'user:bo@example.com',
    who: { name: 'bo@example.com', address: expect.any(String) },
    detail: { method: 'link' },
  })
  expect(JSON.stringify(await events('identity.make_link'))).not.toContain(link.split('/').at(-1))
})

it('T033: takes the form of a link from the browser it was shown to, and from no other page', async () => {
  const link = await linkFor('bo@example.com')
  const shown = await fetch(link)
  const html = await shown.text()
  const cookie = shown.headers.getSetCookie()[0]?.split(';')[0] ?? ''
  const token = /name="form_token" value="([^"]+)"/.exec(html)?.[1] ?? ''
  const post = (headers: Record<string, string>, body = `form_token=${token}`) =>
    fetch(link, {
      method: 'POST',
      redirect: 'manual',
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body,
    })
  const ours = { origin: url, cookie }
  expect((await post({ cookie })).status).toBe(403)
  expect((await post({ ...ours, origin: 'https://evil.example' })).status).toBe(403)
  expect((await post({ ...ours, 'sec-fetch-site': 'cross-site' })).status).toBe(403)
  expect((await post({ origin: url })).status).toBe(403)
  expect((await post(ours, 'form_token=x')).status).toBe(403)
  expect((await post({ ...ours, 'content-type': 'text/plain' })).status).toBe(415)
  const used = await Promise.all([post(ours), post(ours), post(ours)])
  expect(used.map(({ status }) => status).sort()).toEqual([303, 403, 403])
})

it('adds a passkey, signs in with it at the path that was asked for, and takes it away', async () => {
  const { page } = await signedIn('ana@example.com')
  const complaints = complaintsOf(page, url)
  await withPasskeys(page)
  await page.getByLabel('Name of the new passkey').fill('Laptop <1>')
  await press(page, 'Add a passkey')
  await page.getByText('Laptop <1>').waitFor()
  await expectAccessible(page)
  await picture(page, 'account-passkey')
  await page.getByLabel('New name of').fill('Laptop')
  await press(page, 'Rename')
  await page.getByText('not used yet').waitFor()
  await page.getByRole('button', { name: 'Sign out', exact: true }).click()
  expect(await text(page)).toContain('You are signed out')
  await expectAccessible(page)
  await picture(page, 'signed-out')
  await page.goto(`${url}/sign-in?return=/api/v1/me`)
  await expectAccessible(page)
  await picture(page, 'sign-in-passkey')
  await press(page, 'Sign in with a passkey')
  await page.waitForURL(`${url}/api/v1/me`)
  expect(JSON.parse((await page.textContent('body')) ?? '')).toMatchObject({ name: 'ana@example.com' })
  await page.goto(`${url}/account`)
  await page
    .getByText(/used \d{4}/)
    .first()
    .waitFor()
  // As if a copy of it had been used elsewhere since.
  const database = openDatabaseFile(gateway.dataDir)
  database.exec('update passkeys set counter = counter + 1000')
  database.close()
  await page.goto(`${url}/sign-in?again=1&return=/account`)
  await press(page, 'Sign in with a passkey')
  await page.getByText('there may be a copy of it').waitFor()
  expect((await events('identity.sign_in'))[0]).toMatchObject({
    outcome: 'rejected',
    decision: { allowed: false, reason: expect.stringContaining('copy') },
  })
  await page.goto(`${url}/account`)
  await press(page, 'Remove Laptop')
  await page.getByText('You have none.').waitFor()
  expect(complaints).toEqual([])
  const told = ['add', 'rename', 'remove'].map(verb => events(`identity.${verb}_passkey`))
  expect((await Promise.all(told)).map(({ length }) => length)).toEqual([1, 1, 1])
})

it('asks for a name where there is only an address', async () => {
  const { page } = await browser.person()
  await page.goto((await linkFor('bo@example.com')).replace('localhost', '127.0.0.1'))
  await press(page, 'Sign in as bo@example.com')
  expect(await text(page)).toContain(`Open the gateway as ${url} instead.`)
})

it('T126: gives a new session for every sign-in, and none of before goes on', async () => {
  const { page, context } = await signedIn('bo@example.com')
  const sessionCookie = async () => (await context.cookies()).find(({ name }) => name === 'gatehouse_session')
  const first = await sessionCookie()
  expect(first).toMatchObject({ httpOnly: true, sameSite: 'Lax', path: '/' })
  await page.goto(await linkFor('bo@example.com'))
  await press(page, 'Sign in as bo@example.com')
  expect((await sessionCookie())?.value).not.toBe(first?.value)
  const me = () => fetch(`${url}/api/v1/me`, { headers: { cookie: `gatehouse_session=${first?.value}` } })
  expect((await me()).status).toBe(401)
})

it('signs out one browser from another, everywhere, and by an admin', async () => {
  const [one, two] = [await signedIn('bo@example.com'), await signedIn('bo@example.com')]
  const signedOut = async ({ page }: typeof one) => {
    await page.goto(`${url}/account`)
    return new URL(page.url()).pathname === '/sign-in'
  }
  const { items } = await gateway.operator<{ items: { id: string }[] }>('GET /users/bo@example.com/sessions')
  expect(items.length).toBeGreaterThanOrEqual(2)
  await one.page.goto(`${url}/account`)
  await one.page.getByRole('listitem').filter({ hasNotText: '(this one)' }).last().getByRole('button').click()
  expect([await signedOut(one), await signedOut(two)]).toEqual([false, true])
  await press(one.page, 'Sign out everywhere')
  expect(await signedOut(one)).toBe(true)
  const three = await signedIn('bo@example.com')
  expect(await gateway.operator('DELETE /users/bo@example.com/sessions')).toEqual({ ended: 1 })
  expect(await signedOut(three)).toBe(true)
})

it('T126: ends with its user', async () => {
  const { page } = await signedIn('bo@example.com')
  await gateway.operator('PATCH /users/bo@example.com', { disabled: true })
  await page.goto(`${url}/account`)
  expect(new URL(page.url()).pathname).toBe('/sign-in')
  await gateway.operator('PATCH /users/bo@example.com', { disabled: false })
  await page.goto(`${url}/account`)
  expect(new URL(page.url()).pathname).toBe('/sign-in')
})

it('T127: goes on to a path of ours only', async () => {
  const { page } = await signedIn('bo@example.com')
  for (const elsewhere of [
    '//evil.example',
    '/%5cevil.example',
    'https:evil.example',
    '%2f%2fevil.example',
  ]) {
    await page.goto(`${url}/sign-in?return=${elsewhere}`)
    expect(new URL(page.url()).origin).toBe(url)
  }
})
