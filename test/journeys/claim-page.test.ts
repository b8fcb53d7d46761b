/** The claim link in a real browser: a token, a session, and a passkey next. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { openBrowser } from '../fixtures/browser.ts'
import { launch } from '../fixtures/gateway.ts'
import { complaintsOf, expectAccessible, picture } from '../fixtures/pages.ts'
import { freePort } from '../fixtures/process.ts'
import { temporaryDirectory } from '../fixtures/processes.ts'

it('makes an admin who is signed in, has a token, and is offered a passkey', async () => {
  const dataDir = join(temporaryDirectory(), 'data')
  const gateway = launch({ dataDir, port: await freePort() })
  onTestFinished(async () => void (await gateway.process.stop()))
  await gateway.ready()
  await gateway.process.line('"ready"')
  const browser = await openBrowser()
  onTestFinished(() => browser.close())
  const { page } = await browser.person()
  const url = gateway.url.replace('127.0.0.1', 'localhost')
  const complaints = complaintsOf(page, url)
  await page.goto(`${url}/claim`)
  await page.getByText('This link has no secret in it.').waitFor()
  const link = readFileSync(join(dataDir, 'claim-link'), 'utf8').trim()
  await page.goto('about:blank')
  await page.goto(link.replace('127.0.0.1', 'localhost'))
  expect(page.url()).toBe(`${url}/claim`)
  await expectAccessible(page)
  await picture(page, 'claim')
  await page.getByLabel('Your e-mail address').fill('First@example.com')
  await page.getByRole('button', { name: 'Become admin' }).click()
  const token = await page.locator('#token').innerText()
  await expectAccessible(page)
  await picture(page, 'claimed')
  const me = await fetch(`${url}/api/v1/me`, { headers: { authorization: `Bearer ${token}` } })
  expect(await me.json()).toMatchObject({ name: 'first@example.com', role: 'admin' })
  await page.getByRole('link', { name: 'Add a passkey' }).click()
  await page.getByRole('button', { name: 'Add a passkey' }).waitFor()
  expect(await page.locator('h1').innerText()).toBe('first@example.com')
  expect(complaints).toEqual([])
})
