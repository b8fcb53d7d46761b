import { afterEach, describe, expect, it, vi } from 'vitest'
import { answerOf, eventsOf, hello, inEra, type Message } from '../../test/fixtures/mcp-call.ts'
import { openPlane, type Plane, upstreamAt } from '../../test/fixtures/mcp-plane.ts'
import {
  event,
  type Script,
  type ScriptedUpstream,
  startScripted,
} from '../../test/fixtures/scripted-upstream.ts'

let plane: Plane
let upstream: ScriptedUpstream

async function begin(script: Script = {}): Promise<string> {
  upstream = await startScripted({
    initialize: ({ params, result }) =>
      result({ protocolVersion: params.protocolVersion, capabilities: { tools: {} } }),
    ...script,
  })
  plane = await openPlane(upstreamAt(upstream.url))
  await plane.catalogue.sync(upstreamAt(upstream.url))
  upstream.asked.length = 0
  return open('2025-03-26')
}

async function open(protocolVersion: string): Promise<string> {
  const params = { ...hello, protocolVersion }
  const opened = await plane.ask('ana', inEra('session', { id: 0, method: 'initialize', params }))
  return String(opened.headers['mcp-session-id'])
}

afterEach(async () => {
  await plane?.close()
  await upstream?.stop()
})

const accept = 'application/json, text/event-stream'
const post = (session: string | undefined, body: unknown, headers: Record<string, string> = {}) => {
  const named: Record<string, string> = session === undefined ? {} : { 'mcp-session-id': session }
  return plane.ask('ana', { method: 'POST', headers: { accept, ...named, ...headers }, body })
}
const message = (rest: object) => ({ jsonrpc: '2.0', ...rest })
const call = (id: string | number, name = 'work') =>
  message({ id, method: 'tools/call', params: { name, arguments: {} } })
const initialized = message({ method: 'notifications/initialized' })

describe('a batch', () => {
  it('is answered with an array, in which each request has its own answer and the audit its own event', async () => {
    const session = await begin()
    plane.people.may = (_, __, { tool }) => tool?.name !== 'secret'
    const answered = await post(session, [
      call(1),
      message({ id: '1', method: 'ping' }),
      initialized,
      call(2, 'secret'),
      message({ id: 3, method: 'no/such' }),
    ])
    expect([answered.status, answered.headers['content-type']]).toEqual([200, 'application/json'])
    const answers: Message[] = JSON.parse(answered.text)
    expect(answers).toHaveLength(4)
    const byId = new Map(answers.map(({ id, ...answer }) => [id, answer]))
    expect(byId.get(1)).toMatchObject({ result: { content: [{ text: 'tools/call' }] } })
    expect(byId.get('1')).toMatchObject({ result: {} })
    expect(byId.get(2)).toMatchObject({ error: { code: -32_602 } })
    expect(byId.get(3)).toMatchObject({ error: { code: -32_601 } })
    expect(upstream.named('notifications/initialized')).toHaveLength(1)
    const audited = plane.audit.events.slice(1).map(({ action, outcome }) => `${action} ${outcome}`)
    expect(audited.sort()).toEqual([
      'notifications/initialized ok',
      'other rejected',
      'ping ok',
      'tools/call denied',
      'tools/call ok',
    ])
    expect(new Set(plane.audit.events.map(({ requestId }) => requestId)).size).toBe(6)
  })

  it('is answered with a stream as soon as one of its requests has more to say', async () => {
    const session = await begin({
      'tools/call'({ id, params, events, response, result }) {
        if (params.name === 'plain') return result({ content: [] })
        events(event({ method: 'notifications/message', params: { data: 'more' } }))
        setTimeout(() => response.end(event({ id, result: { content: [] } })), 50)
      },
      'tools/list': ({ result }) =>
        result({ tools: ['work', 'plain'].map(name => ({ name, inputSchema: {} })) }),
    })
    const answered = await post(session, [call(1, 'plain'), call(2), call(3)])
    expect(answered.headers['content-type']).toBe('text/event-stream')
    const said = eventsOf(answered.text)
    expect(
      said
        .filter(({ id }) => id !== undefined)
        .map(({ id }) => id)
        .sort(),
    ).toEqual([1, 2, 3])
    expect(said.filter(({ method }) => method === 'notifications/message')).toHaveLength(2)
  })

  it('of what has no answer is taken, and told nothing of what went wrong in it', async () => {
    const session = await begin({
      'notifications/roots/list_changed': ({ response }) => void response.writeHead(503).end(),
    })
    const answered = await post(session, [
      initialized,
      message({ method: 'notifications/roots/list_changed' }),
      message({ id: 4, result: {} }),
    ])
    expect([answered.status, answered.text]).toEqual([202, ''])
  })

  it('goes on when its client goes away', async () => {
    let answer = () => {}
    const session = await begin({
      'tools/call'({ result }) {
        answer = () => result({ content: [] })
      },
    })
    const asked = post(session, [call(1)]).catch(() => undefined)
    await vi.waitFor(() => expect(upstream.named('tools/call')).toHaveLength(1))
    plane.responses.at(-1)?.destroy()
    await asked
    answer()
    await vi.waitFor(() =>
      expect(plane.audit.events.at(-1)).toMatchObject({ action: 'tools/call', outcome: 'ok' }),
    )
  })
})

describe('a batch is refused as a whole', () => {
  it.each<[string, unknown]>([
    ['empty', []],
    ['of more than so many', Array.from({ length: 51 }, (_, id) => call(id))],
    ['with an id twice', [call(1), call(1)]],
    ['with initialize', [message({ id: 1, method: 'initialize', params: hello })]],
    ['with what is no message', [call(1), 7]],
    ['in another', [[call(1)]]],
  ])('that is %s', async (_, body) => {
    const session = await begin()
    const answered = await post(session, body)
    expect(answered.status).toBe(400)
    expect(upstream.named('tools/call')).toEqual([])
    expect((await post(session, [call(1)])).status).toBe(200)
  })

  it('in every other revision, and where there is no session', async () => {
    const session = await begin()
    const newer = await open('2025-06-18')
    const answers = [
      await post(newer, [call(1)]),
      await post(session, [call(1)], { 'mcp-protocol-version': '2025-06-18' }),
      await post(undefined, [call(1)]),
    ]
    for (const answered of answers) {
      expect(answered.status).toBe(400)
      expect(answerOf(answered).error?.data).toMatchObject({ code: 'mcp.batch_refused' })
    }
    expect((await post(session, [call(1)], { 'mcp-protocol-version': '2025-03-26' })).status).toBe(200)
  })
})

describe('the header MCP-Protocol-Version', () => {
  it('may be left out or name another revision with sessions; what was agreed on counts', async () => {
    const session = await begin()
    const statuses = []
    for (const version of ['', '2025-03-26', '2025-11-25', '2024-11-05', '2025-03-27', 'x']) {
      const headers: Record<string, string> = version === '' ? {} : { 'mcp-protocol-version': version }
      statuses.push((await post(session, call(1), headers)).status)
    }
    expect(statuses).toEqual([200, 200, 200, 200, 400, 400])
  })
})
