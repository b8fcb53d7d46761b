import { afterEach, describe, expect, it, vi } from 'vitest'
import { answerOf, eventsOf } from '../../test/fixtures/mcp-call.ts'
import { inSession, openPlane, type Plane, upstreamAt } from '../../test/fixtures/mcp-plane.ts'
import {
  event,
  type Scripted,
  type ScriptedUpstream,
  startScripted,
} from '../../test/fixtures/scripted-upstream.ts'

type Script = Record<string, (asked: Scripted) => void>

let plane: Plane
let upstream: ScriptedUpstream
let script: Script
/** Sessions the server still knows. */
let known: Set<string>
let forgetting: 400 | 404

const capabilities = { tools: { listChanged: true }, resources: { subscribe: true }, logging: {} }

function forgetful(act: (asked: Scripted) => void): (asked: Scripted) => void {
  return asked => {
    const session = asked.headers['mcp-session-id']
    if (session === undefined || known.has(String(session))) return act(asked)
    const error = { code: -32000, message: 'No valid session' }
    asked.response.writeHead(forgetting, { 'content-type': 'application/json' })
    asked.response.end(JSON.stringify({ jsonrpc: '2.0', id: null, error }))
  }
}

async function begin(how: 400 | 404, more: Script = {}): Promise<string> {
  known = new Set()
  forgetting = how
  const answer = forgetful(({ id, response, result }) =>
    Number.isNaN(id) ? void response.writeHead(202).end() : result({ content: [] }),
  )
  const methods = [
    'tools/call',
    'ping',
    'logging/setLevel',
    'resources/subscribe',
    'notifications/initialized',
  ]
  script = {
    ...Object.fromEntries(methods.map(method => [method, answer])),
    initialize({ response, result }) {
      const id = `s-${known.size}-${Math.random()}`
      known.add(id)
      response.setHeader('mcp-session-id', id)
      result({ protocolVersion: '2025-11-25', capabilities, serverInfo: { name: 's', version: '1' } })
    },
    GET: forgetful(({ events }) => events()),
    ...more,
  }
  upstream = await startScripted(script)
  plane = await openPlane(upstreamAt(upstream.url))
  await plane.catalogue.sync(upstreamAt(upstream.url))
  const session = await plane.session('ana')
  await plane.say('ana', 'session', { method: 'notifications/initialized', session })
  upstream.asked.length = 0
  return session
}

afterEach(async () => {
  await plane?.close()
  await upstream?.stop()
})

const say = (session: string, method: string, params: Record<string, unknown> = {}) =>
  plane.say('ana', 'session', { id: 1, method, params, session })
const call = (session: string) => say(session, 'tools/call', { name: 'work', arguments: {} })

describe.each([400, 404] as const)('a session that the server forgot and says %d to', how => {
  it('is opened again as it was, and the client hears that it may have missed something', async () => {
    const session = await begin(how)
    await say(session, 'logging/setLevel', { level: 'error' })
    await say(session, 'resources/subscribe', { uri: 'a://b' })
    const stream = await plane.follow('ana', { headers: inSession(session) })
    await vi.waitFor(() => expect(upstream.named('GET')).toHaveLength(1))
    known.clear()
    upstream.asked.length = 0
    expect(answerOf(await call(session)).result).toEqual({ content: [] })
    await vi.waitFor(() =>
      expect(eventsOf(stream.text()).map(({ method }) => method)).toEqual([
        'notifications/tools/list_changed',
        'notifications/resources/updated',
      ]),
    )
    await vi.waitFor(() => expect(upstream.named('GET')).toHaveLength(1))
    for (const method of [
      'initialize',
      'notifications/initialized',
      'logging/setLevel',
      'resources/subscribe',
    ])
      expect([method, upstream.named(method).length]).toEqual([method, 1])
    expect(upstream.named('logging/setLevel')[0]?.params).toMatchObject({ level: 'error' })
    expect([plane.mcp.sessions(), plane.connections.sessions()]).toEqual([1, 1])
    stream.close()
  })

  it('is opened once for all who need it', async () => {
    const session = await begin(how)
    known.clear()
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, id) =>
        plane.say('ana', 'session', { id, method: 'tools/call', params: { name: 'work' }, session }),
      ),
    )
    expect(answers.map(answered => answerOf(answered).result)).toEqual(Array(8).fill({ content: [] }))
    expect(upstream.named('initialize')).toHaveLength(1)
  })
})

it('a 400 is not taken for a lost session where a ping is answered', async () => {
  const session = await begin(400)
  script['tools/call'] = ({ response }) => {
    response.writeHead(400, { 'content-type': 'application/json' })
    response.end('{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"no"}}')
  }
  const { error } = answerOf(await call(session))
  expect(error?.data).toMatchObject({ code: 'upstream.bad_answer' })
  expect([upstream.named('initialize').length, upstream.named('ping').length]).toEqual([0, 1])
})

it('a session of another revision is another session', async () => {
  const session = await begin(404)
  script.initialize = ({ response, result }) => {
    response.setHeader('mcp-session-id', 'older')
    known.add('older')
    result({ protocolVersion: '2025-06-18', capabilities })
  }
  known.clear()
  expect((await call(session)).status).toBe(404)
  await vi.waitFor(() => expect(upstream.named('DELETE')[0]?.headers['mcp-session-id']).toBe('older'))
  expect([plane.mcp.sessions(), plane.connections.sessions()]).toEqual([0, 0])
})

it('a server that is there again only later is waited for a little', async () => {
  const session = await begin(404)
  known.clear()
  const open = script.initialize
  let refusals = 2
  script.initialize = asked => (refusals-- > 0 ? void asked.response.writeHead(503).end() : open?.(asked))
  expect(answerOf(await call(session)).result).toEqual({ content: [] })
  expect(plane.mcp.sessions()).toBe(1)
})

it('the stream of unasked messages goes on from the last event', async () => {
  let streams = 0
  const session = await begin(404, {
    GET({ events, response }) {
      const method = `notifications/message`
      events(event({ method, params: { data: ++streams } }, `e-${streams}`))
      if (streams < 3) response.end()
    },
  })
  const stream = await plane.follow('ana', { headers: inSession(session) })
  await vi.waitFor(() => expect(eventsOf(stream.text())).toHaveLength(3))
  expect(upstream.named('GET').map(({ headers }) => headers['last-event-id'])).toEqual([
    undefined,
    'e-1',
    'e-2',
  ])
  stream.close()
  await vi.waitFor(() => expect(plane.mcp.streams()).toBe(0))
})
