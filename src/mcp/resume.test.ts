import { afterEach, describe, expect, it, vi } from 'vitest'
import { send } from '../../test/fixtures/http-call.ts'
import { answerOf, eventsOf, hello, inEra } from '../../test/fixtures/mcp-call.ts'
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

const result = { content: [{ type: 'text', text: 'done' }] }
const callWork = (session: string, id: string | number = 'mine') =>
  inEra('session', { id, method: 'tools/call', params: { name: 'work', arguments: {} }, session })
const idsOf = (text: string) => [...text.matchAll(/^id: (.+)$/gm)].map(([, id]) => String(id))
const log = (data: unknown) => event({ method: 'notifications/message', params: { level: 'info', data } })
const saidOf = (text: string) => eventsOf(text).map(({ id, method, params }) => id ?? params?.data ?? method)

/** Begins a call and cuts the connection once as many events came as are wanted; gives what came. */
async function cutAfter(session: string, events: number): Promise<string> {
  const asked = send(plane.url, { ...callWork(session), token: 'ana' })
  const response = await asked.response
  let text = ''
  response
    .setEncoding('utf8')
    .on('data', part => (text += part))
    .on('error', () => undefined)
  await vi.waitFor(() => expect(idsOf(text).length).toBeGreaterThanOrEqual(events))
  asked.abort()
  const count = plane.responses.length
  await vi.waitFor(() => expect(plane.responses[count - 1]?.destroyed).toBe(true))
  return text
}

const back = (session: string, lastEventId: string, who = 'ana') =>
  plane.follow(who, { headers: inSession(session, { 'last-event-id': lastEventId }) })

/** A server that says three things and asks one before its answer, each when it is told to. */
function talkative(): { script: Script; say(event: string): void; last(): Scripted | undefined } {
  let call: Scripted | undefined
  return {
    script: {
      'tools/call'(asked) {
        call = asked
        asked.events()
      },
    },
    say: text => void call?.response.write(text),
    last: () => call,
  }
}

describe('a client that lost the stream of its call', () => {
  const question = event({ id: 99, method: 'elicitation/create', params: { message: 'sure?' } })

  it.each([0, 1, 2, 3, 4])('after %i events gets exactly what followed, and then the rest', async cut => {
    const server = talkative()
    await begin(server.script)
    const session = await plane.session('ana')
    const asked = send(plane.url, { ...callWork(session), token: 'ana' })
    const response = await asked.response
    let first = ''
    response
      .setEncoding('utf8')
      .on('data', part => (first += part))
      .on('error', () => undefined)
    const all = [log('one'), log('two'), question, log('three')]
    await vi.waitFor(() => expect(idsOf(first)).toHaveLength(1))
    for (const [i, text] of all.slice(0, cut).entries()) {
      server.say(text)
      await vi.waitFor(() => expect(idsOf(first)).toHaveLength(i + 2))
    }
    asked.abort()
    for (const text of all.slice(cut)) server.say(text)
    await vi.waitFor(() => expect(plane.responses.at(-1)?.destroyed).toBe(true))
    const stream = await back(session, String(idsOf(first).at(-1)))
    await vi.waitFor(() => expect(eventsOf(stream.text())).toHaveLength(4 - cut))
    server.say(event({ id: server.last()?.id, result }))
    await stream.ended
    const whole = first + stream.text()
    expect(saidOf(whole)).toEqual(['one', 'two', 99, 'three', 'mine'])
    expect(eventsOf(whole).at(-1)).toEqual({ jsonrpc: '2.0', id: 'mine', result })
    expect(new Set(idsOf(whole)).size).toBe(6)
    expect(plane.mcp.streams()).toBe(0)
  })

  it('gets the answer that came meanwhile, as often as it asks', async () => {
    const server = talkative()
    await begin(server.script)
    const session = await plane.session('ana')
    const first = await cutAfter(session, 1)
    server.say(log('one'))
    server.say(event({ id: server.last()?.id, result }))
    await vi.waitFor(() =>
      expect(plane.audit.events.at(-1)).toMatchObject({ action: 'tools/call', outcome: 'ok' }),
    )
    const [primed] = idsOf(first)
    for (let i = 0; i < 2; i++) {
      const stream = await back(session, String(primed))
      await stream.ended
      expect(saidOf(stream.text())).toEqual(['one', 'mine'])
      // Whoever has the answer has everything.
      const again = await back(session, String(idsOf(stream.text()).at(-1)))
      await again.ended
      expect(again.text()).toBe('')
    }
    // Its id is free again.
    const call = plane.ask('ana', callWork(session))
    await vi.waitFor(() => expect(upstream.named('tools/call')).toHaveLength(2))
    server.say(event({ id: server.last()?.id, result }))
    server.last()?.response.end()
    expect(answerOf(await call).result).toEqual(result)
  })

  it('may come back while its old connection is still open, which then ends', async () => {
    const server = talkative()
    await begin(server.script)
    const session = await plane.session('ana')
    const old = await plane.follow('ana', callWork(session))
    await vi.waitFor(() => expect(idsOf(old.text())).toHaveLength(1))
    const stream = await back(session, String(idsOf(old.text())[0]))
    await old.ended
    server.say(event({ id: server.last()?.id, result }))
    await stream.ended
    expect(eventsOf(stream.text())).toEqual([{ jsonrpc: '2.0', id: 'mine', result }])
    expect(eventsOf(old.text())).toEqual([])
  })

  it('gets only its own, however many streams there are, and nothing of another session', async () => {
    const calls: Scripted[] = []
    await begin({
      'tools/call'(asked) {
        calls.push(asked)
        asked.events()
      },
    })
    const [mine, other] = [await plane.session('ana'), await plane.session('ana')]
    const streams = [
      await plane.follow('ana', callWork(mine, 1)),
      await plane.follow('ana', callWork(mine, 2)),
      await plane.follow('ana', callWork(other, 3)),
    ]
    for (const stream of streams) await vi.waitFor(() => expect(idsOf(stream.text())).toHaveLength(1))
    for (const stream of streams) stream.close()
    await vi.waitFor(() => expect(plane.responses.slice(-3).every(({ destroyed }) => destroyed)).toBe(true))
    for (const [i, { response, id }] of calls.entries())
      response.end(log(`of ${i + 1}`) + event({ id, result }))
    await vi.waitFor(() =>
      expect(plane.audit.events.filter(({ action }) => action === 'tools/call')).toHaveLength(3),
    )
    const [, second, third] = streams.map(stream => String(idsOf(stream.text())[0]))
    const got = await back(mine, String(second))
    await got.ended
    expect(saidOf(got.text())).toEqual(['of 2', 2])
    const foreign = await back(mine, String(third))
    await foreign.ended
    expect(eventsOf(foreign.text())).toMatchObject([{ id: 3, error: { data: { code: 'mcp.answer_gone' } } }])
    expect(
      (await plane.follow('bob', { headers: inSession(mine, { 'last-event-id': String(second) }) })).status,
    ).toBe(404)
  })

  it('is told that an answer is gone that was too long to be kept, or was pushed out', async () => {
    const long = { content: [{ type: 'text', text: 'x'.repeat(300_000) }] }
    const server = talkative()
    await begin(server.script)
    const session = await plane.session('ana')
    const [primed] = idsOf(await cutAfter(session, 1))
    server.say(event({ id: server.last()?.id, result: long }))
    server.last()?.response.end()
    await vi.waitFor(() =>
      expect(plane.audit.events.at(-1)).toMatchObject({ action: 'tools/call', outcome: 'ok' }),
    )
    const stream = await back(session, String(primed))
    await stream.ended
    expect(eventsOf(stream.text())).toMatchObject([
      { id: 'mine', error: { code: 31_013, data: { code: 'mcp.answer_gone' } } },
    ])
  })

  it('is refused before the stream when its event is none of ours', async () => {
    await begin()
    const session = await plane.session('ana')
    for (const id of ['e-1', 'x'.repeat(600)]) {
      const answered = await back(session, id)
      await answered.ended
      expect(answered.status).toBe(400)
    }
    expect((await plane.ask('ana', callWork(session))).status).toBe(200)
  })
})

describe('a client that lost the stream of what is said unasked', () => {
  it('hears what it missed, once, and goes on; the server saw one stream', async () => {
    let gets: Scripted[] = []
    await begin({
      GET(asked) {
        gets = [...gets, asked]
        asked.events()
      },
    })
    const session = await plane.session('ana')
    const stream = await plane.follow('ana', { headers: inSession(session) })
    await vi.waitFor(() => expect([gets.length, idsOf(stream.text()).length]).toEqual([1, 1]))
    gets[0]?.response.write(log('one'))
    await vi.waitFor(() => expect(saidOf(stream.text())).toEqual(['one']))
    stream.close()
    await vi.waitFor(() => expect(plane.mcp.streams()).toBe(0))
    gets[0]?.response.write(log('missed') + event({ id: 5, method: 'roots/list' }))
    await vi.waitFor(() => expect(gets[0]?.response.writableLength).toBe(0))
    const again = await back(session, String(idsOf(stream.text()).at(-1)))
    await vi.waitFor(() => expect(saidOf(again.text())).toEqual(['missed', 5]))
    gets[0]?.response.write(log('live'))
    await vi.waitFor(() => expect(saidOf(again.text())).toEqual(['missed', 5, 'live']))
    expect(gets).toHaveLength(1)
    again.close()
  })

  it('hears nothing of it that it may not hear any more', async () => {
    let get: Scripted | undefined
    await begin({
      GET(asked) {
        get = asked
        asked.events()
      },
    })
    const session = await plane.session('ana')
    const stream = await plane.follow('ana', { headers: inSession(session) })
    await vi.waitFor(() => expect(idsOf(stream.text())).toHaveLength(1))
    stream.close()
    await vi.waitFor(() => expect(plane.mcp.streams()).toBe(0))
    get?.response.write(
      event({ method: 'notifications/resources/updated', params: { uri: 'a://b' } }) + log('fine'),
    )
    await vi.waitFor(() => expect(get?.response.writableLength).toBe(0))
    plane.people.may = (_, action) => !action.startsWith('resource')
    const again = await back(session, String(idsOf(stream.text())[0]))
    await vi.waitFor(() => expect(saidOf(again.text())).toEqual(['fine']))
    again.close()
  })

  it('goes on hearing when nobody knows its place any more', async () => {
    await begin({ GET: ({ events: open }) => open(log('live')) })
    const [mine, other] = [await plane.session('ana'), await plane.session('ana')]
    const stream = await plane.follow('ana', { headers: inSession(other) })
    await vi.waitFor(() => expect(idsOf(stream.text())).toHaveLength(2))
    const again = await back(mine, String(idsOf(stream.text())[0]))
    await vi.waitFor(() => expect(saidOf(again.text())).toEqual(['live']))
    for (const one of [stream, again]) one.close()
  })

  it('is only one of its streams at a time', async () => {
    let get: Scripted | undefined
    await begin({
      GET(asked) {
        get = asked
        asked.events()
      },
    })
    const session = await plane.session('ana')
    const streams = [
      await plane.follow('ana', { headers: inSession(session) }),
      await plane.follow('ana', { headers: inSession(session) }),
    ]
    for (const stream of streams) await vi.waitFor(() => expect(idsOf(stream.text())).toHaveLength(1))
    get?.response.write(log('one'))
    await vi.waitFor(() => expect(streams.flatMap(stream => saidOf(stream.text()))).toEqual(['one']))
    expect(upstream.named('GET')).toHaveLength(1)
    for (const stream of streams) stream.close()
  })
})

describe('a stream of a revision', () => {
  it.each([
    ['2025-11-25', true],
    ['2025-06-18', false],
    ['2025-03-26', false],
  ])('of %s begins with an event to resume from: %s', async (protocolVersion, isPrimed) => {
    await begin({
      initialize: ({ response, result: answer, params }) => {
        response.setHeader('mcp-session-id', 'up')
        answer({ protocolVersion: params.protocolVersion, capabilities: {} })
      },
      'tools/call': ({ events: open, response, id }) => {
        open(log('one'))
        response.end(event({ id, result }, 'e-7'))
      },
    })
    const opened = await plane.ask('ana', {
      ...inEra('session', { id: 0, method: 'initialize', params: { ...hello, protocolVersion } }),
    })
    const session = String(opened.headers['mcp-session-id'])
    const answered = await plane.ask('ana', callWork(session))
    expect(answered.text.startsWith('id: ')).toBe(isPrimed)
    expect(/^data:$/m.test(answered.text)).toBe(isPrimed)
    expect(idsOf(answered.text)).toHaveLength(isPrimed ? 3 : 2)
    expect(answered.text).not.toContain('e-7')
  })
})
