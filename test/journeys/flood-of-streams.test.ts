/** One caller who opens streams without end takes only their own room. */
import type { IncomingMessage } from 'node:http'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { apiOf, tokenFor } from '../fixtures/api.ts'
import { type EchoServer, startEcho } from '../fixtures/echo-http.ts'
import { type Gateway, startGateway } from '../fixtures/gateway.ts'
import { answerOf, inEra, openSession } from '../fixtures/mcp-call.ts'
import { begin, send } from '../fixtures/raw-client.ts'
import { eventually } from '../fixtures/watch.ts'

const LIMIT = 20
const ADMIN = 'root@example.com'
const OTHER = 'bob@example.com'

let gateway: Gateway
let echo: EchoServer
let other: string

beforeAll(async () => {
  echo = await startEcho()
  const manifest = {
    users: [
      { email: ADMIN, role: 'admin' },
      { email: OTHER, role: 'member' },
    ],
    groups: [{ name: 'lab', access: [{ subject: 'everyone' }] }],
    servers: [{ group: 'lab', name: 'echo', transport: echo.transport }],
  }
  const env = { GATEHOUSE_LIMITS_STREAMS_PER_PRINCIPAL: String(LIMIT) }
  gateway = await startGateway({ user: ADMIN, manifest, env })
  other = (await tokenFor(apiOf(gateway.url, gateway.token), `user:${OTHER}`)).token
})

afterAll(async () => {
  await gateway?.stop()
  await echo?.stop()
})

const url = () => `${gateway.url}/mcp/lab/echo/server`
const usual = (token: string) => ({ authorization: `Bearer ${token}`, 'content-type': 'application/json' })

function listen(token: string) {
  const params = { notifications: { toolsListChanged: true } }
  const { headers, body } = inEra('stateless', { id: 1, method: 'subscriptions/listen', params })
  return { headers: { ...usual(token), ...headers }, body: JSON.stringify(body) }
}

it('one more than allowed is refused until another closes, in either era, and others are let in', async () => {
  const { token } = gateway
  const session = await openSession(url(), token)
  const get = { ...usual(token), accept: 'text/event-stream', 'mcp-session-id': session }
  const streams: IncomingMessage[] = await Promise.all([
    ...Array.from({ length: LIMIT - 1 }, () => begin(url(), listen(token))),
    begin(url(), { method: 'GET', headers: get }),
  ])
  expect(streams.every(({ statusCode }) => statusCode === 200)).toBe(true)
  for (const asked of [listen(token), { method: 'GET', headers: get }]) {
    const refused = await send(url(), asked)
    expect(refused.status).toBe(503)
    expect(refused.headers['retry-after']).toBe('60')
    expect(answerOf(refused).error).toMatchObject({ data: { code: 'mcp.too_many_streams' } })
  }
  const others = await begin(url(), listen(other))
  expect(others.statusCode).toBe(200)
  streams.pop()?.destroy()
  const again = async () => {
    const stream = await begin(url(), listen(token))
    streams.push(stream)
    return stream.statusCode
  }
  await eventually('room again', again, status => status === 200)
  for (const stream of [...streams, others]) stream.destroy()
})
