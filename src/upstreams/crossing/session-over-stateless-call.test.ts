import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Outgoing } from '../link.ts'
import type { Flight, Sink } from '../sink.ts'
import { Asks } from './session-over-stateless-asks.ts'
import { SessionCall } from './session-over-stateless-call.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const elicitation = { method: 'elicitation/create', params: { message: 'Who?' } }
const input = (result: object) => ({ resultType: 'input_required', ...result })

/** A call whose server answers when told to. */
function begin(method = 'tools/call') {
  const sent: Outgoing[] = []
  const flight = { pause: vi.fn(), resume: vi.fn(), abort: vi.fn() } satisfies Flight
  const asks = new Asks()
  const sink = {
    clientId: '"mine"',
    whole: false,
    started: vi.fn(),
    streaming: vi.fn(),
    message: vi.fn(),
    priming: vi.fn(),
    answer: vi.fn(),
    piece: vi.fn(),
    finished: vi.fn(),
    failed: vi.fn(),
  } satisfies Sink
  const ended = vi.fn()
  const link = {
    request(outgoing: Outgoing): Flight {
      sent.push(outgoing)
      outgoing.sink.started(flight)
      return flight
    },
  }
  const limits = { messageBytes: 1000, callSecondsMax: 10 }
  const schemaChanged = vi.fn()
  const call = new SessionCall(
    { link, asks, limits, meta: {}, canAnswer: () => true, mirrored: () => [], schemaChanged, ended },
    {
      body: Buffer.from(`{"jsonrpc":"2.0","id":5,"method":"${method}","params":{}}`),
      upstreamId: 5,
      method,
      params: {},
      sink,
      mirrored: [],
      endless: false,
    },
  )
  call.open()
  const answer = (message: object) =>
    sent.at(-1)?.sink.answer(Buffer.from(JSON.stringify(message)), { ...message }, 200)
  /** Ids of what the client was asked. */
  const questions = (): number[] =>
    sink.message.mock.calls.flatMap(([, { id }]) => (id === undefined ? [] : [id]))
  const nothingIsLeft = () => {
    expect(vi.getTimerCount()).toBe(0)
    expect(() => asks.checkRoom(100)).not.toThrow()
    expect(ended).toHaveBeenCalledOnce()
  }
  return { call, sent, flight, sink, asks, answer, questions, nothingIsLeft, schemaChanged }
}

describe('a call that takes several rounds', () => {
  it('leaves nothing when it is answered', () => {
    const { sink, sent, asks, answer, questions, nothingIsLeft } = begin()
    answer({ result: input({ inputRequests: { a: elicitation }, requestState: 's' }) })
    expect(vi.getTimerCount()).toBe(1)
    const [id] = questions()
    expect(asks.answer(Number(id), Buffer.from('{"result":{"action":"accept"}}'))).toBe(true)
    expect(asks.answer(Number(id), Buffer.from('{"result":{"action":"accept"}}'))).toBe(false)
    expect(sent).toHaveLength(2)
    answer({ result: {} })
    expect(sink.answer).toHaveBeenCalledOnce()
    nothingIsLeft()
  })

  it.each([
    ['a person', { result: input({ inputRequests: { a: elicitation } }) }],
    ['another try', { result: input({ requestState: 's' }) }],
    ['fresh knowledge', { error: { code: -32020, message: 'no' } }],
    ['the server', undefined],
  ])('leaves nothing when it is aborted while it waits for %s', (_, message) => {
    const { call, sent, sink, flight, answer, nothingIsLeft } = begin()
    if (message) answer(message)
    call.abort()
    call.abort()
    nothingIsLeft()
    expect(flight.abort).toHaveBeenCalled()
    vi.advanceTimersByTime(60_000)
    expect(sent).toHaveLength(1)
    for (const end of [sink.answer, sink.failed, sink.finished]) expect(end).not.toHaveBeenCalled()
  })

  it('waits for persons only so long in all', () => {
    const { sent, sink, asks, answer, questions, nothingIsLeft } = begin()
    answer({ result: input({ inputRequests: { a: elicitation } }) })
    vi.advanceTimersByTime(8000)
    asks.answer(Number(questions().at(-1)), Buffer.from('{"result":{}}'))
    answer({ result: input({ inputRequests: { a: elicitation } }) })
    vi.advanceTimersByTime(1900)
    expect(sink.failed).not.toHaveBeenCalled()
    vi.advanceTimersByTime(200)
    expect(sink.failed).toHaveBeenCalledWith(expect.objectContaining({ code: 'mcp.input_declined' }))
    expect(sent).toHaveLength(2)
    nothingIsLeft()
  })

  it('takes only so much from the client', () => {
    const { sink, asks, answer, questions, nothingIsLeft } = begin()
    answer({ result: input({ inputRequests: { a: elicitation, b: elicitation } }) })
    const long = Buffer.from(JSON.stringify({ result: { content: 'x'.repeat(600) } }))
    for (const id of questions()) asks.answer(id, long)
    expect(sink.failed).toHaveBeenCalledWith(expect.objectContaining({ code: 'http.body_too_large' }))
    nothingIsLeft()
  })

  it('asks again with growing pauses', () => {
    const { sent, answer } = begin()
    const times: number[] = []
    for (let round = 1; round < 6; round++) {
      answer({ result: input({ requestState: 's' }) })
      const before = Date.now()
      vi.advanceTimersToNextTimer()
      times.push(Date.now() - before)
      expect(sent).toHaveLength(round + 1)
    }
    expect(times).toEqual([0, 100, 200, 400, 800])
  })

  it('holds the next round while the client cannot follow', () => {
    const { call, flight, answer } = begin()
    call.pause()
    answer({ result: input({ requestState: 's' }) })
    vi.advanceTimersToNextTimer()
    expect(flight.pause).toHaveBeenCalledTimes(2)
    call.resume()
    expect(flight.resume).toHaveBeenCalledOnce()
  })

  it('gives up on headers that no knowledge makes right', () => {
    const { sink, answer, schemaChanged, nothingIsLeft } = begin()
    answer({ error: { code: -32020, message: 'no' } })
    expect(schemaChanged).toHaveBeenCalledOnce()
    vi.advanceTimersByTime(4000)
    expect(sink.failed).toHaveBeenCalledWith(expect.objectContaining({ code: 'upstream.bad_answer' }))
    nothingIsLeft()
  })

  it('is not begun with more questions than a client can owe', () => {
    const { sink, asks, answer } = begin()
    for (let open = 0; open < 90; open++) asks.add(() => {})
    const many = Object.fromEntries(Array.from({ length: 11 }, (_, at) => [at, elicitation]))
    answer({ result: input({ inputRequests: many }) })
    expect(sink.failed).toHaveBeenCalledWith(expect.objectContaining({ code: 'mcp.input_impossible' }))
    expect(sink.message).not.toHaveBeenCalled()
    expect(() => asks.checkRoom(10)).not.toThrow()
  })
})
