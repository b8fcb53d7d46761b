import { afterEach, describe, expect, it, vi } from 'vitest'
import { type Answered, open, send } from '../../test/fixtures/http-call.ts'
import { answerOf, eventsOf, inEra } from '../../test/fixtures/mcp-call.ts'
import { openPlane, type Plane, upstreamAt } from '../../test/fixtures/mcp-plane.ts'
import {
  event,
  type Script,
  type ScriptedUpstream,
  startScripted,
} from '../../test/fixtures/scripted-upstream.ts'

let plane: Plane
let upstream: ScriptedUpstream

async function begin(script: Script = {}): Promise<void> {
  upstream = await startScripted(script)
  plane = await openPlane(upstreamAt(upstream.url))
  await plane.catalogue.sync(upstreamAt(upstream.url))
  upstream.asked.length = 0
}

afterEach(async () => {
  await plane?.close()
  await upstream?.stop()
})

const subscriptionId = 'io.modelcontextprotocol/subscriptionId'
const callOf = (name: string, args: unknown = {}) =>
  inEra('stateless', { id: 'c', method: 'tools/call', params: { name, arguments: args } })

function ask(said: { method: string; params?: Record<string, unknown> }): Promise<Answered> {
  return plane.say('ana', 'stateless', { id: 'c', ...said })
}

async function callWith(name: string, args: unknown, headers: Record<string, string>): Promise<Answered> {
  const asked = callOf(name, args)
  return plane.ask('ana', { ...asked, headers: { ...asked.headers, ...headers } })
}

describe('arguments that are mirrored into headers', () => {
  const mirrored = {
    name: 'mirrored',
    inputSchema: {
      type: 'object',
      properties: {
        region: { type: 'string', 'x-mcp-header': 'Region' },
        retries: { type: 'integer', 'x-mcp-header': 'Retries' },
        deep: { type: 'object', properties: { dry: { type: 'boolean', 'x-mcp-header': 'Dry' } } },
      },
    },
  }
  const wrong = {
    name: 'wrong',
    inputSchema: { type: 'object', properties: { a: { type: 'number', 'x-mcp-header': 'A' } } },
  }
  const plain = { name: 'plain', inputSchema: { type: 'object' } }
  const script: Script = { 'tools/list': ({ result }) => result({ tools: [mirrored, wrong, plain] }) }

  it.each<[unknown, Record<string, string>]>([
    [{ region: 'eu' }, { 'mcp-param-region': 'eu' }],
    [{ region: 'é' }, { 'mcp-param-region': '=?base64?w6k=?=' }],
    [{ region: '' }, { 'mcp-param-region': '' }],
    [{ region: null, retries: null }, {}],
    [{}, {}],
    [undefined, {}],
    [{ retries: 42 }, { 'mcp-param-retries': '42.0' }],
    [{ retries: -0 }, { 'Mcp-Param-Retries': '0' }],
    [{ deep: { dry: false } }, { 'mcp-param-dry': 'false' }],
    [{ region: 'eu' }, { 'mcp-param-region': 'eu', 'mcp-param-unknown': 'passed on' }],
  ])('pass when they say the same: %j', async (args, headers) => {
    await begin(script)
    expect((await callWith('mirrored', args, headers)).status).toBe(200)
    const seen = upstream.named('tools/call')[0]?.headers ?? {}
    for (const [name, value] of Object.entries(headers)) expect(seen[name.toLowerCase()]).toBe(value)
  })

  it.each<[unknown, Record<string, string>]>([
    [{ region: 'eu' }, {}],
    [{ region: 'eu' }, { 'mcp-param-region': 'us' }],
    [{ region: 'eu' }, { 'mcp-param-region': 'EU' }],
    [{ region: 'Hello' }, { 'mcp-param-region': '=?base64?SGVsbG8?=' }],
    [{ region: 'Hello' }, { 'mcp-param-region': '=?base64?SGVs!!!bG8=?=' }],
    [{}, { 'mcp-param-region': 'eu' }],
    [{ region: null }, { 'mcp-param-region': 'null' }],
    [{ retries: 42 }, { 'mcp-param-retries': '0x2a' }],
    [{ retries: 42 }, { 'mcp-param-retries': '' }],
    [{ region: { a: 1 } }, { 'mcp-param-region': '[object Object]' }],
    [{ deep: { dry: false } }, { 'mcp-param-dry': 'False' }],
  ])('are refused when they do not: %j with %j', async (args, headers) => {
    await begin(script)
    const answered = await callWith('mirrored', args, headers)
    expect([answered.status, answerOf(answered).error?.code]).toEqual([400, -32020])
    expect(upstream.named('tools/call')).toEqual([])
  })

  it('tell a caller who may not have the tool nothing about it', async () => {
    await begin(script)
    plane.people.may = (_, action, { tool }) => action !== 'tool.call' || tool?.name === 'plain'
    const answers = await Promise.all(
      ['mirrored', 'no-such'].map(name => callWith(name, { region: 'eu' }, {})),
    )
    const [denied = '', absent] = answers.map(({ status, text }) =>
      `${status} ${text}`.replace(/"requestId":"[^"]*"/, ''),
    )
    expect(absent).toBe(denied.replaceAll('mirrored', 'no-such'))
  })

  it('take a tool off the list that says it wrongly, in this era only', async () => {
    await begin(script)
    const names = ({ text }: Answered) => [...text.matchAll(/"name":"(\w+)"/g)].map(([, name]) => name)
    expect(names(await ask({ method: 'tools/list' }))).toEqual(['mirrored', 'plain'])
    const session = await plane.session('ana')
    const listed = await plane.say('ana', 'session', { id: 1, method: 'tools/list', session })
    expect(names(listed)).toEqual(['mirrored', 'wrong', 'plain'])
  })
})

describe('a listen', () => {
  const listen = (notifications: Record<string, unknown>) => {
    const asked = inEra('stateless', { id: 'l', method: 'subscriptions/listen', params: { notifications } })
    return open(plane.url, { ...asked, token: 'ana' })
  }
  const note = (method: string, id: number) => event({ method, params: { _meta: { [subscriptionId]: id } } })
  let say: (...methods: string[]) => void
  const script: Script = {
    'subscriptions/listen'({ id, events, response }) {
      events(note('notifications/subscriptions/acknowledged', id))
      say = (...methods) => void response.write(methods.map(method => note(method, id)).join(''))
    },
  }

  it('is told nothing its caller may not hear of, whenever that changes', async () => {
    await begin(script)
    const stream = await listen({ toolsListChanged: true, resourcesListChanged: true })
    await vi.waitFor(() => expect(eventsOf(stream.text())).toHaveLength(1))
    say('notifications/resources/list_changed')
    await vi.waitFor(() => expect(eventsOf(stream.text())).toHaveLength(2))
    plane.people.may = (_, action) => !/^(resource|prompt)/.test(action)
    say(
      'notifications/resources/list_changed',
      'notifications/resources/updated',
      'notifications/prompts/list_changed',
      'notifications/tools/list_changed',
    )
    await vi.waitFor(() => expect(eventsOf(stream.text())).toHaveLength(3))
    expect(eventsOf(stream.text()).at(-1)?.method).toBe('notifications/tools/list_changed')
    expect(stream.text()).not.toContain('updated')
    stream.close()
  })

  it('ends with its result when its caller loses the server, the token, or the gateway', async () => {
    await begin(script)
    const losses = [
      () => {
        plane.people.may = () => false
        plane.announcements.announce({ topic: 'access.changed' })
      },
      () => {
        plane.people.revoked.add('ana')
        plane.announcements.announce({ topic: 'identity.changed' })
      },
      () => plane.mcp.endStreams(),
    ]
    for (const lose of losses) {
      plane.people.may = () => true
      plane.people.revoked.clear()
      const stream = await listen({ toolsListChanged: true })
      await vi.waitFor(() => expect(eventsOf(stream.text())).toHaveLength(1))
      lose()
      await stream.ended
      expect(eventsOf(stream.text()).at(-1)).toEqual({
        jsonrpc: '2.0',
        id: 'l',
        result: { resultType: 'complete', _meta: { [subscriptionId]: 'l' } },
      })
      await vi.waitFor(() =>
        expect(upstream.named('subscriptions/listen').at(-1)?.response.destroyed).toBe(true),
      )
    }
    expect(plane.mcp.streams()).toBe(0)
  })
})

describe('a call', () => {
  it('goes on when the gateway only ends its streams', async () => {
    let answer = () => {}
    await begin({
      'tools/call'({ result }) {
        answer = () => result({ content: [] })
      },
    })
    const pending = plane.ask('ana', callOf('work'))
    await vi.waitFor(() => expect(upstream.named('tools/call')).toHaveLength(1))
    plane.mcp.endStreams()
    answer()
    expect(answerOf(await pending).result).toEqual({ content: [] })
  })

  it('is cancelled when its client goes away', async () => {
    await begin({ 'tools/call': () => {} })
    const asked = send(plane.url, { ...callOf('work'), token: 'ana' })
    asked.response.catch(() => undefined)
    await vi.waitFor(() => expect(upstream.named('tools/call')).toHaveLength(1))
    asked.abort()
    await vi.waitFor(() => expect(upstream.named('tools/call')[0]?.response.destroyed).toBe(true))
    expect(plane.audit.events.at(-1)).toMatchObject({ action: 'tools/call', outcome: 'cancelled' })
    expect(plane.mcp.streams()).toBe(0)
  })

  it('gets no event ids, and is over when its stream ends', async () => {
    await begin({
      'tools/call'({ events, response }) {
        events('id: 1\ndata:\n\n', event({ method: 'notifications/message', params: { data: 'x' } }, '2'))
        response.end()
      },
    })
    const answered = await plane.ask('ana', callOf('work'))
    expect(answered.text).not.toMatch(/^id:/m)
    expect(answerOf(answered).error?.data).toMatchObject({ code: 'upstream.outcome_unknown' })
  })

  it('hears that it was cancelled by its own id', async () => {
    await begin({
      'tools/call'({ id, events, response }) {
        events(event({ method: 'notifications/cancelled', params: { requestId: id } }))
        response.end(event({ id, result: {} }))
      },
    })
    const [note] = eventsOf((await plane.ask('ana', callOf('work'))).text)
    expect(note).toMatchObject({ method: 'notifications/cancelled', params: { requestId: 'c' } })
  })
})

it('takes notifications and drops them, but no request without an id', async () => {
  await begin()
  const say = (method: string) => plane.say('ana', 'stateless', { method, params: { name: 'work' } })
  expect((await say('notifications/cancelled')).status).toBe(202)
  expect((await say('tools/call')).status).toBe(400)
  expect(upstream.asked).toEqual([])
})

describe('what was read', () => {
  const uri = 'file:///a'
  const read = { method: 'resources/read', params: { uri } }

  it.each([10, 100_000])('is never to be shared, with a text of %i characters', async length => {
    const contents = [{ uri, text: 'x'.repeat(length) }]
    await begin({
      'resources/read': ({ result }) =>
        result({ resultType: 'complete', cacheScope: 'public', ttlMs: 5, contents }),
    })
    expect(answerOf(await ask(read)).result).toEqual({
      resultType: 'complete',
      cacheScope: 'private',
      ttlMs: 5,
      contents,
    })
  })
})

describe('the catalogue', () => {
  const tool = (readOnlyHint: boolean) => ({ name: 'work', inputSchema: {}, annotations: { readOnlyHint } })

  it('believes what was said of a tool last', async () => {
    let isReadOnly = true
    await begin({ 'tools/list': ({ result }) => result({ tools: [tool(isReadOnly)] }) })
    plane.change({
      policy: { default: 'allow', allow: [], deny: [], annotations: 'claimed', changes: 'accept' },
    })
    plane.people.may = (_, action, target) => action !== 'tool.call' || target.tool?.readOnly === true
    const list = async () => answerOf(await ask({ method: 'tools/list' })).result?.tools
    const works = async () => answerOf(await plane.ask('ana', callOf('work'))).error === undefined
    expect([await list(), await works()]).toEqual([[tool(true)], true])
    isReadOnly = false
    expect([await list(), await works()]).toEqual([[], false])
    isReadOnly = true
    await plane.catalogue.sync(upstreamAt(upstream.url))
    expect(await works()).toBe(true)
  })

  it('forgets a tool the server no longer has', async () => {
    let tools = [{ name: 'work', inputSchema: {} }]
    await begin({ 'tools/list': ({ result }) => result({ tools }) })
    tools = []
    await plane.catalogue.sync(upstreamAt(upstream.url))
    expect(plane.catalogue.tool('server-1', 'work')).toBeUndefined()
  })

  it('is not asked again because of somebody who may not call what they name', async () => {
    await begin()
    vi.spyOn(plane.catalogue, 'surprise')
    plane.people.may = (_, action, target) => action !== 'tool.call' || target.tool?.readOnly === true
    expect(answerOf(await plane.ask('ana', callOf('no-such'))).error?.code).toBe(-32602)
    expect(plane.catalogue.surprise).not.toHaveBeenCalled()
    plane.people.may = () => true
    await plane.ask('ana', callOf('no-such'))
    expect(plane.catalogue.surprise).toHaveBeenCalledOnce()
  })
})
