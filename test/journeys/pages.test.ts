/** The pages a new admin meets, in a real browser. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type OpenBrowser, openBrowser } from '../fixtures/browser.ts'
import { type GatewayInside, openGatewayInside } from '../fixtures/gateway-inside.ts'

let browser: OpenBrowser
let gateway: GatewayInside
beforeAll(async () => {
  browser = await openBrowser()
  gateway = await openGatewayInside()
})
afterAll(async () => {
  await browser?.close()
  await gateway?.stop()
})

it('the landing page shows what this is, without a complaint of the browser', async () => {
  const { page } = await browser.person()
  const complaints: string[] = []
  page.on('console', message => complaints.push(message.text()))
  page.on('pageerror', error => complaints.push(error.message))
  await page.goto(gateway.url)
  expect(await page.title()).toBe('Gatehouse')
  expect(await page.locator('h1').textContent()).toBe('Gatehouse')
  expect(await page.locator('html').getAttribute('lang')).toBe('en')
  expect(complaints).toEqual([])
})
