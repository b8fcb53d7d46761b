import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { GatewayError } from '../../foundation/errors.ts'
import type { Outgoing, SessionLink } from '../link.ts'
import { nextUpstreamId } from '../message.ts'
import type { Sink } from '../sink.ts'
import { Channel, type ChannelParts } from './channel.ts'
import { openChannelSession } from './channel-session.ts'
import { type Deadlines, openDeadlines } from './deadlines.ts'

const limits = { messageBytes: 1e6, resultBytes: 1e6, callSeconds: 1, callSecondsMax: 2 }
let deadlines: Deadlines

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
  deadlines = openDeadlines()
})

afterEach(() => {
  deadlines.close()
  vi.useRealTimers()
})

type Got = { readonly kind: string; readonly text: string }

/** A channel, with what goes out of it and what reaches each sink and each session. */
function openTest(asksBack: boolean) {
  const sent: { id?: unknown; method?: string; params?: Record<string, unknown>; error?: unknown }[] = []
  const listChanged = vi.fn()
  const parts: ChannelParts = {
    send: message => sent.push(JSON.parse(message.toString())) > 0,
    asksBack,
    limits,
    deadlines,
    listChanged,
  }
  const channel = new Channel(parts)
  const receive = (message: object) =>
    channel.receive(Buffer.from(JSON.stringify({ jsonrpc: '2.0', ...message })))
  function open(caller: string) {
    channel.usedBy(caller)
    const heard: Got[] = []
    const lost = vi.fn()
    const link = openChannelSession({
      channel,
      opening: { bytes: Buffer.alloc(0), body: {}, status: 200 },
      sharedHandshake: true,
      asksBack,
      send: body => parts.send(body),
      lost,
      left: () => {},
    })
    const flight = link.listen(
      {
        message: bytes => void heard.push({ kind: 'message', text: bytes.toString() }),
        answer: bytes => void heard.push({ kind: 'answer', text: bytes.toString() }),
        priming: () => {},
        ended: () => void heard.push({ kind: 'ended', text: '' }),
      },
      undefined,
    )
    return { caller, link, heard, lost, stopListening: () => flight.abort() }
  }
  return { channel, sent, listChanged, receive, open }
}

function ask(
  link: Pick<SessionLink, 'request'>,
  more: Partial<Outgoing> & { params?: object; clientId?: string } = {},
) {
  const { method = 'tools/call', params = {}, clientId = '"mine"', endless = false } = more
  const upstreamId = nextUpstreamId()
  const got: Got[] = []
  const note = (kind: string) => (bytes: Buffer) => void got.push({ kind, text: bytes.toString() })
  const sink: Sink = {
    clientId,
    whole: true,
    started: () => {},
    streaming: () => {},
    message: note('message'),
    priming: () => {},
    answer: note('answer'),
    piece: note('piece'),
    finished: () => void got.push({ kind: 'finished', text: '' }),
    failed: error => void got.push({ kind: 'failed', text: error.code }),
  }
  const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: upstreamId, method, params }))
  const flight = link.request({ body, upstreamId, method, params, sink, mirrored: [], endless })
  return { upstreamId, got, flight }
}

const last = ({ got }: { got: Got[] }) => got.at(-1)

describe('an answer', () => {
  it('goes to who asked, with their id, once', () => {
    const { receive, open } = openTest(false)
    const [ana, bob] = [open('ana'), open('bob')]
    const [first, second] = [ask(ana.link), ask(bob.link, { clientId: '7' })]
    receive({ id: second.upstreamId, result: { n: 2 } })
    receive({ id: second.upstreamId, result: { n: 3 } })
    receive({ id: String(first.upstreamId), result: {} })
    receive({ id: null, error: {} })
    expect(second.got).toEqual([{ kind: 'answer', text: '{"jsonrpc":"2.0","id":7,"result":{"n":2}}' }])
    expect([first.got, ana.heard, bob.heard]).toEqual([[], [], []])
  })

  it('that comes too late is nobody’s', () => {
    const { receive, open, sent } = openTest(false)
    const session = open('ana')
    const asked = ask(session.link)
    asked.flight.abort()
    asked.flight.abort()
    session.link.cancel(asked.upstreamId, 'twice')
    receive({ id: asked.upstreamId, result: {} })
    expect(asked.got).toEqual([])
    expect(sent.filter(({ method }) => method === 'notifications/cancelled')).toHaveLength(1)
  })

  it('that does not come is a timeout, which progress puts off, though not for ever', () => {
    const { receive, open, sent } = openTest(false)
    const [silent, busy] = [ask(open('ana').link), ask(open('ana').link)]
    const progress = () =>
      receive({ method: 'notifications/progress', params: { progressToken: busy.upstreamId, progress: 1 } })
    for (let i = 0; i < 3; i++) {
      progress()
      vi.advanceTimersByTime(600)
    }
    expect(last(silent)).toEqual({ kind: 'failed', text: 'upstream.timeout' })
    expect(last(busy)?.kind).toBe('message')
    progress()
    vi.advanceTimersByTime(600)
    expect(last(busy)).toEqual({ kind: 'failed', text: 'upstream.timeout' })
    expect(sent.filter(({ method }) => method === 'notifications/cancelled')).toHaveLength(2)
  })
})

describe('a question of the server', () => {
  const question = { id: 'q', method: 'elicitation/create', params: {} }

  it('is refused where nobody can be asked, and answered where it is only a ping', () => {
    const { receive, open, sent } = openTest(false)
    const session = open('ana')
    const asked = ask(session.link)
    receive(question)
    receive({ id: 5, method: 'ping' })
    receive({ id: { deep: 1 }, method: 'elicitation/create' })
    receive({ id: 'x'.repeat(129), method: 'elicitation/create' })
    expect([asked.got, session.heard]).toEqual([[], []])
    expect(sent.slice(1)).toMatchObject([
      { id: 'q', error: { code: -32601 } },
      { id: 5, result: {} },
    ])
  })

  it('goes to who is being worked for, and only they can answer it, once', async () => {
    const { receive, open, sent } = openTest(true)
    const [ana, bob] = [open('ana'), open('ana')]
    const asked = ask(ana.link)
    receive(question)
    expect(last(asked)?.text).toContain('elicitation/create')
    const answer = Buffer.from('{"jsonrpc":"2.0","id":"q","result":{}}')
    expect(await bob.link.respond('q', answer)).toBe(false)
    expect(await ana.link.respond('other', answer)).toBe(false)
    expect(await ana.link.respond('q', answer)).toBe(true)
    expect(await ana.link.respond('q', answer)).toBe(false)
    expect(sent.filter(({ id }) => id === 'q')).toHaveLength(1)
  })

  it('goes to nobody while it is not clear who is meant', () => {
    const { receive, open, sent } = openTest(true)
    const [ana, bob] = [open('ana'), open('ana')]
    receive(question)
    expect([ana.heard, bob.heard]).toEqual([[], []])
    expect(sent.at(-1)).toMatchObject({ id: 'q', error: {} })
  })

  it('is refused when too many are unanswered', () => {
    const { receive, open, sent } = openTest(true)
    const asked = ask(open('ana').link)
    for (let id = 0; id < 150; id++) receive({ id, method: 'roots/list' })
    expect(asked.got).toHaveLength(100)
    expect(sent.filter(({ error }) => error !== undefined)).toHaveLength(50)
  })
})

describe('what the server says unasked', () => {
  const log = { method: 'notifications/message', params: { level: 'info', data: 'secret of ana' } }

  it('goes on to the only caller there ever was', () => {
    const { receive, open } = openTest(false)
    const ana = open('ana')
    receive(log)
    const asked = ask(ana.link)
    receive(log)
    expect([ana.heard.length, asked.got.length]).toEqual([1, 1])
  })

  it('goes to nobody once there was another, even when they are gone', async () => {
    const { receive, open } = openTest(false)
    const [ana, bob] = [open('ana'), open('bob')]
    const asked = ask(ana.link)
    await bob.link.close()
    receive(log)
    receive({ method: 'notifications/unknown' })
    expect([ana.heard, bob.heard, asked.got]).toEqual([[], [], []])
  })

  it('about lists goes to everybody, about a resource to those who asked for it', () => {
    const { receive, open, listChanged } = openTest(false)
    const [ana, bob] = [open('ana'), open('bob')]
    ask(ana.link, { method: 'resources/subscribe', params: { uri: 'a' } })
    receive({ method: 'notifications/resources/updated', params: { uri: 'a' } })
    receive({ method: 'notifications/resources/updated', params: { uri: 'b' } })
    receive({ method: 'notifications/resources/updated' })
    expect([ana.heard.length, bob.heard.length]).toEqual([1, 0])
    receive({ method: 'notifications/tools/list_changed' })
    expect([ana.heard.length, bob.heard.length]).toEqual([2, 1])
    expect(listChanged).toHaveBeenCalledOnce()
    ana.stopListening()
    receive({ method: 'notifications/tools/list_changed' })
    expect([ana.heard.length, bob.heard.length]).toEqual([2, 2])
  })
})

describe('subscriptions', () => {
  const unsubscribes = (sent: { method?: string; params?: Record<string, unknown> }[]) =>
    sent.filter(({ method }) => method === 'resources/unsubscribe').map(({ params }) => params?.uri)

  it('end at the server with the last who had them', () => {
    const { open, sent } = openTest(false)
    const [ana, bob] = [open('ana'), open('bob')]
    const on = (uri: string, method: string) => ({ method: `resources/${method}`, params: { uri } })
    for (const { link } of [ana, bob]) ask(link, on('a', 'subscribe'))
    const first = ask(ana.link, on('a', 'unsubscribe'))
    expect(first.got).toEqual([{ kind: 'answer', text: '{"jsonrpc":"2.0","id":"mine","result":{}}' }])
    expect(unsubscribes(sent)).toEqual([])
    ask(bob.link, on('a', 'unsubscribe'))
    expect(unsubscribes(sent)).toEqual(['a'])
  })

  it('end with a session that leaves, unless another has them', async () => {
    const { open, sent } = openTest(false)
    const [ana, bob] = [open('ana'), open('bob')]
    for (const uri of ['a', 'b']) ask(ana.link, { method: 'resources/subscribe', params: { uri } })
    ask(bob.link, { method: 'resources/subscribe', params: { uri: 'b' } })
    await ana.link.close()
    expect(unsubscribes(sent)).toEqual(['a'])
    await bob.link.close()
    await bob.link.close()
    expect(unsubscribes(sent)).toEqual(['a', 'b'])
  })
})

describe('the end', () => {
  it('of a session ends what it has under way, and nothing of others', async () => {
    const { open, channel } = openTest(false)
    const [ana, bob] = [open('ana'), open('bob')]
    const [mine, theirs] = [ask(ana.link), ask(bob.link)]
    await ana.link.close()
    expect(mine.got).toEqual([{ kind: 'failed', text: 'mcp.cancelled' }])
    expect(theirs.got).toEqual([])
    expect(channel.isIdle).toBe(false)
  })

  it('of the channel ends everything, and nothing begins after it', () => {
    const { open, channel, sent } = openTest(false)
    const session = open('ana')
    const asked = ask(session.link)
    channel.ended(new GatewayError('upstream.process_failed'))
    channel.ended(new GatewayError('upstream.process_failed'))
    // It was sent, so what became of it is not known; what comes later is not even sent.
    expect(asked.got).toEqual([{ kind: 'failed', text: 'upstream.outcome_unknown' }])
    expect(session.heard).toEqual([{ kind: 'ended', text: '' }])
    expect([session.lost.mock.calls.length, channel.isIdle]).toEqual([1, true])
    const count = sent.length
    expect(ask(session.link).got).toEqual([{ kind: 'failed', text: 'upstream.process_failed' }])
    expect([session.lost.mock.calls.length, sent.length]).toEqual([2, count])
  })

  it('is quiet about noise', () => {
    const { channel } = openTest(false)
    for (const noise of ['', 'Listening ...', '[]', '{}', '{"jsonrpc":"2.0"}', 'null', '\xff'])
      channel.receive(Buffer.from(noise))
  })
})

/** Sessions and servers doing anything, in any order. */
const step = fc.oneof(
  fc.record({ do: fc.constant('ask' as const), who: fc.nat(3) }),
  fc.record({ do: fc.constant('leave' as const), who: fc.nat(3) }),
  fc.record({ do: fc.constant('cancel' as const), at: fc.nat() }),
  fc.record({ do: fc.constant('answer' as const), at: fc.nat() }),
  fc.record({ do: fc.constant('progress' as const), at: fc.nat() }),
  fc.record({ do: fc.constant('log' as const) }),
  fc.record({ do: fc.constant('question' as const), id: fc.nat(5) }),
  fc.record({ do: fc.constant('stray' as const), id: fc.oneof(fc.integer(), fc.string()) }),
)

/** Of a request whose asker is gone, when one other of the same caller is left. */
const lateProgress: (typeof step extends fc.Arbitrary<infer Step> ? Step : never)[] = [
  { do: 'leave', who: 1 },
  { do: 'ask', who: 0 },
  { do: 'leave', who: 2 },
  { do: 'leave', who: 0 },
  { do: 'progress', at: 0 },
]

it('nothing reaches anybody it is not for, whatever happens', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.boolean(), (steps, asksBack) => {
      const { open, receive } = openTest(asksBack)
      // Where questions may be asked back, a channel is one caller's.
      const seats = (asksBack ? ['ana', 'ana', 'ana', 'ana'] : ['ana', 'bob', 'ana', 'eve']).map(open)
      const asked: (ReturnType<typeof ask> & { who: number })[] = []
      for (const one of steps) {
        const chosen = 'at' in one ? asked[one.at % Math.max(1, asked.length)] : undefined
        const seat = 'who' in one ? seats[one.who] : undefined
        if (one.do === 'ask' && seat) asked.push({ ...ask(seat.link), who: one.who })
        else if (one.do === 'leave') void seat?.link.close()
        else if (one.do === 'cancel') chosen?.flight.abort()
        else if (one.do === 'answer' && chosen)
          receive({ id: chosen.upstreamId, result: { secret: chosen.upstreamId } })
        else if (one.do === 'progress' && chosen)
          receive({ method: 'notifications/progress', params: { progressToken: chosen.upstreamId } })
        else if (one.do === 'log') receive({ method: 'notifications/message', params: { data: 'untold' } })
        else if (one.do === 'question') receive({ id: one.id, method: 'sampling/createMessage' })
        else if (one.do === 'stray') receive({ id: one.id, result: { secret: 'stray' } })
      }
      for (const { got, upstreamId } of asked) {
        const ends = got.filter(({ kind }) => kind !== 'message')
        expect(ends.length).toBeLessThanOrEqual(1)
        if (ends[0]?.kind === 'answer')
          expect(ends[0].text).toBe(`{"jsonrpc":"2.0","id":"mine","result":{"secret":${upstreamId}}}`)
        expect(ends.length === 0 || got.at(-1) === ends[0]).toBe(true)
        for (const { text } of got.filter(({ kind }) => kind === 'message'))
          expect(text).toMatch(asksBack ? new RegExp(`${upstreamId}|sampling|untold`) : String(upstreamId))
      }
      for (const { heard } of seats)
        expect(heard.filter(({ text }) => !asksBack || /secret|progressToken/.test(text))).toEqual([])
    }),
    { numRuns: 300, examples: [[lateProgress, true]] },
  )
})
