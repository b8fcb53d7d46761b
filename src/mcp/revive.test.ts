import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Answered } from '../../test/fixtures/http-call.ts'
import { answerOf, eventsOf, hello, inEra } from '../../test/fixtures/mcp-call.ts'
import { inSession, openPlane, type Plane, upstreamAt } from '../../test/fixtures/mcp-plane.ts'
import {
  event,
  type Script,
  type ScriptedUpstream,
  startScripted,
} from '../../test/fixtures/scripted-upstream.ts'
import type { Upstream } from '../upstreams/index.ts'

/** Two gateways with one master key, in front of one server. */
let first: Plane
let second: Plane
let upstream: ScriptedUpstream

async function begin(
  script: Script = {},
  more: { limits?: Record<string, string>; second?: Partial<Upstream> } = {},
) {
  upstream = await startScripted(script)
  first = await openPlane(upstreamAt(upstream.url))
  second = await openPlane(upstreamAt(upstream.url, more.second), more.limits)
  for (const plane of [first, second]) await plane.catalogue.sync(upstreamAt(upstream.url, more.second))
  upstream.asked.length = 0
}

afterEach(async () => {
  await Promise.all([first?.close(), second?.close()])
  await upstream?.stop()
})

const callWork = (session: string, id: string | number = 'mine') =>
  inEra('session', { id, method: 'tools/call', params: { name: 'work', arguments: {} }, session })
const codeOf = (answered: Answered) => answerOf(answered).error?.data
const unknown = { code: 'mcp.session_unknown' }

describe('a session of another process', () => {
  it('is opened again with what its client said, and the client notices nothing', async () => {
    await begin()
    const session = await first.session('ana')
    const answered = await second.ask('ana', callWork(session))
    expect(answered.status).toBe(200)
    expect(answerOf(answered)).toMatchObject({ id: 'mine', result: { content: [{ text: 'tools/call' }] } })
    const methods = upstream.asked.map(({ method }) => method)
    expect(methods).toEqual(['initialize', 'initialize', 'notifications/initialized', 'tools/call'])
    expect(upstream.named('initialize')[1]?.params).toEqual(hello)
    expect(upstream.named('tools/call')[0]?.headers['mcp-session-id']).toBeDefined()
    expect([first.mcp.sessions(), second.mcp.sessions()]).toEqual([1, 1])
    // Once is enough.
    expect((await second.ask('ana', callWork(session, 2))).status).toBe(200)
    expect(upstream.named('initialize')).toHaveLength(2)
  })

  it('is opened once for many requests at the same time', async () => {
    await begin({
      initialize: ({ result }) => void setTimeout(() => result({ protocolVersion: '2025-11-25' }), 50),
    })
    const session = await first.session('ana')
    const answers = await Promise.all([1, 2, 3, 4].map(id => second.ask('ana', callWork(session, id))))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    expect(upstream.named('initialize')).toHaveLength(2)
    expect(second.mcp.sessions()).toBe(1)
  })

  it('is opened again by a stream, a notification and an answer too', async () => {
    await begin({ GET: ({ events: open }) => open(event({ method: 'notifications/message' })) })
    const says = [{ method: 'notifications/roots/list_changed' }, { id: 3, result: {} }]
    for (const said of says) {
      const session = await first.session('ana')
      const answered = await second.ask('ana', {
        method: 'POST',
        headers: { ...inSession(session), accept: 'application/json, text/event-stream' },
        body: { jsonrpc: '2.0', ...said },
      })
      expect(answered.status).toBe(202)
    }
    const stream = await second.follow('ana', { headers: inSession(await first.session('ana')) })
    await vi.waitFor(() => expect(eventsOf(stream.text())).toHaveLength(1))
    expect(second.mcp.sessions()).toBe(3)
    stream.close()
  })

  it('is not found by others, at another server, changed by one bit, or after its server was changed', async () => {
    await begin({}, { second: { version: 2 } })
    const session = await first.session('ana')
    const other = await openPlane(upstreamAt(upstream.url, { id: 'server-2' }))
    const same = await openPlane(upstreamAt(upstream.url))
    const changed = Buffer.from(session, 'base64url')
    changed[20] = (changed[20] ?? 0) ^ 1
    const answers = await Promise.all([
      same.ask('bob', callWork(session)),
      other.ask('ana', callWork(session)),
      same.ask('ana', callWork(changed.toString('base64url'))),
      second.ask('ana', callWork(session)),
      same.ask('ana', callWork('no-such-session')),
      same.ask('bob', { headers: inSession(session) }),
      same.ask('bob', { method: 'DELETE', headers: inSession(session) }),
    ])
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404, 404, 404, 404])
    const words = answers.map(answered =>
      JSON.stringify(answerOf(answered).error).replace(/"requestId":"\w+"/, ''),
    )
    expect(new Set(words).size).toBe(1)
    expect(upstream.named('initialize')).toHaveLength(1)
    await Promise.all([other.close(), same.close()])
  })

  it('stays ended where it was ended, also by a process that did not know it', async () => {
    await begin()
    const [one, two] = [await first.session('ana'), await first.session('ana')]
    expect((await first.ask('ana', { method: 'DELETE', headers: inSession(one) })).status).toBe(200)
    expect((await second.ask('ana', { method: 'DELETE', headers: inSession(two) })).status).toBe(200)
    expect(codeOf(await first.ask('ana', callWork(one)))).toMatchObject(unknown)
    expect(codeOf(await second.ask('ana', callWork(two)))).toMatchObject(unknown)
    expect((await second.ask('ana', { method: 'DELETE', headers: inSession(two) })).status).toBe(404)
    expect(second.mcp.sessions()).toBe(0)
  })

  it('counts like every other', async () => {
    await begin({}, { limits: { sessionsPerPrincipal: '1' } })
    const sessions = [await first.session('ana'), await first.session('ana')]
    const statuses = []
    for (const session of sessions) statuses.push((await second.ask('ana', callWork(session))).status)
    expect(statuses).toEqual([200, 503])
  })
})

describe('a session that its server will not open again', () => {
  it('is not found where the server refuses it, or agrees on another revision', async () => {
    const agreed = { result: { protocolVersion: '2025-11-25', capabilities: {} } }
    let answer: object = agreed
    await begin({
      initialize({ response, id }) {
        response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 'up' })
        response.end(JSON.stringify({ jsonrpc: '2.0', id, ...answer }))
      },
    })
    for (const next of [
      { result: { protocolVersion: '2025-06-18' } },
      { error: { code: -1, message: 'no' } },
    ]) {
      answer = agreed
      const session = await first.session('ana')
      answer = next
      expect(codeOf(await second.ask('ana', callWork(session)))).toMatchObject(unknown)
    }
    await vi.waitFor(() => expect(upstream.named('DELETE')).toHaveLength(2))
    expect(second.mcp.sessions()).toBe(0)
  })

  it('may be asked for again where the server was only out of reach', async () => {
    let isDown = false
    await begin({
      initialize({ response, result }) {
        if (isDown) return void response.writeHead(503).end()
        result({ protocolVersion: '2025-11-25', capabilities: {} })
      },
    })
    const session = await first.session('ana')
    isDown = true
    expect(codeOf(await second.ask('ana', callWork(session)))).toMatchObject({ code: 'upstream.unreachable' })
    isDown = false
    expect((await second.ask('ana', callWork(session))).status).toBe(200)
  })
})

describe('the id of a session', () => {
  it('is visible ASCII of at most 2 KB, and cannot be revived where the client said more than that', async () => {
    await begin()
    const long = { ...hello, clientInfo: { name: 'x'.repeat(3000), version: '1' } }
    const ids = []
    for (const params of [hello, long]) {
      const opened = await first.ask('ana', inEra('session', { id: 0, method: 'initialize', params }))
      ids.push(String(opened.headers['mcp-session-id']))
    }
    for (const id of ids) expect(id).toMatch(/^[\x21-\x7e]{20,2048}$/)
    expect((await first.ask('ana', callWork(String(ids[1])))).status).toBe(200)
    const statuses = await Promise.all(ids.map(async id => (await second.ask('ana', callWork(id))).status))
    expect(statuses).toEqual([200, 404])
  })
})

describe('a call that was under way when its process ended', () => {
  it('is told so to a client that comes back for it, and not left waiting', async () => {
    await begin({ 'tools/call': ({ events: open }) => open() })
    const session = await first.session('ana')
    const stream = await first.follow('ana', callWork(session))
    await vi.waitFor(() => expect(stream.text()).toContain('id: '))
    const id = /^id: (.+)$/m.exec(stream.text())?.[1] ?? ''
    stream.close()
    const again = await second.follow('ana', { headers: inSession(session, { 'last-event-id': id }) })
    await again.ended
    expect(eventsOf(again.text())).toMatchObject([
      { id: 'mine', error: { data: { code: 'mcp.answer_gone' } } },
    ])
  })
})
