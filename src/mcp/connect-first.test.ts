/** A call without an account leads its person to a page, and goes on by itself once they have been there. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { apiOf, tokenFor } from '../../test/fixtures/api.ts'
import { type GatewayInside, openGatewayInside } from '../../test/fixtures/gateway-inside.ts'
import { call } from '../../test/fixtures/http-call.ts'
import { answerOf, hello, inEra, type Message } from '../../test/fixtures/mcp-call.ts'
import { type Browser, signedInBrowser } from '../../test/fixtures/oauth-browser.ts'
import { authorizeUrl, challengeOf, newVerifier, someClient } from '../../test/fixtures/oauth-client.ts'
import { type ProtectedServer, startProtectedServer } from '../../test/fixtures/protected-server.ts'
import type { Connection } from '../vault/index.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'gatehouse-connect-first-'))
let gateway: GatewayInside
let there: ProtectedServer
let browser: Browser
let token: string
let number = 0
let path = ''

beforeAll(async () => {
  gateway = await openGatewayInside({ dataDir })
  there = await startProtectedServer()
  const { operator } = gateway
  await operator('POST /groups', { name: 'lab' })
  await operator('POST /users', { email: 'ana@example.com' })
  await operator('POST /groups/lab/grants', { subject: 'user:ana@example.com' })
  browser = await signedInBrowser(gateway, 'ana@example.com')
  token = (await tokenFor(operator, 'user:ana@example.com')).token
})

afterAll(async () => {
  await gateway.stop()
  await there.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

beforeEach(async () => {
  const name = `s${++number}`
  const transport = { kind: 'streamable-http', url: there.url, allowPrivateNetwork: true }
  await gateway.operator('POST /servers', { group: 'lab', name, transport, auth: { kind: 'oauth2' } })
  path = `/mcp/lab/${name}/server`
})

async function connect(url: string): Promise<void> {
  const onward = await browser.submit(await browser.go(url), {})
  const to = /content="0; url=([^"]+)"/.exec(onward.text)?.[1]?.replaceAll('&amp;', '&') ?? ''
  const back = await fetch(to, { redirect: 'manual' })
  expect((await browser.go(back.headers.get('location') ?? '')).text).toContain('is connected')
}

const elicitation = { elicitation: { url: {} } }

function ask(params: Record<string, unknown> = {}): Promise<Message> {
  const _meta = { 'io.modelcontextprotocol/clientCapabilities': elicitation }
  const said = { id: 1, method: 'tools/call', params: { name: 'whoami', arguments: {}, ...params, _meta } }
  return call(gateway.url + path, { ...inEra('stateless', said), token }).then(answerOf)
}

type Asking = {
  readonly resultType: string
  readonly requestState: string
  readonly inputRequests: {
    connect: { method: string; params: { mode: string; url: string; message: string } }
  }
}

const accepted = { connect: { action: 'accept' } }

it('of the stateless era asks, waits for its person, and gives the answer', async () => {
  const { result } = await ask()
  const asking = result as unknown as Asking
  expect(asking).toMatchObject({
    resultType: 'input_required',
    inputRequests: { connect: { method: 'elicitation/create', params: { mode: 'url' } } },
  })
  const { url } = asking.inputRequests.connect.params
  // The client says at once that its person goes there; they take their time.
  const [answer] = await Promise.all([
    ask({ requestState: asking.requestState, inputResponses: accepted }),
    connect(url),
  ])
  expect(answer.result).toMatchObject({ resultType: 'complete', content: [{ text: 'ana@there.example' }] })
})

it('T064: with the state of another call is no way to anything', async () => {
  const asking = (await ask()).result as unknown as Asking
  const other = await ask({ name: 'other', requestState: asking.requestState, inputResponses: accepted })
  expect(other.error?.data).toMatchObject({ code: 'mcp.invalid_params' })
})

it('of a client that signs its person in has them connect in the same trip, or later', async () => {
  const resource = gateway.url + path
  const trip = async (isLater: boolean) => {
    const client_id = await someClient(gateway.url)
    const code_challenge = challengeOf(newVerifier())
    const question = { client_id, code_challenge, resource, scope: 'mcp:use' }
    const asked = await browser.go(authorizeUrl(gateway.url, question))
    const page = await browser.submit(asked, { decision: 'approve' })
    expect(page.text).toContain('Connect your account')
    const later = /<a href="([^"]+)">Not now/.exec(page.text)?.[1] ?? ''
    if (isLater) return browser.go(gateway.url + later)
    const onward = await browser.submit(page, {})
    const to = /content="0; url=([^"]+)"/.exec(onward.text)?.[1]?.replaceAll('&amp;', '&') ?? ''
    const back = await fetch(to, { redirect: 'manual' })
    return browser.go(back.headers.get('location') ?? '')
  }
  expect((await trip(true)).headers.get('location')).toMatch(/[?&]code=/)
  expect((await ask()).result).toMatchObject({ resultType: 'input_required' })
  expect((await trip(false)).headers.get('location')).toMatch(/[?&]code=/)
  expect((await ask()).result).toMatchObject({ content: [{ text: 'ana@there.example' }] })
})

const header = { Authorization: 'Bearer {{KEY}}' }
const ofTeams = { kind: 'headers', headers: header, credentials: 'per-team' }

it.each([
  [
    'gone',
    'whose identity provider is gone',
    { kind: 'token-exchange', identityProvider: 'gone', audience: 'x' },
  ],
  ['jwts', 'that only tokens lead to', { kind: 'token-exchange', identityProvider: 'jwts', audience: 'x' }],
  ['mine', 'that takes what their team has', ofTeams],
  ['none', 'that takes what no team of theirs has', ofTeams],
])(
  'of a client for a server (%s) %s lets its person in: no page could repair that',
  async (name, _, auth) => {
    const { operator } = gateway
    const transport = { kind: 'streamable-http', url: there.url, allowPrivateNetwork: true }
    await operator('POST /servers', { group: 'lab', name, transport, auth })
    if (name === 'jwts')
      await operator('POST /identity-providers', {
        ...{ name, issuer: 'https://login.example', clientId: 'gate', use: { signIn: true } },
      })
    if (name === 'mine') {
      await operator('POST /teams', { name: 'crew', members: ['ana@example.com'] })
      await operator('PUT /connections', { server: 'lab/mine', owner: 'team:crew', values: { KEY: 'k' } })
    }
    const question = {
      client_id: await someClient(gateway.url),
      code_challenge: challengeOf(newVerifier()),
      resource: `${gateway.url}/mcp/lab/${name}/server`,
      scope: 'mcp:use',
    }
    const asked = await browser.go(authorizeUrl(gateway.url, question))
    const done = await browser.submit(asked, { decision: 'approve' })
    expect(done.headers.get('location') ?? done.text).toMatch(/[?&]code=/)
    if (name !== 'jwts') return
    const { items } = await apiOf(gateway.url, token)<{ items: Connection[] }>('GET /connections')
    expect(items.find(({ server }) => server === 'lab/jwts')).toMatchObject({
      trouble: expect.stringContaining('does not keep'),
      repair: null,
    })
  },
)

/** A client of the session era that reads the stream of its call as it comes. */
async function session() {
  const headers = {
    authorization: `Bearer ${token}`,
    accept: 'application/json, text/event-stream',
    'content-type': 'application/json',
    'mcp-protocol-version': '2025-11-25',
  }
  const send = (message: object, id?: string) =>
    fetch(gateway.url + path, {
      method: 'POST',
      headers: { ...headers, ...(id !== undefined && { 'mcp-session-id': id }) },
      body: JSON.stringify({ jsonrpc: '2.0', ...message }),
    })
  const params = { ...hello, capabilities: elicitation }
  const id = (await send({ id: 1, method: 'initialize', params })).headers.get('mcp-session-id') ?? ''
  await send({ method: 'notifications/initialized' }, id)
  const called = await send({ id: 2, method: 'tools/call', params: { name: 'whoami', arguments: {} } }, id)
  return { send: (message: object) => send(message, id), messages: messagesOf(called) }
}

async function* messagesOf(response: Response): AsyncGenerator<Message> {
  let text = ''
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk).toString()
    const events = text.split('\n\n')
    text = events.pop() ?? ''
    for (const event of events) {
      const line = event.split('\n').find(each => each.startsWith('data: {'))
      if (line !== undefined) yield JSON.parse(line.slice('data: '.length)) as Message
    }
  }
}

it('of the session era is asked in its stream, is told when it is done, and gets its answer there', async () => {
  const { send, messages } = await session()
  const { value: question } = await messages.next()
  expect(question).toMatchObject({ method: 'elicitation/create', params: { mode: 'url' } })
  const { url = '', elicitationId = '' } = (question?.params ?? {}) as {
    url?: string
    elicitationId?: string
  }
  await send({ id: question?.id, result: { action: 'accept' } })
  await connect(url)
  expect((await messages.next()).value).toMatchObject({
    method: 'notifications/elicitation/complete',
    params: { elicitationId },
  })
  expect((await messages.next()).value).toMatchObject({
    id: 2,
    result: { content: [{ text: 'ana@there.example' }] },
  })
})

it('of the session era ends when its person declines, or its client cancels', async () => {
  const one = await session()
  const { value: question } = await one.messages.next()
  await one.send({ id: question?.id, result: { action: 'decline' } })
  expect((await one.messages.next()).value).toMatchObject({ error: { data: { code: 'mcp.input_declined' } } })
  const two = await session()
  await two.messages.next()
  await two.send({ method: 'notifications/cancelled', params: { requestId: 2 } })
  expect((await two.messages.next()).value).toMatchObject({ error: { data: { code: 'mcp.cancelled' } } })
})

it('of the stateless era is asked again when its person does not go there, and is over when they decline', async () => {
  // The last of all: a gateway that waits for people no longer than a test does.
  await gateway.stop()
  gateway = await openGatewayInside({ dataDir, environment: { GATEHOUSE_LIMITS_CALL_SECONDS: '2' } })
  const asking = (await ask()).result as unknown as Asking
  const again = await ask({ requestState: asking.requestState, inputResponses: accepted })
  expect(again.result).toMatchObject({ resultType: 'input_required' })
  const declined = { connect: { action: 'decline' } }
  const over = await ask({ requestState: asking.requestState, inputResponses: declined })
  expect(over.error?.data).toMatchObject({ code: 'mcp.input_declined' })
})
