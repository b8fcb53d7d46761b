import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { send } from '../../../test/fixtures/http-call.ts'
import { answerOf, eventsOf, inEra, messagesOf, textOf } from '../../../test/fixtures/mcp-call.ts'
import { openPlane, type Plane, upstreamAt } from '../../../test/fixtures/mcp-plane.ts'
import {
  event,
  type Script,
  type Scripted,
  type ScriptedUpstream,
  startScripted,
} from '../../../test/fixtures/scripted-upstream.ts'

let plane: Plane
let upstream: ScriptedUpstream
let isOpen = false
let sessions = 0

const meta = (key: string) => `io.modelcontextprotocol/${key}`

/** What a server says that knows no request without a session, as server-everything does. */
const sessionsOnly: Script = {
  'server/discover'({ response }) {
    response.writeHead(400, { 'content-type': 'application/json' })
    const error = { code: -32000, message: 'Bad Request: Server not initialized' }
    response.end(JSON.stringify({ jsonrpc: '2.0', id: null, error }))
  },
  initialize({ response, result }) {
    response.setHeader('mcp-session-id', `upstream-${++sessions}`)
    const capabilities = {
      tools: { listChanged: true },
      resources: { subscribe: true, listChanged: true },
      prompts: {},
      logging: {},
      tasks: { list: {} },
      'dev.vendor/x': 1,
      extensions: { 'io.modelcontextprotocol/ui': { a: 1 }, 'dev.vendor/more': {} },
    }
    const serverInfo = { name: 'old', version: '1', 'x-vendor': true }
    result({ protocolVersion: '2025-11-25', capabilities, serverInfo, instructions: 'Be kind.' })
  },
}

async function begin(script: Script = {}, limits: Record<string, string> = {}): Promise<void> {
  upstream = await startScripted({ ...sessionsOnly, ...script })
  plane = await openPlane(upstreamAt(upstream.url), limits)
  isOpen = true
  await plane.catalogue.sync(upstreamAt(upstream.url))
  upstream.asked.length = 0
}

async function closePlane(): Promise<void> {
  if (isOpen) await plane.close()
  isOpen = false
}

afterEach(async () => {
  await closePlane()
  await upstream.stop()
})

const work = (more: Record<string, unknown> = {}, id: string | number = 'mine') => ({
  id,
  method: 'tools/call',
  params: { name: 'work', arguments: { a: 1 }, ...more },
})
const done = { content: [{ type: 'text', text: 'done' }], 'x-vendor': 1 }
const outcomes = () => plane.audit.events.map(({ action, outcome }) => `${action} ${outcome}`)

/** Asks for a name in the middle of a call, answers when it has it. */
const question = { mode: 'form', message: 'Name?', requestedSchema: { type: 'object', properties: {} } }
function asking(answer: (said: unknown, call: Scripted) => void, ask: object = question): Script {
  let call: Scripted | undefined
  return {
    'tools/call'(one) {
      call = one
      one.events(event({ id: 'q-1', method: 'elicitation/create', params: ask }))
    },
    response({ message, response }) {
      response.writeHead(202).end()
      if (call) answer(message, call)
    },
  }
}
const finish = (said: unknown, { id, response }: Scripted) =>
  void response.end(event({ id, result: { content: [{ type: 'text', text: JSON.stringify(said) }] } }))

const stateOf = (text: { headers: object; text: string }) =>
  answerOf(text as never).result as { requestState: string; inputRequests: Record<string, unknown> }

describe('a stateless client on a server with sessions', () => {
  it('finds out what the server can do', async () => {
    await begin()
    const { result } = answerOf(await plane.say('ana', 'stateless', { id: 1, method: 'server/discover' }))
    expect(result).toEqual({
      resultType: 'complete',
      supportedVersions: ['2026-07-28'],
      capabilities: {
        tools: { listChanged: true },
        resources: { subscribe: true, listChanged: true },
        prompts: {},
        logging: {},
        'dev.vendor/x': 1,
      },
      instructions: 'Be kind.',
      ttlMs: 0,
      cacheScope: 'private',
      _meta: { [meta('serverInfo')]: { name: 'old', version: '1', 'x-vendor': true } },
    })
  })

  it('calls a tool: the server sees a session and none of the envelope', async () => {
    await begin({ 'tools/call': ({ result }) => result(done) })
    const answered = await plane.say('ana', 'stateless', work({ _meta: { 'x-vendor': 2 } }))
    expect(answerOf(answered).result).toEqual({ ...done, resultType: 'complete' })
    expect(upstream.asked.map(({ method }) => method)).toEqual([
      'initialize',
      'notifications/initialized',
      'GET',
      'tools/call',
    ])
    const [call] = upstream.named('tools/call')
    expect(call?.params).toEqual({ name: 'work', arguments: { a: 1 }, _meta: { 'x-vendor': 2 } })
    expect(call?.headers['mcp-session-id']).toMatch(/^upstream-/)
    expect(call?.headers['mcp-method']).toBeUndefined()
    const [opening] = upstream.named('initialize')
    expect(opening?.params).toMatchObject({
      capabilities: { sampling: {}, elicitation: {}, roots: {} },
      clientInfo: { name: 'journey' },
    })
  })

  it('gets lists with what the era says of caching', async () => {
    await begin()
    const { result } = answerOf(await plane.say('ana', 'stateless', { id: 1, method: 'tools/list' }))
    expect(result).toMatchObject({ resultType: 'complete', ttlMs: 0, cacheScope: 'private' })
  })

  it('keeps to one session for calls one after the other, and has others for calls at once', async () => {
    const waiting: Scripted[] = []
    await begin({
      'tools/call'(one) {
        if (one.params.arguments && 'slow' in (one.params.arguments as object)) waiting.push(one)
        else one.result(done)
      },
    })
    for (let i = 0; i < 3; i++) await plane.say('ana', 'stateless', work())
    expect(upstream.named('initialize')).toHaveLength(1)
    const slow = [1, 2].map(id => plane.say('ana', 'stateless', work({ arguments: { slow: true } }, id)))
    await vi.waitFor(() => expect(waiting).toHaveLength(2))
    expect(upstream.named('initialize')).toHaveLength(2)
    for (const one of waiting) one.result(done)
    await Promise.all(slow)
    await plane.say('bob', 'stateless', work())
    expect(upstream.named('initialize')).toHaveLength(3)
  })

  it('passes progress on under the name the client gave', async () => {
    await begin({
      'tools/call'({ id, events, response, params }) {
        const progress = { progressToken: params._meta?.progressToken, progress: 1, 'x-vendor': 1 }
        events(event({ method: 'notifications/progress', params: progress }))
        response.end(event({ id, result: done }))
      },
    })
    const answered = await plane.say('ana', 'stateless', work({ _meta: { progressToken: '7' } }))
    expect(messagesOf(answered)[0]?.params).toEqual({ progressToken: '7', progress: 1, 'x-vendor': 1 })
  })

  it('logs only what was asked for, and from there on', async () => {
    const line = (level: string) => event({ method: 'notifications/message', params: { level, data: level } })
    await begin({
      'tools/call'({ id, events, response }) {
        events(line('debug'), line('warning'))
        response.end(event({ id, result: done }))
      },
    })
    const silent = messagesOf(await plane.say('ana', 'stateless', work()))
    expect(silent.map(({ method }) => method)).toEqual([undefined])
    expect(upstream.named('logging/setLevel')).toHaveLength(0)
    const asked = await plane.say('ana', 'stateless', work({ _meta: { [meta('logLevel')]: 'info' } }))
    expect(messagesOf(asked).map(({ params }) => params?.level)).toEqual(['warning', undefined])
    expect(upstream.named('logging/setLevel').map(({ params }) => params)).toEqual([{ level: 'info' }])
    const wrong = await plane.say('ana', 'stateless', work({ _meta: { [meta('logLevel')]: 'loud' } }))
    expect(answerOf(wrong).error?.code).toBe(-32602)
  })

  it('gives errors the codes of the era', async () => {
    await begin({
      'resources/read'({ id, response }) {
        response.setHeader('content-type', 'application/json')
        const error = { code: -32002, message: 'gone', data: { uri: 'a:b' } }
        response.end(JSON.stringify({ jsonrpc: '2.0', id, error }))
      },
    })
    const read = { id: 1, method: 'resources/read', params: { uri: 'a:b' } }
    const { error } = answerOf(await plane.say('ana', 'stateless', read))
    expect(error).toEqual({ code: -32602, message: 'gone', data: { uri: 'a:b' } })
  })

  it('an error has the HTTP status that this era gives its code', async () => {
    await begin({
      'prompts/get'({ id, params, response }) {
        response.setHeader('content-type', 'application/json')
        const error = { code: Number(params.name), message: 'no' }
        response.end(JSON.stringify({ jsonrpc: '2.0', id, error }))
      },
    })
    const statuses = ['-32021', '-32601', '-32050'].map(async name => {
      const asked = { id: 1, method: 'prompts/get', params: { name } }
      return (await plane.say('ana', 'stateless', asked)).status
    })
    expect(await Promise.all(statuses)).toEqual([400, 404, 200])
  })

  it('cancels by closing, and the server is told', async () => {
    const gone = Promise.withResolvers<void>()
    await begin({
      'tools/call': ({ response }) => void response.once('close', gone.resolve),
    })
    const asked = send(plane.url, { ...inEra('stateless', work()), token: 'ana' })
    await vi.waitFor(() => expect(upstream.named('tools/call')).toHaveLength(1))
    asked.abort()
    asked.response.catch(() => undefined)
    await gone.promise
    await vi.waitFor(() => expect(upstream.named('notifications/cancelled')).toHaveLength(1))
    expect(upstream.named('notifications/cancelled')[0]?.params.requestId).toBe(
      upstream.named('tools/call')[0]?.id,
    )
    // The session is free again.
    void plane.say('ana', 'stateless', work({}, 2)).catch(() => undefined)
    await vi.waitFor(() => expect(upstream.named('tools/call')).toHaveLength(2))
    expect(upstream.named('initialize')).toHaveLength(1)
  })

  it('ends sessions nobody uses', async () => {
    await begin({ 'tools/call': ({ result }) => result(done) })
    await plane.say('ana', 'stateless', work())
    await closePlane()
    expect(upstream.named('DELETE')).toHaveLength(1)
  })
})

describe('what a server asks in the middle of a call', () => {
  const accept = { action: 'accept', content: { name: 'Ana' }, 'x-vendor': 1 }

  it('comes as the answer, and the call goes on when the client comes back', async () => {
    await begin(asking(finish))
    const first = stateOf(await plane.say('ana', 'stateless', work()))
    expect(first).toMatchObject({
      resultType: 'input_required',
      inputRequests: { 'elicitation-1': { method: 'elicitation/create', params: question } },
    })
    const back = { requestState: first.requestState, inputResponses: { 'elicitation-1': accept } }
    const answer = answerOf(await plane.say('ana', 'stateless', work(back, 'again')))
    expect(answer).toMatchObject({ id: 'again', result: { resultType: 'complete' } })
    expect(JSON.parse(String(textOf(answer)))).toEqual({
      jsonrpc: '2.0',
      id: 'q-1',
      result: accept,
    })
    expect(upstream.named('tools/call')).toHaveLength(1)
    expect(outcomes().filter(text => text.startsWith('tools/call'))).toEqual([
      'tools/call input_required',
      'tools/call ok',
    ])
  })

  it('comes together when asked at once, and again where it was not answered', async () => {
    const said: unknown[] = []
    await begin({
      'tools/call'({ events }) {
        events(
          event({ id: 1, method: 'elicitation/create', params: question }),
          event({ id: 2, method: 'roots/list' }),
        )
      },
      response({ message, response }) {
        response.writeHead(202).end()
        said.push(message.id)
        const [call] = upstream.named('tools/call')
        if (said.length === 2) call?.response.end(event({ id: call.id, result: done }))
      },
    })
    const first = stateOf(await plane.say('ana', 'stateless', work()))
    expect(Object.keys(first.inputRequests)).toEqual(['elicitation-1', 'roots-2'])
    expect(first.inputRequests['roots-2']).toEqual({ method: 'roots/list' })
    const half = { requestState: first.requestState, inputResponses: { 'roots-2': { roots: [] }, other: 1 } }
    const second = stateOf(await plane.say('ana', 'stateless', work(half, 2)))
    expect(Object.keys(second.inputRequests)).toEqual(['elicitation-1'])
    const rest = { requestState: second.requestState, inputResponses: { 'elicitation-1': accept } }
    const { result } = answerOf(await plane.say('ana', 'stateless', work(rest, 3)))
    expect(result).toEqual({ ...done, resultType: 'complete' })
    expect(said).toEqual([2, 1])
  })

  it('is refused where the client cannot be asked', async () => {
    await begin(asking(finish, { ...question, mode: 'url', url: 'https://a.example', elicitationId: 'e' }))
    const answer = answerOf(await plane.say('ana', 'stateless', work()))
    expect(JSON.parse(String(textOf(answer)))).toMatchObject({ id: 'q-1', error: { code: -32601 } })
  })

  it('is for the caller, the server and the method, and for one time', async () => {
    await begin(asking(finish))
    const { requestState } = stateOf(await plane.say('ana', 'stateless', work()))
    const back = { requestState, inputResponses: { 'elicitation-1': accept } }
    const tries = [
      await plane.say('bob', 'stateless', work(back, 2)),
      await plane.say('ana', 'stateless', {
        id: 3,
        method: 'resources/read',
        params: { uri: 'a:b', ...back },
      }),
      await plane.say('ana', 'stateless', work({ ...back, requestState: `${requestState}0` }, 4)),
    ]
    expect(tries.map(answered => answerOf(answered).error?.code)).toEqual([-32602, -32602, -32602])
    expect(answerOf(await plane.say('ana', 'stateless', work(back, 5))).result?.resultType).toBe('complete')
    expect(answerOf(await plane.say('ana', 'stateless', work(back, 6))).error?.code).toBe(-32602)
  })

  it('is heard on the stream of the session too', async () => {
    let stream: Scripted | undefined
    await begin({
      GET(one) {
        stream = one
        one.events()
      },
      'tools/call': () => void stream?.response.write(event({ id: 9, method: 'roots/list' })),
      response({ response }) {
        response.writeHead(202).end()
        upstream.named('tools/call')[0]?.result(done)
      },
    })
    const first = stateOf(await plane.say('ana', 'stateless', work()))
    expect(first.inputRequests).toEqual({ 'roots-1': { method: 'roots/list' } })
    const back = { requestState: first.requestState, inputResponses: { 'roots-1': { roots: [] } } }
    expect(answerOf(await plane.say('ana', 'stateless', work(back, 2))).result).toMatchObject(done)
  })

  it('keeps what comes while nobody is there, and ends what nobody comes back for', async () => {
    const waiting: Scripted[] = []
    await begin(
      {
        'tools/call'(one) {
          waiting.push(one)
          one.events(event({ id: 1, method: 'roots/list' }))
        },
      },
      { callSecondsMax: '2', callSeconds: '2' },
    )
    const first = stateOf(await plane.say('ana', 'stateless', work()))
    waiting[0]?.response.end(event({ id: waiting[0].id, result: done }))
    await sleep(50)
    const back = { requestState: first.requestState, inputResponses: {} }
    const { id, result } = answerOf(await plane.say('ana', 'stateless', work(back, 2)))
    expect({ id, result }).toEqual({ id: 2, result: { ...done, resultType: 'complete' } })

    await plane.say('ana', 'stateless', work({}, 3))
    await vi.waitFor(() => expect(upstream.named('notifications/cancelled')).toHaveLength(1))
  })

  it('leads to a page first where the server refuses until it was visited', async () => {
    let isVisited = false
    const url = { mode: 'url', elicitationId: 'e', url: 'https://a.example', message: 'Sign in' }
    await begin({
      'tools/call'({ id, result, response }) {
        if (isVisited) return result(done)
        response.setHeader('content-type', 'application/json')
        const error = { code: -32042, message: 'first', data: { elicitations: [url] } }
        response.end(JSON.stringify({ jsonrpc: '2.0', id, error }))
      },
    })
    const capabilities = { [meta('clientCapabilities')]: { elicitation: { url: {} } } }
    const asked = inEra('stateless', work())
    const call = (more: object, id: number) => {
      const body = structuredClone(asked.body) as { id: unknown; params: { _meta: object } }
      body.id = id
      Object.assign(body.params, more)
      Object.assign(body.params._meta, capabilities)
      return plane.ask('ana', { ...asked, body })
    }
    const first = stateOf(await call({}, 1))
    const { elicitationId: _, ...params } = url
    expect(first.inputRequests).toEqual({ 'elicitation-1': { method: 'elicitation/create', params } })
    const answer = (action: string) => ({
      requestState: first.requestState,
      inputResponses: { 'elicitation-1': { action } },
    })
    isVisited = true
    expect(answerOf(await call(answer('accept'), 2)).result).toEqual({ ...done, resultType: 'complete' })
    isVisited = false
    const second = stateOf(await call({}, 3))
    const { error } = answerOf(await call({ ...answer('decline'), requestState: second.requestState }, 4))
    expect(error?.data).toMatchObject({ code: 'mcp.input_declined' })
  })
})

describe('a listen on a server with sessions', () => {
  const listen = (notifications: object) =>
    inEra('stateless', { id: 'l', method: 'subscriptions/listen', params: { notifications } })

  it('names what will be heard, then tells it with its own id', async () => {
    let stream: Scripted | undefined
    await begin({
      GET(one) {
        stream = one
        one.events()
      },
    })
    const wanted = { toolsListChanged: true, promptsListChanged: true, resourceSubscriptions: ['a:b', 'a:b'] }
    const opened = await plane.follow('ana', listen(wanted))
    await vi.waitFor(() => expect(eventsOf(opened.text())).toHaveLength(1))
    const tag = { [meta('subscriptionId')]: 'l' }
    expect(eventsOf(opened.text())[0]).toEqual({
      jsonrpc: '2.0',
      method: 'notifications/subscriptions/acknowledged',
      params: { _meta: tag, notifications: { toolsListChanged: true, resourceSubscriptions: ['a:b'] } },
    })
    expect(upstream.named('resources/subscribe').map(({ params }) => params)).toEqual([{ uri: 'a:b' }])
    stream?.response.write(
      [
        event({ method: 'notifications/prompts/list_changed' }),
        event({ method: 'notifications/tools/list_changed' }),
        event({ method: 'notifications/resources/updated', params: { uri: 'c:d' } }),
        event({ method: 'notifications/resources/updated', params: { uri: 'a:b', 'x-v': 1 } }),
        event({ method: 'notifications/message', params: { level: 'error', data: 'no' } }),
      ].join(''),
    )
    await vi.waitFor(() => expect(eventsOf(opened.text())).toHaveLength(3))
    expect(eventsOf(opened.text()).slice(1)).toEqual([
      { jsonrpc: '2.0', method: 'notifications/tools/list_changed', params: { _meta: tag } },
      {
        jsonrpc: '2.0',
        method: 'notifications/resources/updated',
        params: { uri: 'a:b', 'x-v': 1, _meta: tag },
      },
    ])
    opened.close()
    await vi.waitFor(() => expect(upstream.named('resources/unsubscribe')).toHaveLength(1))
  })

  it('ends with its result when the gateway does', async () => {
    await begin({ GET: ({ events }) => events() })
    const opened = await plane.follow('ana', listen({ toolsListChanged: true }))
    await vi.waitFor(() => expect(eventsOf(opened.text())).toHaveLength(1))
    plane.mcp.endStreams()
    await opened.ended
    expect(eventsOf(opened.text()).at(-1)).toMatchObject({ id: 'l', result: { resultType: 'complete' } })
  })
})
