/** A server whose greeting or lists cannot be trusted costs nobody else anything, and whoever manages it is told what is wrong. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, apiOf } from '../fixtures/api.ts'
import { type Gateway, oneGroup, startGateway, USER } from '../fixtures/gateway.ts'
import type { Manner } from '../fixtures/hostile-manners.ts'
import { CANARY } from '../fixtures/hostile-modes.ts'
import { type HostileUpstream, startHostileUpstream } from '../fixtures/hostile-upstream.ts'
import { answerOf, hello, inEra, textOf } from '../fixtures/mcp-call.ts'
import { type Answer, type Caller, callerOf, send } from '../fixtures/raw-client.ts'
import { auditOf } from '../fixtures/watch.ts'

const limits = {
  GATEHOUSE_LIMITS_CALL_SECONDS: '3',
  GATEHOUSE_LIMITS_CATALOGUE_PAGES: '60',
  GATEHOUSE_LIMITS_CATALOGUE_ITEMS: '1000',
}
const ADMIN = 'root@example.com'

let gateway: Gateway
let hostile: HostileUpstream
let slow: HostileUpstream
let admin: Api

const url = (manner: Manner) => `${gateway.url}/mcp/lab/${manner}/server`
const as = (manner: Manner): Caller => callerOf('stateless', { url: url(manner), token: gateway.token })

beforeAll(async () => {
  ;[hostile, slow] = await Promise.all([startHostileUpstream(), startHostileUpstream()])
  const shown = [
    'polite',
    'silent',
    'garbage',
    'html-500',
    'bad-session',
    'endless',
    'repeating',
    'many',
    'no-list',
  ]
  const servers = Object.fromEntries(shown.map(manner => [manner, hostile.transport(manner as Manner)]))
  const manifest = oneGroup('lab', { ...servers, slow: slow.transport('slow') })
  const users = [
    { email: USER, role: 'member' },
    { email: ADMIN, role: 'admin' },
  ]
  gateway = await startGateway({ manifest: { ...manifest, users }, env: limits })
  const printed = await gateway.cli('token', 'create', '--user', ADMIN, '--expires', '1d', '--json')
  admin = apiOf(gateway.url, JSON.parse(printed).token)
})

afterAll(async () => {
  await gateway?.stop()
  await Promise.all([hostile?.stop(), slow?.stop()])
})

type Step = { readonly name: string; readonly ok: boolean; readonly found?: string; readonly why?: string }

async function probe(manner: Manner): Promise<{ ok: boolean; steps: Step[] }> {
  const report = await admin<{ ok: boolean; steps: Step[] }>(`POST /servers/lab/${manner}/test`)
  expect(JSON.stringify(report)).not.toContain(CANARY)
  return report
}

/** One clear error, one event, and a polite server that answers meanwhile. */
async function expectRefused(manner: Manner, answer: Promise<Answer>, status: number, code: string) {
  const meanwhile = await as('polite').call('ok')
  expect(textOf(answerOf(meanwhile))).toBe('fine')
  const { status: given, text, headers } = await answer
  expect(text).not.toContain(CANARY)
  const sentence = expect.stringMatching(/^[A-Z].*\.$/)
  expect(answerOf({ text, headers })).toMatchObject({
    id: 1,
    error: { message: sentence, data: { code, why: sentence, fix: sentence } },
  })
  expect(given).toBe(status)
  const events = await auditOf(gateway, { target: `lab/${manner}` })
  const requestId = headers['x-request-id']
  expect(events.filter(event => event.requestId === requestId).map(({ error }) => error)).toEqual([code])
}

describe('a server that cannot be talked to', () => {
  it.each([
    ['silent', 504, 'upstream.timeout'],
    ['garbage', 502, 'upstream.bad_answer'],
    ['html-500', 502, 'upstream.unreachable'],
    ['no-list', 502, 'upstream.bad_answer'],
  ] as const)('and is %s is answered with %i and %s', async (manner, status, code) => {
    await expectRefused(manner, as(manner).call('ok'), status, code)
    const { headers, body } = inEra('session', { id: 1, method: 'initialize', params: hello })
    const sent = { authorization: `Bearer ${gateway.token}`, 'content-type': 'application/json', ...headers }
    const greeting = send(url(manner), { headers: sent, body: JSON.stringify(body) })
    await expectRefused(manner, greeting, status, code)
    const { ok, steps } = await probe(manner)
    expect(ok).toBe(false)
    expect(steps.at(-1)).toMatchObject({ ok: false, why: expect.stringMatching(/^[A-Z].*\.$/) })
  })

  it('in sessions, because their id is no id, is used without them', async () => {
    expect(textOf(answerOf(await as('bad-session').call('ok')))).toBe('fine')
    const { headers, body } = inEra('session', { id: 1, method: 'initialize', params: hello })
    const sent = { authorization: `Bearer ${gateway.token}`, 'content-type': 'application/json', ...headers }
    const greeting = await send(url('bad-session'), { headers: sent, body: JSON.stringify(body) })
    expect(greeting.headers['mcp-session-id']).toMatch(/^[\w-]+$/)
    expect(answerOf(greeting).result).toMatchObject({ protocolVersion: '2025-11-25' })
    expect(greeting.text).not.toContain(CANARY)
  })
})

describe('a list of tools', () => {
  it.each([
    ['endless', /^61 tools; tools\/list: stopped after 60 pages\.$/],
    ['repeating', /^1 tool; tools\/list: stopped, because the server gave the same cursor twice\.$/],
    ['many', /^1000 tools; tools\/list: stopped after 1000 items\.$/],
  ] as const)('that is %s is read up to a bound, and says so', async (manner, found) => {
    expect(textOf(answerOf(await as(manner).call('ok')))).toBe('fine')
    const { ok, steps } = await probe(manner)
    expect(ok).toBe(true)
    expect(steps.at(-1)?.found).toMatch(found)
  })

  it('that is slow and endless keeps no caller until its end', async () => {
    expect(textOf(answerOf(await as('slow').call('ok')))).toBe('fine')
    expect(slow.seen.filter(({ method }) => method === 'tools/list').length).toBeLessThan(60)
  })

  it('reaches the client as long as it is, page by page', async () => {
    const { result } = answerOf(await as('many').request('tools/list', {}))
    expect(result?.tools).toHaveLength(10_001)
    const endless = as('endless')
    const next = async (cursor?: unknown) =>
      answerOf(await endless.request('tools/list', cursor === undefined ? {} : { cursor }))
    const first = await next()
    const second = await next(first.result?.nextCursor)
    expect(second.result).toMatchObject({ tools: [{ name: 'ok' }, { name: 'tool-1' }] })
    // The server's own cursors are nothing that a client could make up.
    expect(second.result?.nextCursor).not.toBe('2')
    expect((await next('41')).error?.code).toBe(-32602)
  })
})
