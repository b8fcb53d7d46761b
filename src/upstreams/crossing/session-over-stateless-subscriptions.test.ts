import { afterEach, describe, expect, it, vi } from 'vitest'
import { answerOf, eventsOf } from '../../../test/fixtures/mcp-call.ts'
import { inSession } from '../../../test/fixtures/mcp-plane.ts'
import { event, type Scripted } from '../../../test/fixtures/scripted-upstream.ts'
import { type StatelessOnly, startStatelessOnly } from '../../../test/fixtures/stateless-only.ts'
import type { Outgoing } from '../link.ts'
import { Listening } from './session-over-stateless-listen.ts'
import { Subscriptions } from './session-over-stateless-subscriptions.ts'

let server: StatelessOnly

afterEach(() => server?.close())

const subscriptionId = 'io.modelcontextprotocol/subscriptionId'
const capabilities = {
  tools: { listChanged: true },
  resources: { subscribe: true, listChanged: true },
  prompts: {},
}

const say = (id: unknown, method: string, params: object = {}) =>
  event({ method, params: { ...params, _meta: { [subscriptionId]: id, 'dev.example/kept': 1 } } })
const filterOf = ({ params }: Scripted) => Object(params.notifications)
const agree = (asked: Scripted, honoured: object = filterOf(asked)) =>
  asked.events(say(asked.id, 'notifications/subscriptions/acknowledged', { notifications: honoured }))

async function begin(listen: (asked: Scripted) => void = agree) {
  server = await startStatelessOnly({
    'server/discover': ({ result }) => result({ supportedVersions: ['2026-07-28'], capabilities }),
    'subscriptions/listen': listen,
  })
  return server.open()
}

const listens = () => server.upstream.named('subscriptions/listen')
const follow = (session: string) => server.plane.follow('ana', { headers: inSession(session) })
const ask = async (session: string, method: string, uri: string, id = 1) =>
  answerOf(await server.plane.say('ana', 'session', { id, method, params: { uri }, session }))
const subscribe = (session: string, uri: string, id = 1) => ask(session, 'resources/subscribe', uri, id)
const lists = { toolsListChanged: true, resourcesListChanged: true }

describe('the stream of unasked messages', () => {
  it('has what the lists of the server say, without the name of the subscription', async () => {
    const session = await begin()
    expect(listens()).toEqual([])
    const stream = await follow(session)
    await vi.waitFor(() => expect(listens()).toHaveLength(1))
    const [listen] = listens()
    expect(listen?.params.notifications).toEqual(lists)
    expect(listen?.headers).toMatchObject({
      'mcp-method': 'subscriptions/listen',
      'mcp-protocol-version': '2026-07-28',
    })
    const id = listen?.id
    listen?.response.write(say('forged', 'notifications/tools/list_changed'))
    listen?.response.write(say(id, 'notifications/prompts/list_changed'))
    listen?.response.write(say(id, 'notifications/message', { data: 1 }))
    listen?.response.write(say(id, 'notifications/resources/updated', { uri: 'a:b' }))
    listen?.response.write(say(id, 'notifications/tools/list_changed', { 'x-kept': 1 }))
    listen?.response.write(
      event({ method: 'notifications/resources/list_changed', params: { _meta: { [subscriptionId]: id } } }),
    )
    await vi.waitFor(() => expect(eventsOf(stream.text())).toHaveLength(2))
    expect(eventsOf(stream.text())).toEqual([
      {
        jsonrpc: '2.0',
        method: 'notifications/tools/list_changed',
        params: { 'x-kept': 1, _meta: { 'dev.example/kept': 1 } },
      },
      { jsonrpc: '2.0', method: 'notifications/resources/list_changed', params: {} },
    ])
    await server.plane.ask('ana', { method: 'DELETE', headers: inSession(session) })
    await vi.waitFor(() => expect(listen?.response.destroyed).toBe(true))
  })

  it('is opened again when the server ends it, and says what may have been missed', async () => {
    const session = await begin()
    const stream = await follow(session)
    await vi.waitFor(() => expect(listens()).toHaveLength(1))
    expect(await subscribe(session, 'a:b')).toEqual({ jsonrpc: '2.0', id: 1, result: {} })
    expect(listens()).toHaveLength(2)
    const last = listens().at(-1)
    last?.response.end(event({ id: last.id, result: { resultType: 'complete' } }))
    await vi.waitFor(() => expect(listens()).toHaveLength(3))
    expect(listens()[2]?.params.notifications).toEqual({ ...lists, resourceSubscriptions: ['a:b'] })
    await vi.waitFor(() => expect(eventsOf(stream.text())).toHaveLength(3))
    expect(eventsOf(stream.text())).toEqual([
      { jsonrpc: '2.0', method: 'notifications/tools/list_changed' },
      { jsonrpc: '2.0', method: 'notifications/resources/list_changed' },
      { jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri: 'a:b' } },
    ])
    stream.close()
  })

  it('is not asked for again from a server that has none', async () => {
    const session = await begin(({ id, response }) => {
      response.writeHead(404, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32601, message: 'no' } }))
    })
    const stream = await follow(session)
    await vi.waitFor(() => expect(listens()).toHaveLength(1))
    await new Promise(later => setTimeout(later, 1200))
    expect((await subscribe(session, 'a:b')).error?.data).toMatchObject({ code: 'upstream.not_subscribed' })
    expect(listens()).toHaveLength(1)
    stream.close()
  })
})

describe('a subscription to a resource', () => {
  it('begins with a listen that takes the place of the one before', async () => {
    const open: Scripted[] = []
    const session = await begin(asked => {
      open.push(asked)
      if (open.length < 3) agree(asked)
      else asked.events()
    })
    const stream = await follow(session)
    expect(await subscribe(session, 'a:b')).toMatchObject({ result: {} })
    const second = open[1]
    await vi.waitFor(() => expect(open[0]?.response.destroyed).toBe(true))
    const pending = subscribe(session, 'c:d')
    await vi.waitFor(() => expect(open).toHaveLength(3))
    second?.response.write(say(second.id, 'notifications/resources/updated', { uri: 'a:b/part' }))
    await vi.waitFor(() => expect(eventsOf(stream.text())).toHaveLength(1))
    expect(second?.response.destroyed).toBe(false)
    const third = open[2]
    const notifications = third && filterOf(third)
    expect(notifications).toEqual({ ...lists, resourceSubscriptions: ['a:b', 'c:d'] })
    third?.response.write(say(third.id, 'notifications/subscriptions/acknowledged', { notifications }))
    expect(await pending).toMatchObject({ result: {} })
    await vi.waitFor(() => expect(second?.response.destroyed).toBe(true))
    stream.close()
  })

  it('ends with a listen that goes without it', async () => {
    const session = await begin()
    await subscribe(session, 'a:b')
    await subscribe(session, 'c:d')
    expect(await ask(session, 'resources/unsubscribe', 'a:b')).toMatchObject({ result: {} })
    await vi.waitFor(() =>
      expect(listens().at(-1)?.params.notifications).toEqual({ resourceSubscriptions: ['c:d'] }),
    )
    expect(await ask(session, 'resources/unsubscribe', 'c:d')).toMatchObject({ result: {} })
    await vi.waitFor(() => expect(listens().every(({ response }) => response.destroyed)).toBe(true))
    expect(server.upstream.named('resources/subscribe')).toEqual([])
  })

  it('that the server does not agree to is refused', async () => {
    const session = await begin(asked => agree(asked, { resourceSubscriptions: ['a:b'] }))
    await subscribe(session, 'a:b')
    const { error } = await subscribe(session, 'c:d')
    expect(error).toMatchObject({ code: -32602, data: { code: 'upstream.not_subscribed' } })
    await vi.waitFor(() =>
      expect(listens().at(-1)?.params.notifications).toEqual({ resourceSubscriptions: ['a:b'] }),
    )
  })

  it('fails with the server, and not for ever', async () => {
    let isDown = true
    const session = await begin(asked => (isDown ? void asked.response.writeHead(500).end() : agree(asked)))
    expect((await subscribe(session, 'a:b')).error?.data).toMatchObject({ code: 'upstream.not_subscribed' })
    isDown = false
    expect(await subscribe(session, 'a:b')).toMatchObject({ result: {} })
  })

  it('may be given up before the server has agreed', async () => {
    const session = await begin(({ events }) => events())
    const pending = subscribe(session, 'a:b')
    await vi.waitFor(() => expect(listens()).toHaveLength(1))
    const cancelled = { method: 'notifications/cancelled', params: { requestId: 1 }, session }
    await server.plane.say('ana', 'session', cancelled)
    expect((await pending).error?.data).toMatchObject({ code: 'mcp.cancelled' })
    await server.plane.ask('ana', { method: 'DELETE', headers: inSession(session) })
    await vi.waitFor(() => expect(listens()[0]?.response.destroyed).toBe(true))
  })

  it('is one of not too many, and none is left waiting at the end', () => {
    vi.useFakeTimers()
    const flight = { pause: () => {}, resume: () => {}, abort: vi.fn() }
    const link = {
      request({ sink }: Outgoing) {
        sink.started(flight)
        return flight
      },
    }
    const parts = { link, meta: {}, patienceMs: 1000 }
    const subscriptions = new Subscriptions({
      offered: [],
      listening: (filter, events) => new Listening(parts, filter, events),
    })
    const codes: unknown[] = []
    for (let i = 0; i < 257; i++) subscriptions.subscribe(`a:${i}`, error => codes.push(error?.code))
    expect(codes).toEqual(['mcp.invalid_params'])
    subscriptions.close()
    expect(codes.slice(1)).toEqual(Array(256).fill('upstream.not_subscribed'))
    expect(flight.abort).toHaveBeenCalledOnce()
    expect(vi.getTimerCount()).toBe(0)
    vi.useRealTimers()
  })
})
