/** A session belongs to who opened it, and opens nothing by itself. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { apiOf, tokenFor } from '../fixtures/api.ts'
import { type Gateway, oneGroup, startGateway, USER } from '../fixtures/gateway.ts'
import { type HostileUpstream, startHostileUpstream } from '../fixtures/hostile-upstream.ts'
import { answerOf, textOf } from '../fixtures/mcp-call.ts'
import { type Caller, callerOf, send } from '../fixtures/raw-client.ts'
import { auditOf, eventually } from '../fixtures/watch.ts'

const ADMIN = 'root@example.com'
const OTHER = 'bob@example.com'

let gateway: Gateway
let upstream: HostileUpstream
let ana: { token: string; caller: Caller; session: Record<string, string> }
let bob: string

const url = (server: string) => `${gateway.url}/mcp/lab/${server}/server`

beforeAll(async () => {
  upstream = await startHostileUpstream()
  const servers = { one: upstream.transport(), two: upstream.transport() }
  const users = [
    { email: ADMIN, role: 'admin' },
    { email: USER, role: 'member' },
    { email: OTHER, role: 'member' },
  ]
  gateway = await startGateway({ manifest: { ...oneGroup('lab', servers), users }, user: ADMIN })
  const api = apiOf(gateway.url, gateway.token)
  const [{ token }, other] = await Promise.all([
    tokenFor(api, `user:${USER}`),
    tokenFor(api, `user:${OTHER}`),
  ])
  bob = other.token
  const caller = callerOf('session', { url: url('one'), token })
  ana = { token, caller, session: await caller.headers('tools/call') }
})

afterAll(async () => {
  await gateway?.stop()
  await upstream?.stop()
})

const body = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ok","arguments":{}}}'

const intruders: [
  string,
  () => { headers: Record<string, string | undefined>; server?: string },
  number,
  string,
][] = [
  ['another user', () => ({ headers: { authorization: `Bearer ${bob}` } }), 404, 'mcp.session_unknown'],
  ['an admin', () => ({ headers: { authorization: `Bearer ${gateway.token}` } }), 404, 'mcp.session_unknown'],
  ['its owner at another server', () => ({ headers: {}, server: 'two' }), 404, 'mcp.session_unknown'],
  ['nobody', () => ({ headers: { authorization: undefined } }), 401, 'identity.no_token'],
  [
    'a token that is none',
    () => ({ headers: { authorization: `Bearer ${ana.token.slice(0, -2)}zz` } }),
    401,
    'identity.bad_token',
  ],
]

describe.each(intruders)('a session used by %s', (_, intrude, status, code) => {
  it.each(['POST', 'GET', 'DELETE'])(
    'with %s is not found, and its owner goes on undisturbed',
    async method => {
      const { headers, server = 'one' } = intrude()
      const before = upstream.seen.length
      const sent = { ...ana.session, ...headers }
      const answer = await send(url(server), {
        method,
        headers: sent,
        ...(method === 'POST' ? { body } : {}),
      })
      expect(answer.status).toBe(status)
      expect(answerOf(answer).error).toMatchObject({ data: { code } })
      expect(answer.headers['mcp-session-id']).toBeUndefined()
      expect(upstream.seen.length).toBe(before)
      const find = async () =>
        (await auditOf(gateway)).filter(({ requestId }) => requestId === answer.headers['x-request-id'])
      const events = await eventually('an event', find, found => found.length > 0)
      expect(events).toMatchObject([{ outcome: 'rejected', error: code }])
      expect(textOf(answerOf(await ana.caller.call('ok')))).toBe('fine')
    },
  )
})

describe('a session that', () => {
  it.each([
    ['nobody opened', 'mcp-session-id', '0123456789abcdef', 404, 'mcp.session_unknown'],
    ['is named twice', 'mcp-session-id', 'a, b', 404, 'mcp.session_unknown'],
    ['is named by what objects inherit', 'mcp-session-id', '__proto__', 404, 'mcp.session_unknown'],
    ['is missing', 'mcp-session-id', undefined, 400, 'mcp.session_required'],
    ['speaks no version', 'mcp-protocol-version', '1999-01-01', 400, 'mcp.version_unsupported'],
  ])('%s is refused with its own error', async (_, header, value, status, code) => {
    const before = upstream.seen.length
    const answer = await send(url('one'), { headers: { ...ana.session, [header]: value }, body })
    expect(answer.status).toBe(status)
    expect(answerOf(answer)).toMatchObject({ id: 1, error: { data: { code } } })
    expect(upstream.seen.length).toBe(before)
  })

  it('another token of its owner uses is theirs as before', async () => {
    const { token } = await tokenFor(apiOf(gateway.url, gateway.token), `user:${USER}`)
    const headers = { ...ana.session, authorization: `Bearer ${token}` }
    expect(textOf(answerOf(await send(url('one'), { headers, body })))).toBe('fine')
  })

  it('its owner ended is unknown from then on', async () => {
    const headers = await callerOf('session', { url: url('one'), token: ana.token }).headers('tools/call')
    expect((await send(url('one'), { method: 'DELETE', headers })).status).toBe(200)
    expect((await send(url('one'), { headers, body })).status).toBe(404)
    expect((await send(url('one'), { method: 'DELETE', headers })).status).toBe(404)
  })
})
