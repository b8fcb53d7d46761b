import { afterEach, describe, expect, it, vi } from 'vitest'
import { type Answered, call, type Opened, open } from '../../test/fixtures/http-call.ts'
import { answerOf, eventsOf, hello, type Message } from '../../test/fixtures/mcp-call.ts'
import { openPlane, type Plane, upstreamAt } from '../../test/fixtures/mcp-plane.ts'
import {
  event,
  type Script,
  type ScriptedUpstream,
  startScripted,
} from '../../test/fixtures/scripted-upstream.ts'

let plane: Plane
let upstream: ScriptedUpstream
let url: string

async function begin(script: Script = {}, limits: Record<string, string> = {}): Promise<void> {
  upstream = await startScripted(script)
  plane = await openPlane(upstreamAt(upstream.url), limits)
  await plane.catalogue.sync(upstreamAt(upstream.url))
  upstream.asked.length = 0
  url = plane.url.replace(/server$/, 'sse')
}

afterEach(async () => {
  await plane?.close()
  await upstream?.stop()
})

type Client = {
  readonly stream: Opened
  readonly endpoint: string
  post(body: unknown, who?: string): Promise<Answered>
  /** The messages on the stream, without the endpoint. */
  said(): Message[]
}

async function connect(who = 'ana'): Promise<Client> {
  const stream = await open(url, { token: who, headers: { accept: 'text/event-stream' } })
  await vi.waitFor(() => expect(stream.text()).toMatch(/^event: endpoint\ndata: .+\n\n/))
  const [, path] = /data: (.+)/.exec(stream.text()) ?? []
  const endpoint = new URL(path ?? '', url).href
  return {
    stream,
    endpoint,
    post: (body, token = who) => call(endpoint, { method: 'POST', token, body }),
    said: () => eventsOf(stream.text().slice(stream.text().indexOf('\n\n') + 2)),
  }
}

const message = (rest: object) => ({ jsonrpc: '2.0', ...rest })
const opening = message({ id: 0, method: 'initialize', params: hello })
const initialized = message({ method: 'notifications/initialized' })
const work = (id: string | number) =>
  message({ id, method: 'tools/call', params: { name: 'work', arguments: {} } })

async function ready(who = 'ana'): Promise<Client> {
  const client = await connect(who)
  expect((await client.post(opening)).status).toBe(202)
  await vi.waitFor(() => expect(client.said()).toHaveLength(1))
  expect((await client.post(initialized)).status).toBe(202)
  return client
}

describe('a client that knows only HTTP+SSE', () => {
  it('is told where to post, and answered on its stream', async () => {
    await begin()
    const client = await connect()
    expect(new URL(client.endpoint).pathname).toBe('/mcp/lab/work/sse')
    expect(await client.post(opening)).toMatchObject({ status: 202, text: '' })
    await vi.waitFor(() => expect(client.said()).toHaveLength(1))
    await client.post(initialized)
    for (const id of [1, '1']) await client.post(work(id))
    await vi.waitFor(() => expect(client.said()).toHaveLength(3))
    expect(client.said()[0]).toMatchObject({ id: 0, result: { serverInfo: { name: 'scripted' } } })
    const ids = client.said().map(({ id }) => id)
    expect([ids.length, new Set(ids)]).toEqual([3, new Set([0, 1, '1'])])
    expect(client.stream.text()).not.toContain('\nid:')
    expect(plane.audit.events.map(({ action, outcome }) => `${action} ${outcome}`)).toEqual([
      'GET ok',
      'initialize ok',
      'notifications/initialized ok',
      'tools/call ok',
      'tools/call ok',
    ])
    client.stream.close()
  })

  it('hears what the server says unasked, answers what it asks, and is asked inside a call', async () => {
    await begin({
      GET: ({ events }) => events(event({ method: 'notifications/message', params: { data: 'unasked' } })),
      'tools/call': ({ events }) => events(event({ id: 9, method: 'elicitation/create', params: {} })),
      response: ({ response }) => {
        response.writeHead(202).end()
        const asked = upstream.named('tools/call')[0]
        asked?.response.end(event({ id: asked.id, result: { content: [] } }))
      },
    })
    const client = await ready()
    await client.post(work(1))
    await vi.waitFor(() => expect(client.said().map(({ method }) => method)).toContain('elicitation/create'))
    expect((await client.post(message({ id: 9, result: { action: 'accept' } }))).status).toBe(202)
    await vi.waitFor(() => expect(client.said().at(-1)).toMatchObject({ id: 1, result: { content: [] } }))
    expect(client.said().map(({ method }) => method)).toContain('notifications/message')
    client.stream.close()
  })

  it('gets answers whole that would pass in pieces elsewhere, between those of others', async () => {
    const text = 'x'.repeat(300_000)
    await begin({
      'tools/call': ({ params, result }) =>
        result({ content: [{ type: 'text', text: params.name === 'work' ? text : '' }] }),
    })
    const client = await ready()
    await Promise.all([
      client.post(work(1)),
      client.post(work(2)),
      client.post(message({ id: 3, method: 'ping' })),
    ])
    await vi.waitFor(() => expect(client.said()).toHaveLength(4))
    const long = client.said().filter(({ id }) => id === 1 || id === 2)
    expect(long.map(({ result }) => JSON.stringify(result).length > 300_000)).toEqual([true, true])
    client.stream.close()
  })

  it('ends its session and all that is under way with its stream', async () => {
    await begin({ 'tools/call': () => {}, GET: ({ events }) => events() })
    const client = await ready()
    await client.post(work(1))
    await vi.waitFor(() => expect(upstream.named('tools/call')).toHaveLength(1))
    expect([plane.mcp.sessions(), plane.mcp.streams()]).toEqual([1, 2])
    client.stream.close()
    await vi.waitFor(() => expect([plane.mcp.sessions(), plane.mcp.streams()]).toEqual([0, 0]))
    await vi.waitFor(() => expect(upstream.named('DELETE')).toHaveLength(1))
    expect(upstream.named('notifications/cancelled')[0]?.params).toMatchObject({
      requestId: upstream.named('tools/call')[0]?.id,
    })
    expect(plane.audit.events.at(-1)).toMatchObject({ action: 'tools/call', outcome: 'cancelled' })
    expect((await client.post(work(2))).status).toBe(404)
  })

  it('loses its stream with its rights, or its server', async () => {
    await begin({ GET: ({ events }) => events() })
    const clients = [await ready(), await ready('bob')]
    plane.people.revoked.add('ana')
    plane.announcements.announce({ topic: 'identity.changed' })
    await clients[0]?.stream.ended
    expect(plane.mcp.sessions()).toBe(1)
    plane.announcements.announce({ topic: 'upstream.changed', serverId: 'server-1' })
    await clients[1]?.stream.ended
    expect([plane.mcp.sessions(), plane.mcp.streams()]).toEqual([0, 0])
  })
})

describe('on HTTP+SSE', () => {
  it('refusals of requests come on the stream; those of posts come as their answer', async () => {
    await begin()
    const client = await connect()
    const early = await client.post(message({ method: 'notifications/initialized' }))
    expect(answerOf(early).error?.data).toMatchObject({ code: 'mcp.session_required' })
    await client.post(work(1))
    await vi.waitFor(() => expect(client.said()).toHaveLength(1))
    await client.post(opening)
    await vi.waitFor(() => expect(client.said()).toHaveLength(2))
    for (const body of [opening, message({ id: 4, method: 'no/such' })]) await client.post(body)
    await vi.waitFor(() => expect(client.said()).toHaveLength(4))
    const codes = client.said().map(({ error }) => (error?.data as { code?: string } | undefined)?.code)
    expect(codes).toEqual(['mcp.session_required', undefined, 'mcp.invalid_request', 'mcp.method_unknown'])
    for (const body of [[work(1)], 7, message({ id: {}, method: 'ping' })])
      expect((await client.post(body)).status).toBe(400)
    client.stream.close()
  })

  it('a session is its owner’s alone, and there is none without a stream', async () => {
    await begin()
    const client = await ready()
    expect((await client.post(work(1), 'bob')).status).toBe(404)
    const elsewhere = await call(`${url}?sessionId=nobody`, { method: 'POST', token: 'ana', body: work(1) })
    expect(answerOf(elsewhere).error?.data).toMatchObject({ code: 'mcp.session_unknown' })
    const nowhere = await call(url, { method: 'POST', token: 'ana', body: opening })
    expect([nowhere.status, nowhere.headers.allow]).toEqual([405, 'GET, POST'])
    const deleted = await call(client.endpoint, { method: 'DELETE', token: 'ana' })
    expect([deleted.status, deleted.headers.allow]).toEqual([405, 'GET, POST'])
    plane.people.may = () => false
    expect((await call(url, { token: 'ana', headers: { accept: 'text/event-stream' } })).status).toBe(404)
    client.stream.close()
  })

  it('a stream is a session, of which one caller has so many', async () => {
    await begin({}, { sessionsPerPrincipal: '2' })
    const clients = [await ready(), await connect()]
    const third = await open(url, { token: 'ana', headers: { accept: 'text/event-stream' } })
    expect(third.status).toBe(503)
    expect((await clients[1]?.post(opening))?.status).toBe(202)
    await vi.waitFor(() => expect(plane.mcp.sessions()).toBe(2))
    clients[0]?.stream.close()
    await vi.waitFor(() => expect(plane.mcp.sessions()).toBe(1))
    const fourth = await connect()
    for (const client of [clients[1], fourth]) client?.stream.close()
  })
})
