/** Virtual accounts have no browser: the user who answers for one connects for it. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { apiOf, tokenFor } from '../../../test/fixtures/api.ts'
import { type GatewayInside, openGatewayInside } from '../../../test/fixtures/gateway-inside.ts'
import { call } from '../../../test/fixtures/http-call.ts'
import { answerOf, inEra } from '../../../test/fixtures/mcp-call.ts'
import { type Browser, type Shown, signedInBrowser } from '../../../test/fixtures/oauth-browser.ts'
import { type ProtectedServer, startProtectedServer } from '../../../test/fixtures/protected-server.ts'
import type { Connection } from './view.ts'

let gateway: GatewayInside
let there: ProtectedServer
let ana: Browser
let bo: Browser
let robot: string

beforeAll(async () => {
  gateway = await openGatewayInside()
  there = await startProtectedServer()
  const { operator } = gateway
  for (const email of ['ana@example.com', 'bo@example.com']) await operator('POST /users', { email })
  await operator('POST /accounts', { name: 'robot', owner: 'user:ana@example.com' })
  await operator('POST /accounts', { name: 'other', owner: 'user:ana@example.com' })
  await operator('POST /groups', { name: 'lab' })
  await operator('POST /groups/lab/grants', { subject: 'account:robot' })
  const transport = { kind: 'streamable-http', url: there.url, allowPrivateNetwork: true }
  await operator('POST /servers', { group: 'lab', name: 'notes', transport, auth: { kind: 'oauth2' } })
  ana = await signedInBrowser(gateway, 'ana@example.com')
  bo = await signedInBrowser(gateway, 'bo@example.com')
  robot = (await tokenFor(operator, 'account:robot')).token
})

afterAll(async () => {
  await gateway.stop()
  await there.stop()
})

async function who(): Promise<string> {
  const said = { id: 1, method: 'tools/call', params: { name: 'whoami', arguments: {} } }
  const answered = await call(`${gateway.url}/mcp/lab/notes/server`, {
    ...inEra('stateless', said),
    token: robot,
  })
  const content = answerOf(answered).result?.content as { text: string }[] | undefined
  return content?.[0]?.text ?? ''
}

async function connect(browser: Browser, url: string): Promise<Shown> {
  const page = await browser.go(url)
  if (page.status !== 200) return page
  const onward = await browser.submit(page, {})
  const to = /content="0; url=([^"]+)"/.exec(onward.text)?.[1]?.replaceAll('&amp;', '&') ?? ''
  return browser.go((await fetch(to, { redirect: 'manual' })).headers.get('location') ?? '')
}

it('is connected by its owner with the link that its call got, and by nobody else', async () => {
  const told = await who()
  expect(told).toContain('The user who answers for this virtual account')
  const link = /http:\S+\/connect\/\S+/.exec(told)?.[0] ?? ''
  expect((await connect(bo, link)).status).toBe(403)
  expect(await who()).toContain('No account is connected')
  const page = await ana.go(link)
  expect(page.text).toContain('virtual account <strong>robot</strong>')
  expect((await connect(ana, link)).text).toContain('is connected')
  expect(await who()).toBe('ana@there.example')
})

it('is reached by its name too, where it may use the server', async () => {
  const at = (account: string) => `${gateway.url}/connect/lab/notes?account=${account}`
  expect((await ana.go(at('robot'))).text).toContain('is connected now')
  expect((await ana.go(at('other'))).status).toBe(404)
  expect((await bo.go(at('robot'))).status).toBe(404)
  expect((await ana.go(at('nobody'))).status).toBe(404)
})

it('is in the list of its owner, who may take it back, and in the list of nobody else', async () => {
  const { operator } = gateway
  const tokenOf = async (email: string) => (await tokenFor(operator, `user:${email}`)).token
  const [hers, his] = [await tokenOf('ana@example.com'), await tokenOf('bo@example.com')].map(token =>
    apiOf(gateway.url, token),
  )
  const list = async (api = hers) => (await api?.<{ items: Connection[] }>('GET /connections'))?.items ?? []
  const [first] = await list()
  expect(first).toMatchObject({ server: 'lab/notes', owner: 'account:robot', state: 'connected' })
  expect(await list(his)).toEqual([])
  expect((await ana.go(`${gateway.url}/account`)).text).toContain('lab/notes for robot')
  await expect(his?.(`DELETE /connections/${first?.id}`)).rejects.toThrow(/: 404 /)
  await hers?.(`DELETE /connections/${first?.id}`)
  const [again] = await list()
  expect(again).toMatchObject({ owner: 'account:robot', state: 'needed' })
  expect((await connect(ana, again?.repair ?? '')).text).toContain('is connected')
  expect(await who()).toBe('ana@there.example')
  await operator('PATCH /accounts/robot', { disabled: true })
  expect(await list()).toEqual([])
})

it('names every host that gets something of what is connected, whatever the server is called', async () => {
  const { port } = new URL(there.url)
  const elsewhere = `http://localhost:${port}`
  const auth = {
    kind: 'oauth2',
    authorizationUrl: `${new URL(there.url).origin}/authorize`,
    tokenUrl: `${elsewhere}/token`,
    clientId: 'gateway',
    scopes: ['read'],
  }
  const at = (url: string) => ({ kind: 'streamable-http', url, allowPrivateNetwork: true })
  const { operator } = gateway
  await operator('POST /servers', { group: 'lab', name: 'split', transport: at(there.url), auth })
  await operator('POST /groups/lab/grants', { subject: 'user:ana@example.com' })
  const page = await ana.go(`${gateway.url}/connect/lab/split`)
  expect(page.text).toContain(`You go on to <strong>127.0.0.1:${port}</strong>`)
  expect(page.text).toContain(`It is sent to <strong>localhost:${port}</strong>, and nowhere else.`)
  const headers = { 'X-Key': '{{KEY}}' }
  const keys = { kind: 'headers', headers, credentials: 'per-user' }
  const moved = at(`${elsewhere}/mcp`)
  await operator('POST /servers', { group: 'lab', name: 'keys', transport: moved, auth: keys })
  const values = await ana.go(`${gateway.url}/connect/lab/keys`)
  expect(values.text).toContain(`It is sent to <strong>localhost:${port}</strong>, and nowhere else.`)
})
