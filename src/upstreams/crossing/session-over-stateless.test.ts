import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Answered } from '../../../test/fixtures/http-call.ts'
import { answerOf, eventsOf, hello, inEra, messagesOf } from '../../../test/fixtures/mcp-call.ts'
import { inSession, openPlane, type Plane, upstreamAt } from '../../../test/fixtures/mcp-plane.ts'
import {
  event,
  type Script,
  type ScriptedUpstream,
  startScripted,
} from '../../../test/fixtures/scripted-upstream.ts'
import { type StatelessOnly, startStatelessOnly } from '../../../test/fixtures/stateless-only.ts'

let plane: Plane
let upstream: ScriptedUpstream
let server: StatelessOnly

const key = (name: string) => `io.modelcontextprotocol/${name}`
const done = { resultType: 'complete', content: [{ type: 'text', text: 'done' }], 'x-kept': { ttlMs: 1 } }

async function begin(script: Script = {}): Promise<void> {
  server = await startStatelessOnly({ 'tools/call': ({ result }) => result(done), ...script })
  ;({ plane, upstream } = server)
}

afterEach(() => server?.close())

const initialize = (params: object) =>
  plane.say('ana', 'session', { id: 0, method: 'initialize', params: { ...hello, ...params } })

const say = (
  session: string,
  method: string,
  params: Record<string, unknown> = {},
  id: number | string = 1,
) => plane.say('ana', 'session', { id, method, params, session })

const callWork = (session: string, more: Record<string, unknown> = {}) =>
  say(session, 'tools/call', { name: 'work', ...more })

const errorOf = (answered: Answered) => answerOf(answered).error

describe('the opening of a session', () => {
  const discovery = {
    resultType: 'complete',
    supportedVersions: ['2026-07-28', '2027-01-01'],
    capabilities: {
      tools: { listChanged: true, 'x-deep': 1 },
      tasks: {},
      'x-vendor': { a: 1 },
      extensions: { 'io.modelcontextprotocol/tasks': {}, 'io.modelcontextprotocol/ui': { b: 2 } },
    },
    instructions: 'Be kind.',
    'x-member': [1],
    ttlMs: 5,
    cacheScope: 'public',
    _meta: { [key('serverInfo')]: { name: 'them', version: '3', 'x-icon': 1 }, 'dev.example/a': 1 },
  }

  it('is what the server says of itself, as the session era says it', async () => {
    await begin({ 'server/discover': ({ result }) => result(discovery) })
    const answered = await initialize({ protocolVersion: '2025-06-18' })
    expect(answered.headers['mcp-session-id']).toBeTypeOf('string')
    expect(answerOf(answered)).toEqual({
      jsonrpc: '2.0',
      id: 0,
      result: {
        protocolVersion: '2025-06-18',
        capabilities: {
          tools: { listChanged: true, 'x-deep': 1 },
          'x-vendor': { a: 1 },
        },
        serverInfo: { name: 'them', version: '3', 'x-icon': 1 },
        instructions: 'Be kind.',
        'x-member': [1],
        _meta: { 'dev.example/a': 1 },
      },
    })
    const [asked] = upstream.named('server/discover')
    expect(asked?.headers).toMatchObject({
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'server/discover',
    })
    expect(asked?.params).toEqual({
      _meta: {
        [key('protocolVersion')]: '2026-07-28',
        [key('clientInfo')]: hello.clientInfo,
        [key('clientCapabilities')]: hello.capabilities,
      },
    })
    expect(upstream.named('initialize')).toEqual([])
  })

  it.each([
    [{ protocolVersion: '2099-01-01' }, '2025-11-25'],
    [{ protocolVersion: '2024-11-05' }, '2024-11-05'],
  ])('with %j agrees on %s', async (params, version) => {
    await begin()
    expect(answerOf(await initialize(params)).result).toEqual({
      protocolVersion: version,
      capabilities: { tools: {}, resources: { subscribe: true }, prompts: {} },
      serverInfo: { name: 'work', version: 'unknown' },
    })
  })

  it.each([
    [-32603, { code: -32603, message: 'broken' }],
    [-32021, { data: { code: 'mcp.input_impossible', why: expect.stringContaining('sampling') } }],
    [-32022, { data: { code: 'upstream.bad_answer' } }],
  ])('fails where the server refuses with %i', async (code, expected) => {
    await begin()
    const refusing = await startScripted({
      'server/discover': ({ id, response }) => {
        response.writeHead(400, { 'content-type': 'application/json' })
        const error = {
          code,
          message: 'broken',
          data: { requiredCapabilities: { sampling: {} }, supported: ['x'] },
        }
        response.end(JSON.stringify({ jsonrpc: '2.0', id, error }))
      },
    })
    const other = await openPlane(upstreamAt(refusing.url))
    vi.spyOn(other.catalogue, 'eras').mockReturnValue(['stateless'])
    const answered = await other.say('ana', 'session', { id: 0, method: 'initialize', params: hello })
    expect(errorOf(answered)).toMatchObject(expected)
    expect(answered.headers['mcp-session-id']).toBeUndefined()
    expect(other.mcp.sessions()).toBe(0)
    await other.close()
    await refusing.stop()
  })
})

describe('a request', () => {
  it('carries the envelope, mirrored headers and nothing else that is new', async () => {
    const inputSchema = {
      properties: {
        place: { type: 'string', 'x-mcp-header': 'Place' },
        count: { type: 'integer', 'x-mcp-header': 'Count' },
        off: { type: 'boolean', 'x-mcp-header': 'Off' },
        deep: { properties: { er: { type: 'string', 'x-mcp-header': 'Deep' } } },
      },
    }
    await begin({
      'tools/list': ({ result }) =>
        result({ resultType: 'complete', tools: [{ name: 'wörk', inputSchema }] }),
    })
    const session = await server.open()
    const args = {
      place: 'Zürich',
      count: 7,
      off: null,
      deep: { er: ' x' },
      big: 12345678901234567890n.toString(),
    }
    const _meta = {
      progressToken: 'mine',
      'dev.example/k': 1,
      [key('x-own')]: 1,
    }
    const params = {
      name: 'wörk',
      arguments: args,
      'x-param': 1,
      requestState: 's',
      inputResponses: {},
      _meta,
    }
    expect(answerOf(await say(session, 'tools/call', params)).result).toEqual({
      content: done.content,
      'x-kept': { ttlMs: 1 },
    })
    const [asked] = upstream.named('tools/call')
    expect(asked?.headers).toMatchObject({
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': `=?base64?${Buffer.from('wörk').toString('base64')}?=`,
      'mcp-param-place': `=?base64?${Buffer.from('Zürich').toString('base64')}?=`,
      'mcp-param-count': '7',
      'mcp-param-deep': `=?base64?${Buffer.from(' x').toString('base64')}?=`,
    })
    expect(asked?.headers).not.toHaveProperty('mcp-param-off')
    expect(asked?.headers).not.toHaveProperty('mcp-session-id')
    expect(asked?.params).toEqual({
      name: 'wörk',
      arguments: args,
      'x-param': 1,
      _meta: {
        progressToken: asked?.id,
        'dev.example/k': 1,
        [key('protocolVersion')]: '2026-07-28',
        [key('clientInfo')]: hello.clientInfo,
        [key('clientCapabilities')]: hello.capabilities,
      },
    })
  })

  it('without parameters gets them', async () => {
    await begin()
    const session = await server.open()
    const { headers } = inEra('session', { id: 1, method: 'tools/list', session })
    const body = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
    const answered = await plane.ask('ana', { method: 'POST', headers: headers ?? {}, body })
    expect(answerOf(answered).result).toEqual({ tools: [{ name: 'work', inputSchema: {} }] })
    expect(upstream.named('tools/list')[0]?.params._meta).toHaveProperty([key('protocolVersion')])
  })

  it('has its level of the log, once one was set', async () => {
    await begin()
    const session = await server.open()
    await callWork(session)
    expect(answerOf(await say(session, 'logging/setLevel', { level: 'warning' })).result).toEqual({})
    expect(errorOf(await say(session, 'logging/setLevel', { level: 'loud' }))?.code).toBe(-32602)
    await callWork(session)
    expect(upstream.named('tools/call').map(({ params }) => params._meta?.[key('logLevel')])).toEqual([
      undefined,
      'warning',
    ])
    expect(upstream.named('logging/setLevel')).toEqual([])
  })

  it('is told of its progress, and never of requests that only the other era makes', async () => {
    await begin({
      'tools/call'({ id, events, response }) {
        events(
          event({ method: 'notifications/progress', params: { progressToken: id, progress: 1 } }),
          event({ id: 'forged', method: 'sampling/createMessage', params: {} }),
          event({ method: 'notifications/message', params: { level: 'info', data: 1 } }),
          event({ id, result: done }),
        )
        response.end()
      },
    })
    const session = await server.open()
    const answered = await callWork(session, { _meta: { progressToken: 'mine' } })
    expect(messagesOf(answered).map(({ method, params }) => [method, params?.progressToken])).toEqual([
      ['notifications/progress', 'mine'],
      ['notifications/message', undefined],
      [undefined, undefined],
    ])
  })

  it.each(['notifications/initialized', 'notifications/roots/list_changed', 'notifications/progress'])(
    'is not made of %s',
    async method => {
      await begin()
      const session = await server.open()
      upstream.asked.length = 0
      const answered = await plane.say('ana', 'session', { method, session })
      expect(answered.status).toBe(202)
      expect(upstream.asked).toEqual([])
    },
  )

  it('that is cancelled is cut upstream', async () => {
    await begin({ 'tools/call': () => {} })
    const session = await server.open()
    const pending = callWork(session)
    await vi.waitFor(() => expect(upstream.named('tools/call')).toHaveLength(1))
    await plane.say('ana', 'session', {
      method: 'notifications/cancelled',
      params: { requestId: 1 },
      session,
    })
    expect(errorOf(await pending)?.data).toMatchObject({ code: 'mcp.cancelled' })
    await vi.waitFor(() => expect(upstream.named('tools/call')[0]?.response.destroyed).toBe(true))
  })

  it('is sent again once its schema is known anew', async () => {
    let inputSchema: object = {}
    await begin({
      'tools/list': ({ result }) =>
        result({ resultType: 'complete', tools: [{ name: 'work', inputSchema }] }),
      'tools/call'({ id, headers, response, result }) {
        if (headers['mcp-param-a'] === 'b') return result(done)
        response.writeHead(400, { 'content-type': 'application/json' })
        response.end(JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32020, message: 'mismatch' } }))
      },
    })
    const session = await server.open()
    inputSchema = { properties: { a: { type: 'string', 'x-mcp-header': 'A' } } }
    await new Promise(later => setTimeout(later, 2100))
    expect(answerOf(await callWork(session, { arguments: { a: 'b' } })).result).toMatchObject({
      content: done.content,
    })
    expect(upstream.named('tools/call')).toHaveLength(2)
  })
})

describe('a list of tools', () => {
  it('goes without those that misuse headers, because the gateway would have to mirror them', async () => {
    const wrong = { type: 'number', 'x-mcp-header': 'Wrong' }
    const tools = [
      { name: 'work', inputSchema: {}, 'x-kept': 1 },
      { name: 'wrong', inputSchema: { properties: { wrong } } },
    ]
    await begin({ 'tools/list': ({ result }) => result({ resultType: 'complete', tools, ttlMs: 1 }) })
    const answered = await say(await server.open(), 'tools/list')
    expect(answerOf(answered).result).toEqual({ tools: [tools[0]] })
  })
})

describe('an answer', () => {
  it.each([
    ['tools/call', { name: 'work' }, { resultType: 'task', taskId: 'x' }, 'upstream.bad_answer'],
    [
      'completion/complete',
      { ref: { type: 'ref/prompt', name: 'x' } },
      { resultType: 'input_required', requestState: 'x' },
      'upstream.bad_answer',
    ],
    ['tools/call', { name: 'work' }, { resultType: 'input_required' }, 'upstream.bad_answer'],
    [
      'tools/call',
      { name: 'work' },
      { resultType: 'input_required', inputRequests: { a: { method: 'tools/call' } } },
      'upstream.bad_answer',
    ],
  ])('to %s with %j that is %j is %s', async (method, params, given, code) => {
    await begin({ [method]: ({ result }) => result(given) })
    const answered = await say(await server.open(), method, params)
    expect(errorOf(answered)?.data).toMatchObject({ code })
  })

  it.each([
    [
      { code: -32602, message: 'no such', data: { uri: 'a:b', x: 1 } },
      { code: -32002, message: 'no such', data: { uri: 'a:b', x: 1 } },
    ],
    [
      { code: -32602, message: 'other' },
      { code: -32602, message: 'other' },
    ],
    [
      { code: -32601, message: 'no' },
      { code: -32601, message: 'no' },
    ],
    [
      { code: -32021, message: 'no', data: { requiredCapabilities: { roots: {} } } },
      { code: 31024, data: { code: 'mcp.input_impossible', why: expect.stringContaining('roots') } },
    ],
    [{ code: -32022, message: 'no' }, { data: { code: 'upstream.bad_answer' } }],
  ])('that is the error %j comes as %j', async (error, expected) => {
    await begin({
      'resources/read'({ id, response }) {
        response.writeHead(error.code === -32601 ? 404 : 400, { 'content-type': 'application/json' })
        response.end(JSON.stringify({ jsonrpc: '2.0', id, error }))
      },
    })
    const answered = await say(await server.open(), 'resources/read', { uri: 'a:b' })
    expect(errorOf(answered)).toMatchObject(expected)
    expect(answered.status).not.toBe(404)
  })

  it('that is long passes without what is foreign', async () => {
    const text = 'long '.repeat(60_000)
    const long = {
      ttlMs: 1,
      content: [{ type: 'text', text, resultType: 'x' }],
      resultType: 'complete',
      cacheScope: 'private',
    }
    await begin({ 'tools/call': ({ result }) => result(long) })
    const answered = await callWork(await server.open())
    expect(answerOf(answered).result).toEqual({ content: long.content })
  })

  it('that is long and of no known kind does not end well', async () => {
    const long = { content: [{ type: 'text', text: 'long '.repeat(60_000) }], resultType: 'task' }
    await begin({ 'tools/call': ({ result }) => result(long) })
    await expect(callWork(await server.open())).rejects.toThrow()
  })
})

describe('a session', () => {
  it('takes everything with it', async () => {
    await begin({ 'tools/call': () => {}, 'subscriptions/listen': ({ events }) => events() })
    const session = await server.open()
    const stream = await plane.follow('ana', { headers: inSession(session) })
    const pending = [callWork(session), say(session, 'resources/subscribe', { uri: 'a:b' }, 2)]
    await vi.waitFor(() =>
      expect(upstream.asked.map(({ method }) => method)).toContain('subscriptions/listen'),
    )
    await vi.waitFor(() => expect(upstream.named('tools/call')).toHaveLength(1))
    await plane.ask('ana', { method: 'DELETE', headers: inSession(session) })
    await Promise.all(pending)
    await stream.ended
    expect(eventsOf(stream.text())).toEqual([])
    for (const { method, response } of upstream.asked)
      if (method !== 'server/discover') await vi.waitFor(() => expect(response.destroyed).toBe(true))
  })
})

describe('a server that is a process', () => {
  it('is started for what needs it, and asks back like any other', async () => {
    const transport = {
      kind: 'stdio' as const,
      command: process.execPath,
      args: [fileURLToPath(new URL('../../../test/fixtures/stateless-stdio.ts', import.meta.url))],
      env: {},
      instance: 'shared' as const,
      idleSeconds: 60,
    }
    server = await startStatelessOnly({}, {}, { transport })
    ;({ plane, upstream } = server)
    const session = await server.open()
    const said = {
      id: 'call',
      method: 'tools/call',
      params: { name: 'work', _meta: { progressToken: 'p' } },
      session,
    }
    const stream = await plane.follow('ana', inEra('session', said))
    await vi.waitFor(() => expect(eventsOf(stream.text())).toHaveLength(1))
    const [question] = eventsOf(stream.text())
    expect(question).toMatchObject({ method: 'elicitation/create', params: { message: 'Who?' } })
    await server.respond(session, { id: question?.id, result: { action: 'decline' } })
    await stream.ended
    expect(eventsOf(stream.text()).slice(1)).toEqual([
      { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 'p', progress: 1 } },
      { jsonrpc: '2.0', id: 'call', result: { content: [], said: { who: { action: 'decline' } } } },
    ])
    expect(answerOf(await say(session, 'resources/subscribe', { uri: 'a:b' })).result).toEqual({})
  })
})
