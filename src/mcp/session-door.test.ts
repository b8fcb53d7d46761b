import { afterEach, describe, expect, it, vi } from 'vitest'
import { send } from '../../test/fixtures/http-call.ts'
import { answerOf, eventsOf, hello, inEra, messagesOf } from '../../test/fixtures/mcp-call.ts'
import { inSession, openPlane, type Plane, upstreamAt } from '../../test/fixtures/mcp-plane.ts'
import {
  event,
  type Script,
  type Scripted,
  type ScriptedUpstream,
  startScripted,
} from '../../test/fixtures/scripted-upstream.ts'
import type { Upstream } from '../upstreams/index.ts'

let plane: Plane
let upstream: ScriptedUpstream
/** As the register has it. */
let server: Upstream

async function begin(script: Script = {}, limits: Record<string, string> = {}): Promise<void> {
  upstream = await startScripted(script)
  server = upstreamAt(upstream.url)
  plane = await openPlane(server, limits)
  await plane.catalogue.sync(server)
  upstream.asked.length = 0
}

afterEach(async () => {
  await plane?.close()
  await upstream?.stop()
})

const callWork = (session: string, id: string | number = 'mine') =>
  inEra('session', { id, method: 'tools/call', params: { name: 'work', arguments: {} }, session })
const result = { content: [{ type: 'text', text: 'done' }] }
const lastOf = (method: string) => upstream.named(method).at(-1)
const events = () => plane.audit.events.map(({ action, outcome, error }) => ({ action, outcome, error }))

describe('an answer whose stream was cut', () => {
  it('goes on where the server goes on with it, in one piece for the client', async () => {
    await begin({
      'tools/call'({ id, events: open, response }) {
        open(
          'id: e-1\nretry: 10\ndata:\n\n',
          event({ method: 'notifications/progress', params: { progressToken: id, progress: 1 } }, 'e-2'),
        )
        response.end()
      },
      GET: ({ events: open }) => open(event({ id: lastOf('tools/call')?.id, result }, 'e-3')),
    })
    const session = await plane.session('ana')
    const params = { name: 'work', arguments: {}, _meta: { progressToken: 'p' } }
    const got = await plane.say('ana', 'session', { id: 'mine', method: 'tools/call', params, session })
    expect(messagesOf(got)).toEqual([
      { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 'p', progress: 1 } },
      { jsonrpc: '2.0', id: 'mine', result },
    ])
    expect(upstream.named('GET').map(({ headers }) => headers['last-event-id'])).toEqual(['e-2'])
    expect(events().filter(({ action }) => action === 'tools/call')).toEqual([
      { action: 'tools/call', outcome: 'ok', error: null },
    ])
  })

  it('is filtered like any other', async () => {
    const tools = [
      { name: 'work', inputSchema: {} },
      { name: 'secret', inputSchema: {} },
    ]
    let isCut = false
    await begin({
      'tools/list'({ events: open, response, result: answer }) {
        if (!isCut) return answer({ tools })
        open('id: e-1\nretry: 10\ndata:\n\n')
        response.end()
      },
      GET: ({ events: open }) => open(event({ id: lastOf('tools/list')?.id, result: { tools } }, 'e-2')),
    })
    isCut = true
    plane.people.may = (_, __, { tool }) => tool?.name !== 'secret'
    const session = await plane.session('ana')
    const got = await plane.say('ana', 'session', { id: 1, method: 'tools/list', session })
    expect(answerOf(got).result?.tools).toEqual([tools[0]])
    expect(got.text).not.toContain('secret')
  })

  it('never comes to another session, whatever the server puts on its stream', async () => {
    await begin({
      'tools/call'({ events: open, response }) {
        open('id: e-1\ndata:\n\n')
        response.end()
      },
      GET({ events: open }) {
        const { id, params } = lastOf('tools/call') ?? {}
        const progressToken = params?._meta?.progressToken
        open(
          event({ id, result }),
          event({ method: 'notifications/progress', params: { progressToken, progress: 1 } }),
          event({ method: 'notifications/message', params: { data: 'for all' } }),
        )
      },
    })
    const session = await plane.session('ana')
    const params = { name: 'work', _meta: { progressToken: 'p' } }
    const pending = plane.say('ana', 'session', { id: 1, method: 'tools/call', params, session })
    await vi.waitFor(() => expect(upstream.named('tools/call')).toHaveLength(1))
    for (const who of ['ana', 'bob']) {
      const stream = await plane.follow(who, { headers: inSession(await plane.session(who)) })
      await vi.waitFor(() => expect(stream.text()).toContain('for all'))
      expect(eventsOf(stream.text()).map(({ method }) => method)).toEqual(['notifications/message'])
      stream.close()
    }
    expect(answerOf(await pending).result).toEqual(result)
  })

  it('is given up when the server does not go on with it', async () => {
    await begin({
      'tools/call'({ events: open, response }) {
        open('id: e-1\nretry: 10\ndata:\n\n')
        response.end()
      },
    })
    const session = await plane.session('ana')
    const answered = await plane.ask('ana', callWork(session))
    expect(answerOf(answered).error?.data).toMatchObject({ code: 'upstream.outcome_unknown' })
    expect([upstream.named('tools/call').length, upstream.named('GET').length]).toEqual([1, 1])
  })

  it('is an error where the server named no event to resume from', async () => {
    await begin({
      'tools/call'({ events: open, response }) {
        open()
        response.end()
      },
    })
    const answered = await plane.ask('ana', callWork(await plane.session('ana')))
    expect(answerOf(answered).error?.data).toMatchObject({ code: 'upstream.outcome_unknown' })
  })
})

describe('a session', () => {
  it('takes everything with it when its client ends it', async () => {
    await begin({ 'tools/call': () => {}, GET: ({ events: open }) => open() })
    const session = await plane.session('ana')
    const stream = await plane.follow('ana', { headers: inSession(session) })
    const pending = plane.ask('ana', callWork(session))
    await vi.waitFor(() => expect(upstream.named('tools/call')).toHaveLength(1))
    const deleted = await plane.ask('ana', { method: 'DELETE', headers: inSession(session) })
    expect(deleted.status).toBe(200)
    await stream.ended
    expect(answerOf(await pending).error?.data).toMatchObject({ code: 'mcp.cancelled' })
    await vi.waitFor(() => expect(upstream.named('DELETE')).toHaveLength(1))
    expect([plane.mcp.sessions(), plane.mcp.streams()]).toEqual([0, 0])
    expect((await plane.ask('ana', { headers: inSession(session) })).status).toBe(404)
  })

  it('is its owner’s alone', async () => {
    await begin()
    const session = await plane.session('ana')
    const answers = await Promise.all([
      plane.ask('bob', { headers: inSession(session) }),
      plane.ask('bob', callWork(session)),
      plane.ask('bob', { method: 'DELETE', headers: inSession(session) }),
      plane.ask('bob', { headers: inSession('no-such-session') }),
    ])
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404])
    expect((await plane.ask('ana', callWork(session))).status).toBe(200)
  })

  it('outlives that of its server', async () => {
    const lost = new Set<string>()
    await begin({
      'tools/call'({ headers, response, result: answer }) {
        const id = String(headers['mcp-session-id'])
        if (lost.size > 0 && !lost.has(id)) return answer(result)
        lost.add(id)
        response.writeHead(404).end()
      },
    })
    const session = await plane.session('ana')
    expect(answerOf(await plane.ask('ana', callWork(session))).result).toEqual(result)
    expect(upstream.named('initialize')).toHaveLength(2)
    expect([lost.size, plane.mcp.sessions()]).toEqual([1, 1])
  })

  it('ends with its server, which does not open it again', async () => {
    const script: Record<string, (asked: Scripted) => void> = {
      'tools/call': ({ response }) => void response.writeHead(404).end(),
      GET: ({ events: open }) => open(),
    }
    await begin(script)
    const session = await plane.session('ana')
    const stream = await plane.follow('ana', { headers: inSession(session) })
    script.initialize = ({ id, response }) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32602, message: 'no' } }))
    }
    const answered = await plane.ask('ana', callWork(session))
    expect(answered.status).toBe(404)
    expect(answerOf(answered).error?.data).toMatchObject({ code: 'mcp.session_unknown' })
    await stream.ended
    expect([plane.mcp.sessions(), plane.mcp.streams()]).toEqual([0, 0])
  })

  it('does not end because its server has no stream and says 404', async () => {
    await begin({ GET: ({ response }) => void response.writeHead(404).end() })
    const session = await plane.session('ana')
    const stream = await plane.follow('ana', { headers: inSession(session) })
    await vi.waitFor(() => expect(upstream.named('ping')).toHaveLength(1))
    expect((await plane.ask('ana', callWork(session))).status).toBe(200)
    expect([upstream.named('initialize').length, plane.mcp.streams()]).toEqual([1, 1])
    stream.close()
  })

  it('ends with its server, which was changed', async () => {
    await begin({ GET: ({ events: open }) => open() })
    const session = await plane.session('ana')
    const stream = await plane.follow('ana', { headers: inSession(session) })
    plane.change({ version: 2 })
    await stream.ended
    expect((await plane.ask('ana', callWork(session))).status).toBe(404)
  })

  it('is closed again when its client is gone before it is open', async () => {
    let finish: (() => void) | undefined
    const script: Record<string, (asked: Scripted) => void> = {}
    await begin(script)
    script.initialize = ({ response, result: answer }) => {
      response.setHeader('mcp-session-id', 'late')
      finish = () => answer({ protocolVersion: '2025-11-25', capabilities: {} })
    }
    const asked = send(plane.url, {
      ...inEra('session', { id: 1, method: 'initialize', params: hello }),
      token: 'ana',
    })
    asked.response.catch(() => undefined)
    await vi.waitFor(() => expect(upstream.named('initialize')).toHaveLength(1))
    asked.abort()
    await vi.waitFor(() => expect(plane.responses.at(-1)?.destroyed).toBe(true))
    finish?.()
    await vi.waitFor(() => expect(upstream.named('DELETE')[0]?.headers['mcp-session-id']).toBe('late'))
    expect(plane.mcp.sessions()).toBe(0)
    expect(events().at(-1)).toMatchObject({ action: 'initialize', outcome: 'cancelled' })
  })

  it('is not kept when the server refuses it', async () => {
    await begin()
    const refusing = await startScripted({
      initialize({ id, response }) {
        response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 'refused' })
        response.end(JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32602, message: 'no' } }))
      },
    })
    await plane.close()
    plane = await openPlane(upstreamAt(refusing.url))
    vi.spyOn(plane.catalogue, 'eras').mockReturnValue(['session'])
    const answered = await plane.say('ana', 'session', { id: 7, method: 'initialize', params: hello })
    expect(answerOf(answered)).toEqual({ jsonrpc: '2.0', id: 7, error: { code: -32602, message: 'no' } })
    expect(answered.headers['mcp-session-id']).toBeUndefined()
    await vi.waitFor(() => expect(refusing.named('DELETE')).toHaveLength(1))
    expect(plane.mcp.sessions()).toBe(0)
    await refusing.stop()
  })

  it('is one of so many, however many are opened at once', async () => {
    await begin({}, { sessionsPerPrincipal: '2' })
    const opened = await Promise.all(
      Array.from({ length: 6 }, () =>
        plane.say('ana', 'session', { id: 1, method: 'initialize', params: hello }),
      ),
    )
    expect(opened.map(({ status }) => status).sort()).toEqual([200, 200, 503, 503, 503, 503])
    expect(plane.mcp.sessions()).toBe(2)
  })
})

describe('a request of a session', () => {
  it('may not have the id of one that is under way', async () => {
    await begin({ 'tools/call': () => {} })
    const session = await plane.session('ana')
    const first = plane.ask('ana', callWork(session, 5))
    await vi.waitFor(() => expect(upstream.named('tools/call')).toHaveLength(1))
    expect((await plane.ask('ana', callWork(session, 5))).status).toBe(400)
    // The text "5" is another id.
    const other = plane.ask('ana', callWork(session, '5'))
    await vi.waitFor(() => expect(upstream.named('tools/call')).toHaveLength(2))
    for (const requestId of [5, '5']) {
      const said = { method: 'notifications/cancelled', params: { requestId }, session }
      expect((await plane.say('ana', 'session', said)).status).toBe(202)
    }
    const codes = (await Promise.all([first, other])).map(answered => answerOf(answered).error?.data)
    expect(codes).toMatchObject([{ code: 'mcp.cancelled' }, { code: 'mcp.cancelled' }])
    await vi.waitFor(() => {
      const cancelled = upstream.named('notifications/cancelled').map(({ params }) => params.requestId)
      expect(cancelled).toEqual(upstream.named('tools/call').map(({ id }) => id))
    })
  })

  it('that nobody made cannot be cancelled, nor can that of another session', async () => {
    await begin({ 'tools/call': () => {} })
    const [mine, other] = [await plane.session('ana'), await plane.session('bob')]
    const pending = plane.ask('ana', callWork(mine, 5))
    await vi.waitFor(() => expect(upstream.named('tools/call')).toHaveLength(1))
    const ids = [5, upstream.named('tools/call')[0]?.id, 'x', null, undefined, {}]
    for (const requestId of ids) {
      const said = { method: 'notifications/cancelled', params: { requestId }, session: other }
      expect((await plane.say('bob', 'session', said)).status).toBe(202)
    }
    expect(upstream.named('notifications/cancelled')).toEqual([])
    await plane.ask('ana', { method: 'DELETE', headers: inSession(mine) })
    await pending
  })

  it('goes on when its client goes away', async () => {
    let answer = () => {}
    await begin({
      'tools/call'({ result: give }) {
        answer = () => give(result)
      },
    })
    const session = await plane.session('ana')
    const asked = send(plane.url, { ...callWork(session), token: 'ana' })
    asked.response.catch(() => undefined)
    await vi.waitFor(() => expect(upstream.named('tools/call')).toHaveLength(1))
    asked.abort()
    await vi.waitFor(() => expect(plane.responses.at(-1)?.destroyed).toBe(true))
    expect(lastOf('tools/call')?.response.destroyed).toBe(false)
    answer()
    await vi.waitFor(() => expect(events().at(-1)).toMatchObject({ action: 'tools/call', outcome: 'ok' }))
  })
})

describe('a stream of a session', () => {
  it('is told nothing its caller may not hear of', async () => {
    const methods = [
      'resources/updated',
      'resources/list_changed',
      'prompts/list_changed',
      'tools/list_changed',
    ]
    await begin({
      GET: ({ events: open }) => open(...methods.map(method => event({ method: `notifications/${method}` }))),
    })
    for (const [may, expected] of [
      [() => true, methods],
      [(_: string, action: string) => !/^(resource|prompt)/.test(action), ['tools/list_changed']],
    ] as const) {
      plane.people.may = may
      const session = await plane.session('ana')
      const stream = await plane.follow('ana', { headers: inSession(session) })
      await vi.waitFor(() => expect(stream.text()).toContain('tools/list_changed'))
      expect(eventsOf(stream.text()).map(({ method }) => method?.replace('notifications/', ''))).toEqual(
        expected,
      )
      stream.close()
    }
  })

  it('is one of so many', async () => {
    await begin({ GET: ({ events: open }) => open() })
    const session = await plane.session('ana')
    const follow = () => plane.follow('ana', { headers: inSession(session) })
    const streams = await Promise.all(Array.from({ length: 16 }, follow))
    expect((await follow()).status).toBe(503)
    streams[0]?.close()
    await vi.waitFor(async () => expect((await follow()).status).toBe(200))
    await plane.ask('ana', { method: 'DELETE', headers: inSession(session) })
    await Promise.all(streams.map(({ ended }) => ended))
  })

  it('is silent and open where the server has none', async () => {
    await begin()
    const session = await plane.session('ana')
    const stream = await plane.follow('ana', { headers: inSession(session) })
    await vi.waitFor(() => expect(upstream.named('GET')).toHaveLength(1))
    expect((await plane.ask('ana', callWork(session))).status).toBe(200)
    expect([stream.status, eventsOf(stream.text()), plane.mcp.streams()]).toEqual([200, [], 1])
    stream.close()
    await vi.waitFor(() => expect(plane.mcp.streams()).toBe(0))
  })
})

describe('while the audit cannot be written', () => {
  it('everything is refused, and says why', async () => {
    await begin({ GET: ({ events: open }) => open() })
    const session = await plane.session('ana')
    plane.audit.broken = true
    const answers = await Promise.all([
      plane.ask('ana', callWork(session)),
      plane.say('ana', 'session', { id: 2, method: 'ping', session }),
      plane.say('ana', 'session', { method: 'notifications/initialized', session }),
      plane.say('ana', 'session', { id: 1, method: 'initialize', params: hello }),
      plane.say('ana', 'stateless', { id: 1, method: 'tools/list' }),
      plane.say('ana', 'session', { id: 3, method: 'no/such', session }),
      plane.ask('ana', { headers: inSession(session) }),
    ])
    answers.push(await plane.ask('ana', { method: 'DELETE', headers: inSession(session) }))
    for (const answered of answers) {
      expect(answered.status).toBe(503)
      expect(messagesOf(answered)[0]?.error?.data).toMatchObject({ code: 'audit.unavailable' })
      expect(answered.headers['mcp-session-id']).toBeUndefined()
    }
    expect([plane.mcp.sessions(), plane.mcp.streams()]).toEqual([0, 0])
  })
})
