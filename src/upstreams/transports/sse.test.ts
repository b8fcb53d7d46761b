import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  answer,
  type Line,
  type ScriptedSocket,
  startSocket,
} from '../../../test/fixtures/scripted-socket.ts'
import type { SessionLink } from '../link.ts'
import { type Deadlines, openDeadlines } from './deadlines.ts'
import { openSseSession } from './sse.ts'
import { openWire, type Wire } from './wire.ts'

const upstreamId = 1_111_111_111
const opening = { protocolVersion: '2024-11-05', capabilities: {} }
const limits = { messageBytes: 100_000, resultBytes: 100_000, callSeconds: 5, callSecondsMax: 5 }
let server: ScriptedSocket
let wire: Wire
let deadlines: Deadlines
const lost = vi.fn()
const listChanged = vi.fn()

/** What came as POSTs: their messages, and the path they came to. */
const posted = () =>
  server.lines.flatMap(({ text }) =>
    [...text().matchAll(/POST (\S+) [^{]*(\{.*?\})(?=POST|$)/gs)].map(([, path, body = '']) => ({
      path,
      ...JSON.parse(body),
    })),
  )
const streams = () => server.lines.filter(({ text }) => text().startsWith('GET '))
const say = (...events: string[]) => void streams().at(-1)?.socket.write(events.join(''))
const message = (body: object) => `event: message\ndata: ${JSON.stringify({ jsonrpc: '2.0', ...body })}\n\n`

type Manner = {
  readonly endpoint?: string
  readonly post?: string
  readonly head?: string
  readonly initialize?: object | null
}

function polite({
  endpoint = '/messages?id=1',
  post = 'HTTP/1.1 202 OK\r\ncontent-length: 0\r\n\r\n',
  head,
  initialize,
}: Manner) {
  return (line: Line) => {
    if (line.text().startsWith('GET ')) {
      const events = head ?? 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n'
      return void line.socket.write(`${events}event: endpoint\ndata: ${endpoint}\n\n`)
    }
    line.socket.write(post)
    if (line.text().includes('"initialize"') && initialize !== null)
      say(message({ id: upstreamId, ...(initialize ?? { result: opening }) }))
  }
}

async function open(manner: Manner = {}, url?: string): Promise<SessionLink> {
  server = await startSocket(polite(manner))
  deadlines = openDeadlines()
  const transport = {
    kind: 'sse',
    url: url ?? `http://127.0.0.1:${server.port}/sse`,
    allowPrivateNetwork: true,
  } as const
  wire = openWire(transport, { connections: 8, connectSeconds: 2 }, deadlines)
  const parts = {
    wire,
    url: transport.url,
    to: { headers: ['authorization', 'Bearer own'] },
    limits,
    deadlines,
    lost,
    listChanged,
  }
  const body = Buffer.from(
    JSON.stringify({ jsonrpc: '2.0', id: upstreamId, method: 'initialize', params: {} }),
  )
  return openSseSession(parts, body, upstreamId, '"mine"')
}

beforeEach(() => vi.clearAllMocks())

afterEach(async () => {
  await wire.close()
  deadlines.close()
  await server.stop()
})

function ask(link: SessionLink) {
  const got: string[] = []
  const note = (kind: string) => (bytes: Buffer) => void got.push(`${kind} ${bytes}`)
  const sink = {
    clientId: '7',
    whole: true,
    started: () => {},
    streaming: () => {},
    message: note('message'),
    priming: () => {},
    answer: note('answer'),
    piece: note('piece'),
    finished: () => {},
    failed: (error: { code: string }) => void got.push(error.code),
  }
  const body = Buffer.from('{"jsonrpc":"2.0","id":5,"method":"tools/call"}')
  link.request({ body, upstreamId: 5, method: 'tools/call', params: {}, sink, mirrored: [], endless: false })
  return got
}

describe('a session', () => {
  it('is opened where the server names its endpoint, with the credentials it had', async () => {
    const link = await open({ endpoint: 'messages?id=1' })
    expect(link.opening.body).toMatchObject({ result: opening })
    expect(posted()).toMatchObject([{ path: '/messages?id=1', method: 'initialize' }])
    for (const { text } of server.lines) expect(text()).toContain('authorization: Bearer own')
    await link.close()
    await vi.waitFor(() => expect(streams()[0]?.socket.destroyed).toBe(true))
  })

  it('gives answers to who asked, on the stream', async () => {
    const link = await open()
    const got = ask(link)
    await vi.waitFor(() => expect(posted()).toHaveLength(2))
    say(
      ': comment\n\n',
      'event: ping\ndata: {"jsonrpc":"2.0","id":5,"result":{}}\n\n',
      message({ id: 6, result: {} }),
    )
    say(message({ id: 5, result: { ok: true } }), message({ id: 5, result: {} }))
    await vi.waitFor(() => expect(got).toEqual(['answer {"jsonrpc":"2.0","id":7,"result":{"ok":true}}']))
    await link.close()
  })

  it('hears of a changed list, which the gateway hears too', async () => {
    const link = await open()
    const heard: unknown[] = []
    const to = { answer: () => {}, priming: () => {}, ended: () => heard.push('ended') }
    link.listen({ ...to, message: (_, body) => heard.push(body.method) }, undefined)
    say(message({ method: 'notifications/tools/list_changed' }))
    await vi.waitFor(() => expect(heard).toEqual(['notifications/tools/list_changed']))
    expect(listChanged).toHaveBeenCalledOnce()
    streams()[0]?.socket.end()
    await vi.waitFor(() => expect(heard).toEqual(['notifications/tools/list_changed', 'ended']))
    expect(lost).toHaveBeenCalledOnce()
  })

  it('says nothing before what was said before has arrived', async () => {
    const link = await open({ post: '', initialize: { result: opening } })
    let isOver = false
    const first = link.notify('notifications/initialized', Buffer.from('{"n":1}')).then(() => {
      isOver = true
    })
    await vi.waitFor(() => expect(posted()).toHaveLength(2))
    expect(isOver).toBe(false)
    for (const { socket, text } of server.lines) if (text().startsWith('POST')) socket.write(answer(''))
    await first
    await link.close()
  })
})

describe('what ends it', () => {
  it.each([
    ['an end of the stream', () => void streams()[0]?.socket.end(), 'upstream.outcome_unknown'],
    ['a broken stream', () => void streams()[0]?.socket.resetAndDestroy(), 'upstream.outcome_unknown'],
    [
      'an endpoint elsewhere',
      () => say('event: endpoint\ndata: http://example.com/\n\n'),
      'upstream.bad_answer',
    ],
    ['a message without end', () => say(`data: ${'x'.repeat(200_000)}`), 'upstream.bad_answer'],
  ])('%s fails what is under way', async (_, end, code) => {
    const link = await open()
    const got = ask(link)
    await vi.waitFor(() => expect(posted()).toHaveLength(2))
    end()
    await vi.waitFor(() => expect(got).toEqual([code]))
    expect(lost).toHaveBeenCalledOnce()
    expect(ask(link)).toEqual([code === 'upstream.outcome_unknown' ? 'upstream.unreachable' : code])
  })

  it.each<[string, Manner, string]>([
    ['another origin', { endpoint: 'http://127.0.0.1:1/messages' }, 'upstream.bad_answer'],
    ['another scheme', { endpoint: 'file:///etc/passwd' }, 'upstream.bad_answer'],
    ['the address of another host', { endpoint: '//example.com/messages' }, 'upstream.bad_answer'],
    [
      'no event stream',
      { head: 'HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n' },
      'upstream.bad_answer',
    ],
    ['a refusal', { head: 'HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n' }, 'upstream.unauthorized'],
    [
      'a refused POST',
      { post: 'HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n', initialize: null },
      'upstream.unreachable',
    ],
  ])('%s at the beginning leaves nothing open', async (_, manner, code) => {
    await expect(open(manner)).rejects.toMatchObject({ code })
    await vi.waitFor(() => expect(streams().every(({ socket }) => socket.destroyed)).toBe(true))
  })

  it('an address where nobody is', async () => {
    await expect(open({}, 'http://127.0.0.1:1/sse')).rejects.toMatchObject({ code: 'upstream.unreachable' })
  })

  it('a wire that was closed', async () => {
    const link = await open()
    const got = ask(link)
    await wire.close()
    await vi.waitFor(() => expect(got).toEqual(['upstream.outcome_unknown']))
    const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 9, method: 'initialize' }))
    const parts = {
      wire,
      url: `http://127.0.0.1:${server.port}/sse`,
      to: { headers: [] },
      limits,
      deadlines,
      lost,
      listChanged,
    }
    await expect(openSseSession(parts, body, 9, '1')).rejects.toMatchObject({ code: 'upstream.unreachable' })
  })
})

it('asking for more than it takes answers to is let go of', async () => {
  const link = await open()
  // From now on it takes nothing more.
  for (const { socket } of server.lines) socket.removeAllListeners('data')
  const pings = Array.from({ length: 1200 }, (_, id) => message({ id, method: 'ping' }))
  const before = server.lines.length
  say(...pings)
  await vi.waitFor(() => expect(lost).toHaveBeenCalledOnce())
  expect(server.lines.length - before).toBeLessThanOrEqual(1000)
  await link.close()
})
