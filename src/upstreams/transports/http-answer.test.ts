import { describe, expect, it } from 'vitest'
import { GatewayError } from '../../foundation/errors.ts'
import type { Sink } from '../sink.ts'
import { type Carrier, framingOf, HttpAnswer } from './http-answer.ts'

const upstreamId = 1_111_111_111
const json = { 'content-type': 'application/json' }
const events = { 'content-type': 'text/event-stream; charset=utf-8' }
const limits = { messageBytes: 200_000, resultBytes: 1_000_000, callSeconds: 60, callSecondsMax: 600 }
const result = (value: unknown, id: unknown = upstreamId) =>
  JSON.stringify({ jsonrpc: '2.0', id, result: value })
const event = (data: string, more = '') => `${more}data: ${data}\n\n`

type Got = readonly [kind: string, text: string, extra?: unknown]

/** Reads an answer; what is thrown breaks it off, as on a connection. */
function read(
  status: number,
  headers: Record<string, string>,
  chunks: readonly string[],
  more: { whole?: boolean; endless?: boolean; resumes?: boolean; isPrivate?: boolean } = {},
) {
  const got: Got[] = []
  const extended: number[] = []
  const sink: Sink = {
    clientId: '"mine"',
    whole: more.whole ?? false,
    edits: { isPrivate: more.isPrivate ?? false },
    started: () => {},
    streaming: () => void got.push(['streaming', '']),
    message: bytes => void got.push(['message', bytes.toString()]),
    priming: () => {},
    answer: (bytes, _, code) => void got.push(['answer', bytes.toString(), code]),
    piece: bytes => void got.push(['piece', bytes.toString()]),
    finished: summary => void got.push(['finished', JSON.stringify(summary.error), summary.isError]),
    failed: error => void got.push(['failed', error.code]),
  }
  const idle = { pause: () => {}, resume: () => {}, abort: () => {} }
  const session: Carrier = {
    answered: () => {},
    asked: id => void got.push(['asked', String(id)]),
    doubted: error => void got.push(['doubted', error.code]),
    resume(_, { lastEventId, waitMs }) {
      got.push(['cut', lastEventId, waitMs])
      return idle
    },
  }
  const to = { upstreamId, sink, limits, endless: more.endless ?? false }
  const reading = new HttpAnswer(more.resumes ? { ...to, session } : to)
  reading.started({ ...idle, extend: milliseconds => void extended.push(milliseconds) })
  try {
    reading.head(status, headers)
    for (const chunk of chunks) reading.chunk(Buffer.from(chunk))
    reading.end()
  } catch (thrown) {
    if (!(thrown instanceof GatewayError)) throw thrown
    reading.broken(thrown)
  }
  const text = () =>
    got
      .filter(([kind]) => kind === 'piece')
      .map(([, piece]) => piece)
      .join('')
  return { got, extended, text }
}

describe('the framing', () => {
  it.each<[number, Record<string, string>, string]>([
    [200, json, 'json'],
    [404, { 'content-type': 'Application/JSON; charset=utf-8' }, 'json'],
    [200, events, 'events'],
    [200, { ...json, 'content-encoding': 'identity' }, 'json'],
    [202, events, 'upstream.bad_answer'],
    [200, {}, 'upstream.bad_answer'],
    [200, { 'content-type': 'text/html' }, 'upstream.bad_answer'],
    [200, { ...json, 'content-encoding': 'gzip' }, 'upstream.bad_answer'],
    [301, json, 'upstream.bad_answer'],
    [401, json, 'upstream.unauthorized'],
    [403, json, 'upstream.unauthorized'],
    [500, json, 'upstream.unreachable'],
    [503, events, 'upstream.unreachable'],
  ])('of %i with %j is %s', (status, headers, expected) => {
    const found = () => {
      try {
        return framingOf(status, headers)
      } catch (error) {
        return error instanceof GatewayError ? error.code : error
      }
    }
    expect(found()).toBe(expected)
  })
})

describe('an answer in JSON', () => {
  it('comes with the client’s id, its status, and every other byte', () => {
    const text = `{ "jsonrpc" : "2.0",\n"result":{"id":${upstreamId}, "é":"\\u00e9"},  "id": ${upstreamId} }`
    for (const at of [0, 10, text.length]) {
      const { got } = read(404, json, [text.slice(0, at), text.slice(at)])
      expect(got).toEqual([['answer', text.replace(/"id": \d+/, '"id": "mine"'), 404]])
    }
  })

  it.each([
    ['of another request', result({}, upstreamId + 1)],
    ['of a text that looks the same', result({}, String(upstreamId))],
    ['without an id', '{"jsonrpc":"2.0","result":{}}'],
    ['of nothing', '{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"secret"}}'],
    ['that is a request', `{"jsonrpc":"2.0","id":${upstreamId},"method":"ping"}`],
    ['that is a batch', `[${result({})}]`],
    ['that is cut', result({}).slice(0, -1)],
    ['that is empty', ''],
    ['that is two', result({}) + result({})],
    ['without a result', `{"jsonrpc":"2.0","id":${upstreamId},"result":7}`],
  ])('%s is no answer', (_, text) =>
    expect(read(200, json, [text]).got).toEqual([['failed', 'upstream.bad_answer']]),
  )

  it('is held up to the limit where it is needed whole, and fails beyond it', () => {
    const long = (length: number) => result({ text: 'x'.repeat(length) })
    expect(read(200, json, [long(100_000)], { whole: true }).got[0]?.[0]).toBe('answer')
    expect(read(200, json, [long(300_000)], { whole: true }).got).toEqual([['failed', 'upstream.too_large']])
  })

  it('passes in pieces where it is long, with the client’s id in it', () => {
    const text = result({ isError: true, text: 'x'.repeat(100_000) })
    const { got, text: passed } = read(200, json, [text.slice(0, 30), text.slice(30)])
    expect(passed()).toBe(text.replace(String(upstreamId), '"mine"'))
    expect(got.at(-1)).toEqual(['finished', 'null', true])
  })

  it('says private in pieces too, at its top and nowhere else', () => {
    const inner = { cacheScope: 'public', text: 'x'.repeat(100_000) }
    const text = result({ inner, cacheScope: 'public', ttlMs: 1 })
    expect(read(200, json, [text], { isPrivate: true }).text()).toBe(
      text
        .replace(String(upstreamId), '"mine"')
        .replace('"cacheScope":"public","ttlMs"', '"cacheScope":"private","ttlMs"'),
    )
    expect(read(200, json, [text]).text()).toContain('"cacheScope":"public","ttlMs"')
  })

  it('fails when it is longer than any answer may be, or of another', () => {
    const long = (id: number) => `{"jsonrpc":"2.0","result":{"text":"${'x'.repeat(70_000)}"},"id":${id}}`
    expect(read(200, json, [long(7)]).got.at(-1)).toEqual(['failed', 'upstream.bad_answer'])
    const { got } = read(200, json, Array<string>(20).fill(result({ text: 'x'.repeat(70_000) })))
    expect(got.at(-1)?.[0]).toBe('failed')
  })
})

describe('an answer in events', () => {
  const note = '{"jsonrpc":"2.0","method":"notifications/message"}'

  it('comes after its messages, and nothing after it', () => {
    const { got, extended } = read(200, events, [
      `: hello\n\n${event('', 'id: 1\nretry: 5\n')}${event(note, 'id: 2\n')}${event(result({}))}`,
      event(note) + event(result({ again: true })),
    ])
    expect(got).toEqual([
      ['streaming', ''],
      ['message', note],
      ['answer', result({}).replace(String(upstreamId), '"mine"'), 200],
    ])
    expect(extended.map(Math.round)).toEqual([60_000])
  })

  it('is not what events of other kinds say', () => {
    const { got } = read(200, events, [
      event('not JSON', 'event: ping\n'),
      event(result({}), 'event: message\n'),
    ])
    expect(got.map(([kind]) => kind)).toEqual(['streaming', 'answer'])
  })

  it.each([
    ['a\0b', undefined],
    ['é', undefined],
    ['x'.repeat(600), undefined],
    ['b', 'b'],
  ])('goes on after the event %j only where its id can be named', (id, named) => {
    const last = read(200, events, [event('', `id: ${id}\n`)], { resumes: true }).got.at(-1)
    expect(last).toEqual(named === undefined ? ['failed', 'upstream.outcome_unknown'] : ['cut', named, 500])
  })

  it('that does not come is a failure, unless it may come elsewhere', () => {
    const primed = [event('', 'id: 1\nretry: 20\n'), event(note, 'id: 2\n')]
    const last = (chunks: string[], resumes: boolean) => read(200, events, chunks, { resumes }).got.at(-1)
    expect(last(primed, true)).toEqual(['cut', '2', 20])
    expect(last([...primed, event('', 'id:\n')], true)).toEqual(['failed', 'upstream.outcome_unknown'])
    expect(last(primed, false)).toEqual(['failed', 'upstream.outcome_unknown'])
    expect(last([event(note)], true)).toEqual(['failed', 'upstream.outcome_unknown'])
    expect(last([...primed, event(result({}))], true)?.[0]).toBe('answer')
  })

  it('may take as long as any call while somebody is asked', () => {
    const ask = '{"jsonrpc":"2.0","id":5,"method":"elicitation/create"}'
    const { got, extended } = read(200, events, [event(ask), event(note)], { resumes: true })
    expect(got).toContainEqual(['asked', '5'])
    expect(extended.map(milliseconds => Math.round(milliseconds / 1000))).toEqual([600, 600])
  })

  it('of no length is bounded, however it is made', () => {
    expect(read(200, events, ['data:\n'.repeat(250_000)], { endless: true }).got.at(-1)?.[0]).toBe('failed')
    expect(read(200, events, [`data: ${'x'.repeat(300_000)}`], { whole: true }).got.at(-1)?.[0]).toBe(
      'failed',
    )
    expect(read(200, events, [`: ${'x'.repeat(300_000)}`]).got.at(-1)?.[0]).toBe('failed')
  })

  it('may go on for ever where that was asked for', () => {
    const { got, extended } = read(200, events, Array<string>(30_000).fill(event(note)), { endless: true })
    expect(extended).toEqual([0])
    expect(got.filter(([kind]) => kind === 'message')).toHaveLength(30_000)
  })
})
