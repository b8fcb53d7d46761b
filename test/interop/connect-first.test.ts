/** A first call needs an account: with a real browser its person follows the link, agrees and is back, and the call gives its result. */
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { tokenFor } from '../fixtures/api.ts'
import { type OpenBrowser, openBrowser } from '../fixtures/browser.ts'
import { type GatewayInside, openGatewayInside } from '../fixtures/gateway-inside.ts'
import { complaintsOf, expectAccessible } from '../fixtures/pages.ts'
import { fastmcp } from '../fixtures/peers.ts'
import { type Running, start } from '../fixtures/process.ts'
import { type ProtectedServer, startProtectedServer } from '../fixtures/protected-server.ts'
import { connect, textOf } from '../fixtures/sdk-client.ts'

const EMAIL = 'ana@example.com'
const AT_SERVER = 'ana@there.example'
const INSTALLING_MS = 10 * 60_000

/** Who can open a page of the gateway is sent there, and the call waits; who cannot gets the link as text, and the call is made again. */
const cases = (['legacy', 'auto'] as const).flatMap(mode =>
  [true, false].map(opens => ({
    mode,
    opens,
    era: mode === 'legacy' ? 'the session era' : 'the stateless era',
    form: opens ? 'a page to open' : 'a text with the link',
  })),
)

let browser: OpenBrowser
let gateway: GatewayInside
let there: ProtectedServer
let ana: Page
let complaints: string[]
let token: string
let python: Running

beforeAll(async () => {
  ;[browser, gateway, there] = await Promise.all([openBrowser(), openGatewayInside(), startProtectedServer()])
  const { operator } = gateway
  await operator('POST /users', { email: EMAIL })
  await operator('POST /groups', { name: 'lab' })
  await operator('POST /groups/lab/grants', { subject: `user:${EMAIL}` })
  // Each case begins without an account.
  for (const client of ['sdk', 'fastmcp']) for (const at of cases.keys()) await register(`${client}-${at}`)
  token = (await tokenFor(operator, `user:${EMAIL}`)).token
  // It takes its time to begin, and does so while the other client is looked at.
  const plan = cases.map(({ mode, opens }, at) => ({ url: urlOf('fastmcp', at), mode, opens }))
  const args = ['test/peers/fastmcp_connect.py', token, 'whoami', JSON.stringify(plan)]
  python = start({ command: await fastmcp(), args })
  ana = (await browser.person()).page
  complaints = complaintsOf(ana, gateway.url)
  await ana.goto((await operator<{ url: string }>(`POST /users/${EMAIL}/link`, {})).url)
  await ana.getByRole('button', { name: `Sign in as ${EMAIL}` }).click()
  await ana.waitForURL('**/account')
}, INSTALLING_MS)

afterAll(async () => {
  await python?.stop()
  await browser?.close()
  await gateway?.stop()
  await there?.stop()
})

const urlOf = (client: string, at: number) => `${gateway.url}/mcp/lab/${client}-${at}/server`

async function register(name: string): Promise<void> {
  const transport = { kind: 'streamable-http', url: there.url, allowPrivateNetwork: true }
  await gateway.operator('POST /servers', { group: 'lab', name, transport, auth: { kind: 'oauth2' } })
}

/** What the person does with the link. */
async function follow(link: string): Promise<void> {
  await ana.goto(link)
  const server = new URL(link).pathname.replace('/connect/', '')
  expect(await ana.locator('h1').textContent()).toContain(
    `Connect your account at ${new URL(there.url).host}?`,
  )
  expect(await ana.locator('main').textContent()).toContain(`to ${server} will be made with it`)
  await expectAccessible(ana)
  await ana.getByRole('button', { name: 'Go on to' }).click()
  await ana.getByRole('heading', { name: `${server} is connected` }).waitFor()
}

const linkIn = (text: string) => /http\S+\/connect\/\S+/.exec(text)?.[0]

describe('SDK v2', () => {
  it.each(cases.map((one, at) => ({ ...one, at })))('in $era gets $form', async ({ mode, opens, at }) => {
    const opened: string[] = []
    const client = await connect({
      ...{ url: urlOf('sdk', at), token, mode },
      capabilities: opens ? { elicitation: { url: {} } } : {},
      prepare(one) {
        if (!opens) return
        one.setRequestHandler('elicitation/create', async ({ params }) => {
          opened.push('url' in params ? String(params.url) : '')
          await follow(opened[0] ?? '')
          return { action: 'accept' }
        })
      },
    })
    const revision = mode === 'legacy' ? '2025-11-25' : '2026-07-28'
    expect(client.getNegotiatedProtocolVersion()).toBe(revision)
    const call = async () => textOf(await client.callTool({ name: 'whoami', arguments: {} }))
    const first = await call()
    expect(opened).toHaveLength(opens ? 1 : 0)
    if (!opens) await follow(linkIn(first) ?? '')
    expect(opens ? first : await call()).toBe(AT_SERVER)
    await client.close()
  })
})

describe('FastMCP', () => {
  const seen = z.object({
    url: z.string(),
    goTo: z.string().optional(),
    text: z.string().optional(),
    calls: z.number().optional(),
  })

  const line = async (at: number, what: string) =>
    seen.parse(JSON.parse(await python.line(`"url": "${urlOf('fastmcp', at)}", "${what}"`)))

  it.each(cases.map((one, at) => ({ ...one, at })))('in $era gets $form', async ({ opens, at }) => {
    await follow((await line(at, 'goTo')).goTo ?? '')
    const { text, calls = 0 } = await line(at, 'text')
    expect(text).toBe(AT_SERVER)
    expect(calls > 1).toBe(!opens)
  })
})

it('shows no page that the browser complains about', () => {
  expect(complaints).toEqual([])
})
