/** Where people connect follows what the server says about it: when it is asked for the first time, and when it says something else. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { tokenFor } from '../../../test/fixtures/api.ts'
import { type GatewayInside, openGatewayInside } from '../../../test/fixtures/gateway-inside.ts'
import { call } from '../../../test/fixtures/http-call.ts'
import { answerOf, inEra, textOf } from '../../../test/fixtures/mcp-call.ts'
import { type Browser, type Shown, signedInBrowser } from '../../../test/fixtures/oauth-browser.ts'
import { type ProtectedServer, startProtectedServer } from '../../../test/fixtures/protected-server.ts'

let gateway: GatewayInside
let there: ProtectedServer
let other: ProtectedServer
const people = ['ana', 'bo'] as const
type Person = (typeof people)[number]
const browsers = {} as Record<Person, Browser>
const tokens = {} as Record<Person, string>

beforeAll(async () => {
  gateway = await openGatewayInside()
  ;[there, other] = await Promise.all([startProtectedServer(), startProtectedServer()])
  const { operator } = gateway
  await operator('POST /groups', { name: 'lab' })
  for (const person of people) {
    const email = `${person}@example.com`
    await operator('POST /users', { email })
    await operator('POST /groups/lab/grants', { subject: `user:${email}` })
    browsers[person] = await signedInBrowser(gateway, email)
    tokens[person] = (await tokenFor(operator, `user:${email}`)).token
  }
  const transport = { kind: 'streamable-http', url: there.url, allowPrivateNetwork: true }
  for (const name of ['greeting', 'moving'])
    await operator('POST /servers', { group: 'lab', name, transport, auth: { kind: 'oauth2' } })
})

afterAll(async () => {
  await gateway.stop()
  await there.stop()
  await other.stop()
})

async function who(person: Person, server: string): Promise<string | undefined> {
  const said = inEra('stateless', { id: 1, method: 'tools/call', params: { name: 'whoami', arguments: {} } })
  return textOf(
    answerOf(await call(`${gateway.url}/mcp/lab/${server}/server`, { ...said, token: tokens[person] })),
  )
}

async function connect(person: Person, server: string): Promise<Shown> {
  const browser = browsers[person]
  const onward = await browser.submit(await browser.go(`${gateway.url}/connect/lab/${server}`), {})
  const to = /content="0; url=([^"]+)"/.exec(onward.text)?.[1]?.replaceAll('&amp;', '&') ?? ''
  return browser.go((await fetch(to, { redirect: 'manual' })).headers.get('location') ?? '')
}

it('asks for what a server wants that lets everybody say hello, and wants a token for what comes then', async () => {
  there.manners.greetsAll = true
  there.manners.scopeOfChallenge = 'write'
  expect((await connect('ana', 'greeting')).text).toContain('is connected')
  expect(there.authorized.at(-1)?.get('scope')).toBe('write offline_access')
  expect(await who('ana', 'greeting')).toBe('ana@there.example')
})

it('shows nothing of one authorization server to another that has taken its place, and lets people connect there', async () => {
  for (const person of people) {
    await connect(person, 'moving')
    expect(await who(person, 'moving')).toBe('ana@there.example')
  }
  const asked = there.asked.length
  let looks = 0
  there.manners.protectedResource = metadata => {
    looks++
    return { ...metadata, authorization_servers: [other.origin] }
  }
  there.forgetAccess()
  const told = await Promise.all(people.map(person => who(person, 'moving')))
  for (const text of told) expect(text).toContain('is not the one that the account was connected at')
  expect(looks).toBe(1)
  expect([there.asked.length, other.asked.length]).toEqual([asked, 0])
  expect((await connect('ana', 'moving')).text).toContain('is connected')
  expect(other.registered).toHaveLength(1)
  expect(other.asked.map(form => form.get('grant_type'))).toEqual(['authorization_code'])
})
