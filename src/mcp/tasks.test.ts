/** Tasks of the stateless era (SEP-2663) and of 2025-11-25, each relayed between a client and a server of its era. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { answerOf, type Era, eventsOf, inEra, type Message } from '../../test/fixtures/mcp-call.ts'
import { inSession, openPlane, type Plane, upstreamAt } from '../../test/fixtures/mcp-plane.ts'
import {
  event,
  type Script,
  type Scripted,
  type ScriptedUpstream,
  startScripted,
} from '../../test/fixtures/scripted-upstream.ts'

let plane: Plane
let upstream: ScriptedUpstream

async function begin(script: Script): Promise<void> {
  upstream = await startScripted(script)
  plane = await openPlane(upstreamAt(upstream.url))
  await plane.catalogue.sync(upstreamAt(upstream.url))
  upstream.asked.length = 0
}

afterEach(async () => {
  await plane?.close()
  await upstream?.stop()
})

type Params = Record<string, unknown>

const extension = 'io.modelcontextprotocol/tasks'
const relatedTask = 'io.modelcontextprotocol/related-task'
const declared = { 'io.modelcontextprotocol/clientCapabilities': { extensions: { [extension]: {} } } }
const id = 'täsk "1"'
const working = {
  status: 'working',
  createdAt: '2026-01-01T00:00:00Z',
  ttlMs: null,
  'x-vendor': { taskId: id },
}

function changed(name: unknown): string {
  const bytes = Buffer.from(String(name), 'base64url')
  bytes[40] = (bytes[40] ?? 0) ^ 1
  return bytes.toString('base64url')
}

const unknown = { code: -32602, message: 'Unknown task.' }

describe('a task of the stateless era', () => {
  const script: Script = {
    'tools/call': ({ result }) => result({ resultType: 'task', taskId: id, ...working }),
    'tasks/get': ({ params, result }) =>
      result({
        resultType: 'complete',
        taskId: params.taskId,
        ...working,
        inputRequests: { a: { method: 'x' } },
      }),
    'tasks/update': ({ result }) => result({ resultType: 'complete' }),
    'tasks/cancel': ({ result }) => result({ resultType: 'complete' }),
    'subscriptions/listen': listen,
  }

  const ask = async (
    who: string,
    method: string,
    params: Params,
    more: Params = declared,
  ): Promise<Message> =>
    answerOf(await plane.say(who, 'stateless', { id: 'c', method, params: { ...params, _meta: more } }))
  const created = async (who = 'ana') => (await ask(who, 'tools/call', { name: 'work' })).result ?? {}

  it('has a name of its own for its caller, and every other byte of its server', async () => {
    await begin(script)
    const { taskId, ...rest } = await created()
    expect(rest).toEqual({ resultType: 'task', ...working })
    expect(taskId).toMatch(/^[\w-]{40,}$/)
    const got = (await ask('ana', 'tasks/get', { taskId })).result
    expect(got).toEqual({ resultType: 'complete', taskId, ...working, inputRequests: { a: { method: 'x' } } })
    const inputResponses = { a: { action: 'accept', content: { taskId: id } } }
    expect((await ask('ana', 'tasks/update', { taskId, inputResponses })).result).toEqual({
      resultType: 'complete',
    })
    expect((await ask('ana', 'tasks/cancel', { taskId })).result).toEqual({ resultType: 'complete' })
    const [, get, update, cancel] = upstream.asked
    expect([get, update, cancel].map(one => one?.params.taskId)).toEqual([id, id, id])
    const encoded = `=?base64?${Buffer.from(id).toString('base64')}?=`
    expect([get, update, cancel].map(one => one?.headers['mcp-name'])).toEqual([encoded, encoded, encoded])
    expect(update?.params.inputResponses).toEqual(inputResponses)
    expect((await created()).taskId).toBe(taskId)
  })

  it('keeps its name where its result is too long to be held', async () => {
    const text = 'x'.repeat(200_000)
    const long = ({ params, result }: Scripted) =>
      result({ result: { content: [{ type: 'text', text }] }, taskId: params.taskId, resultType: 'complete' })
    await begin({ ...script, 'tasks/get': long })
    const { taskId } = await created()
    const { result } = await ask('ana', 'tasks/get', { taskId })
    expect(result).toEqual({ result: { content: [{ type: 'text', text }] }, taskId, resultType: 'complete' })
  })

  it('is unknown under every other name, and to everybody else, in the same words', async () => {
    await begin(script)
    const { taskId } = await created()
    const tries = [
      await ask('ben', 'tasks/get', { taskId }),
      await ask('ana', 'tasks/get', { taskId: 'task-1' }),
      await ask('ana', 'tasks/cancel', { taskId: changed(taskId) }),
      await ask('ana', 'tasks/update', { taskId: '', inputResponses: {} }),
    ]
    plane.people.may = (_, action) => action === 'server.use'
    tries.push(await ask('ana', 'tasks/get', { taskId }))
    const shown = (error: Message['error']) => JSON.stringify(error).replace(/"requestId":"[^"]*"/, '')
    for (const { error } of tries) {
      expect(error).toMatchObject(unknown)
      expect(shown(error)).toBe(shown(tries[0]?.error))
    }
    expect(upstream.asked).toHaveLength(1)
    expect(plane.audit.events.at(-1)).toMatchObject({
      action: 'tasks/get',
      outcome: 'denied',
      subject: 'work',
    })
  })

  it('is only for requests that declare the extension', async () => {
    await begin(script)
    const { taskId } = await created()
    const requiredCapabilities = { extensions: { [extension]: {} } }
    for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel']) {
      const answered = await plane.say('ana', 'stateless', { id: 'c', method, params: { taskId } })
      expect([answered.status, answerOf(answered).error]).toMatchObject([
        400,
        { code: -32021, data: { requiredCapabilities } },
      ])
    }
    const asked = {
      id: 'c',
      method: 'subscriptions/listen',
      params: { notifications: { taskIds: [taskId] } },
    }
    expect(answerOf(await plane.say('ana', 'stateless', asked)).error).toMatchObject({ code: -32021 })
    expect(upstream.asked).toHaveLength(1)
  })

  it('is asked for by a header that says the same', async () => {
    await begin(script)
    const { taskId } = await created()
    const asked = inEra('stateless', { id: 'c', method: 'tasks/get', params: { taskId, _meta: declared } })
    for (const name of [{ 'mcp-name': id }, { 'mcp-name': changed(taskId) }]) {
      const answered = await plane.ask('ana', { ...asked, headers: { ...asked.headers, ...name } })
      expect(answerOf(answered).error).toMatchObject({ code: -32020 })
    }
  })

  it.each(['tasks/result', 'tasks/list'])('has no %s', async method => {
    await begin(script)
    expect((await ask('ana', method, { taskId: id })).error).toMatchObject({ code: -32601 })
  })

  it('that is another is not an answer', async () => {
    await begin({
      ...script,
      'tasks/get': ({ result }) => result({ taskId: 'of-another', status: 'working' }),
    })
    const { taskId } = await created()
    expect((await ask('ana', 'tasks/get', { taskId })).error?.code).toBe(31_012)
  })

  it('is heard of by who asked for it, under its name, for as long as they may call its tool', async () => {
    await begin(script)
    const { taskId } = await created()
    const params = {
      notifications: { taskIds: [taskId, id, changed(taskId)], toolsListChanged: true },
      _meta: declared,
    }
    const said = inEra('stateless', { id: 'L', method: 'subscriptions/listen', params })
    const stream = await plane.follow('ana', said)
    await vi.waitFor(() => expect(eventsOf(stream.text())).toHaveLength(2))
    expect(upstream.asked.at(-1)?.params.notifications).toEqual({ taskIds: [id], toolsListChanged: true })
    const [acknowledged, heard] = eventsOf(stream.text())
    const tag = { 'io.modelcontextprotocol/subscriptionId': 'L' }
    expect(acknowledged?.params).toEqual({
      notifications: { taskIds: [taskId], toolsListChanged: true },
      _meta: tag,
    })
    expect(heard?.params).toEqual({ taskId, ...working, _meta: tag })
    plane.people.may = (_, action) => action === 'server.use'
    const { response, id: upstreamId } = upstream.asked.at(-1) as Scripted
    response.write(notice(upstreamId, id))
    response.write(event({ method: 'notifications/tools/list_changed', params: tagOf(upstreamId) }))
    await vi.waitFor(() => expect(eventsOf(stream.text())).toHaveLength(3))
    expect(eventsOf(stream.text())[2]?.method).toBe('notifications/tools/list_changed')
    stream.close()
  })
})

const tagOf = (subscription: number) => ({
  _meta: { 'io.modelcontextprotocol/subscriptionId': subscription },
})
const notice = (subscription: number, taskId: string) =>
  event({ method: 'notifications/tasks', params: { taskId, ...working, ...tagOf(subscription) } })

function listen({ id: subscription, params, events }: Scripted): void {
  const method = 'notifications/subscriptions/acknowledged'
  const acknowledged = { notifications: params.notifications, ...tagOf(subscription) }
  events(
    event({ method, params: acknowledged }),
    notice(subscription, 'of-another'),
    notice(subscription, id),
  )
}

describe('a task of 2025-11-25', () => {
  const tasks = { list: {}, cancel: {}, requests: { tools: { call: {} } } }
  const task = (taskId: unknown) => ({ taskId, ...working })
  const script: Script = {
    initialize({ response, result }) {
      response.setHeader('mcp-session-id', `upstream-${Math.random()}`)
      const capabilities = { tools: {}, tasks: { ...tasks, odd: 1 }, extensions: { 'com.example/own': {} } }
      result({ protocolVersion: '2025-11-25', capabilities, serverInfo: { name: 's', version: '1' } })
    },
    'tools/list': ({ result }) =>
      result({ tools: ['work', 'other'].map(name => ({ name, inputSchema: {} })) }),
    'tools/call': ({ params, result }) => result({ task: task(`${id} of ${params.name}`), 'x-vendor': id }),
    'tasks/get': ({ params, result }) => result(task(params.taskId)),
    'tasks/cancel': ({ params, result }) => result(task(params.taskId)),
    'tasks/result': ({ params, result }) =>
      result({ content: [], _meta: { [relatedTask]: { taskId: params.taskId, x: 1 } } }),
    'tasks/list': ({ result }) =>
      result({ tasks: [`${id} of work`, 'of-another', `${id} of other`].map(task), nextCursor: 'n' }),
  }

  let sessions: Record<string, string> = {}
  const as = async (who: string) => (sessions[who] ??= await plane.session(who))
  const ask = async (who: string, method: string, params: Params = {}): Promise<Message> =>
    answerOf(await plane.say(who, 'session', { id: 'c', method, params, session: await as(who) }))
  const created = async (who = 'ana', name = 'work') => {
    const { result } = await ask(who, 'tools/call', { name, task: { ttl: 1000 } })
    return (result?.task as Params | undefined)?.taskId
  }

  afterEach(() => {
    sessions = {}
  })

  it('is advertised by its server, and not by its client', async () => {
    await begin(script)
    const capabilities = { roots: {}, tasks: { list: {} }, extensions: { 'com.example/own': {} } }
    const params = { protocolVersion: '2025-11-25', capabilities, clientInfo: { name: 'c', version: '1' } }
    const { result } = answerOf(await plane.say('ana', 'session', { id: 0, method: 'initialize', params }))
    expect(result?.capabilities).toEqual({ tools: {}, tasks })
    expect(upstream.asked.at(-1)?.params.capabilities).toEqual({ roots: {} })
  })

  it('has a name of its own for its caller, and every other byte of its server', async () => {
    await begin(script)
    const { result } = await ask('ana', 'tools/call', { name: 'work', task: {} })
    const taskId = await created()
    expect(result).toEqual({ task: task(taskId), 'x-vendor': id })
    expect(taskId).toMatch(/^[\w-]{40,}$/)
    expect((await ask('ana', 'tasks/get', { taskId })).result).toEqual(task(taskId))
    expect((await ask('ana', 'tasks/cancel', { taskId })).result).toEqual(task(taskId))
    const _meta = { [relatedTask]: { taskId, x: 1 } }
    expect((await ask('ana', 'tasks/result', { taskId })).result).toEqual({ content: [], _meta })
    const asked = upstream.asked.filter(({ method }) => method.startsWith('tasks/'))
    expect(asked.map(({ params }) => params.taskId)).toEqual(asked.map(() => `${id} of work`))
  })

  it('is unknown under every other name, and to everybody else', async () => {
    await begin(script)
    const taskId = await created()
    for (const [who, name] of [
      ['ben', taskId],
      ['ana', `${id} of work`],
      ['ana', changed(taskId)],
    ])
      for (const method of ['tasks/get', 'tasks/result', 'tasks/cancel'])
        expect((await ask(String(who), method, { taskId: name })).error).toMatchObject(unknown)
    plane.people.may = (_, action, { tool }) => action === 'server.use' || tool?.name === 'other'
    expect((await ask('ana', 'tasks/get', { taskId })).error).toMatchObject(unknown)
    expect(upstream.asked.some(({ method }) => method.startsWith('tasks/'))).toBe(false)
  })

  it('is in the list of its caller, for as long as they may call its tool', async () => {
    await begin(script)
    const listed = async (who: string) => {
      const { result } = await ask(who, 'tasks/list')
      expect(JSON.stringify(result?._meta ?? {})).not.toContain('None of the')
      return Array.isArray(result?.tasks) ? result.tasks.map(one => one.taskId) : undefined
    }
    expect(await listed('ana')).toEqual([])
    const one = await created('ana', 'work')
    const two = await created('ana', 'other')
    expect(await listed('ana')).toEqual([one, two])
    expect(await listed('ben')).toEqual([])
    plane.people.may = (_, action, { tool }) => action !== 'tool.call' || tool?.name === 'other'
    expect(await listed('ana')).toEqual([two])
  })

  it('is spoken of by its server only to its caller, who answers in the same words', async () => {
    const related = (taskId: string) => ({ _meta: { [relatedTask]: { taskId } } })
    const speak = ({ events }: Scripted) =>
      events(
        event({ method: 'notifications/tasks/status', params: task('of-another') }),
        event({ method: 'notifications/message', params: { level: 'info', ...related('of-another') } }),
        event({ method: 'notifications/tasks/status', params: task(`${id} of work`) }),
        event({
          id: 'q',
          method: 'elicitation/create',
          params: { message: '?', ...related(`${id} of work`) },
        }),
      )
    await begin({ ...script, GET: speak, 'tasks/result': speak })
    const taskId = await created()
    const session = await as('ana')
    const streams = [
      await plane.follow('ana', { headers: inSession(session) }),
      await plane.follow(
        'ana',
        inEra('session', { id: 9, method: 'tasks/result', params: { taskId }, session }),
      ),
    ]
    for (const stream of streams) {
      await vi.waitFor(() => expect(eventsOf(stream.text())).toHaveLength(2))
      const [status, question] = eventsOf(stream.text())
      expect(status?.params).toEqual(task(taskId))
      expect(question).toMatchObject({
        id: expect.anything(),
        params: { _meta: { [relatedTask]: { taskId } } },
      })
    }
    const answer = (name: unknown) => ({ action: 'decline', _meta: { [relatedTask]: { taskId: name } } })
    const respond = (name: unknown) => {
      const { headers = {} } = inEra('session', { method: 'x', session })
      const body = { jsonrpc: '2.0', id: eventsOf(streams[1]?.text() ?? '')[1]?.id, result: answer(name) }
      return plane.ask('ana', { method: 'POST', headers, body })
    }
    expect(answerOf(await respond('of-another')).error).toMatchObject(unknown)
    expect((await respond(taskId)).status).toBe(202)
    for (const stream of streams) stream.close()
  })

  it('is not made of a call that did not ask for one', async () => {
    await begin(script)
    const { result } = await ask('ana', 'tools/call', { name: 'work' })
    expect(result).toEqual({ task: task(`${id} of work`), 'x-vendor': id })
  })
})

describe.each<Era>(['session', 'stateless'])('extensions of the %s era', era => {
  it('are advertised as far as they are relayed', async () => {
    const own = { 'com.example/own': {}, 'io.modelcontextprotocol/ui': { a: 1 }, [extension]: {} }
    const capabilities = { tools: {}, resources: {}, extensions: own }
    await begin({
      initialize: ({ result }) => result({ protocolVersion: '2025-11-25', capabilities }),
      'server/discover': ({ result }) => result({ supportedVersions: ['2026-07-28'], capabilities }),
      'tools/call': ({ params, result }) => result({ content: [], got: params._meta }),
    })
    const asked = era === 'session' ? 'initialize' : 'server/discover'
    const _meta = { 'io.modelcontextprotocol/clientCapabilities': { extensions: own } }
    const params = { protocolVersion: '2025-11-25', capabilities: { extensions: own }, _meta }
    const { result } = answerOf(await plane.say('ana', era, { id: 1, method: asked, params }))
    const { 'com.example/own': _, [extension]: tasks, ...both } = own
    const relayed = era === 'session' ? both : { ...both, [extension]: tasks }
    expect(result?.capabilities).toEqual({ tools: {}, resources: {}, extensions: relayed })
    const got = upstream.asked.at(-1)?.params
    const declaredThere =
      era === 'session' ? got?.capabilities : got?._meta?.['io.modelcontextprotocol/clientCapabilities']
    expect(declaredThere).toEqual({ extensions: relayed })
  })
})
