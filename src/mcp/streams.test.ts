import { EventEmitter } from 'node:events'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { handClock } from '../../test/fixtures/identity.ts'
import type { Exchange } from './exchange.ts'
import { type OpenStream, openStreams, type Streams } from './streams.ts'

const clock = handClock()
const unchecked = vi.fn()
const isAllowed = vi.fn(async (exchange: Exchange) => exchange.requestId !== 'denied')
let streams: Streams

beforeEach(() => {
  vi.useFakeTimers()
  unchecked.mockReset()
  isAllowed.mockClear()
  streams = openStreams({ clock, perPrincipal: 2, isAllowed, unchecked })
})

afterEach(() => {
  streams.close()
  vi.useRealTimers()
})

function add(requestId: string, isLasting = true, at = clock.now()) {
  const stream = {
    exchange: { requestId, at } as Exchange,
    isLasting,
    beat: vi.fn(),
    end: vi.fn(() => streams.remove(stream)),
  } satisfies OpenStream
  streams.add(stream)
  return stream
}

const checked = () => vi.advanceTimersByTimeAsync(0)

describe('a stream', () => {
  it('ends when its caller may no longer have it, and only then', async () => {
    const [denied, allowed] = [add('denied'), add('allowed')]
    await checked()
    expect(denied.end).not.toHaveBeenCalled()
    streams.recheck()
    await checked()
    expect([denied.end.mock.calls.length, allowed.end.mock.calls.length, streams.count()]).toEqual([1, 0, 1])
  })

  it('is checked although another could not be', async () => {
    add('broken')
    const denied = add('denied')
    isAllowed.mockRejectedValueOnce(new Error('no store'))
    streams.recheck()
    await checked()
    expect(denied.end).toHaveBeenCalledOnce()
    expect(unchecked).toHaveBeenCalledOnce()
  })

  it('that was let in before a change and opened after it is checked at once', async () => {
    const before = clock.now()
    clock.move(5)
    streams.recheck()
    const [late, fresh] = [add('denied', true, before), add('denied', true, clock.now() + 1)]
    await checked()
    expect([late.end.mock.calls.length, fresh.end.mock.calls.length]).toEqual([1, 0])
  })

  it('is checked now and then, because tokens expire without a word', async () => {
    const denied = add('denied')
    await vi.advanceTimersByTimeAsync(59_000)
    expect(denied.end).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(2000)
    expect(denied.end).toHaveBeenCalledOnce()
    expect(denied.beat).toHaveBeenCalledTimes(4)
  })

  it('that has ended meanwhile is left alone', async () => {
    const denied = add('denied')
    streams.recheck()
    streams.remove(denied)
    await checked()
    expect(denied.end).not.toHaveBeenCalled()
  })
})

it('ends what lasts for a drain, and everything at the close', () => {
  const [lasting, call] = [add('a'), add('b', false)]
  streams.endLasting()
  expect([lasting.end.mock.calls.length, call.end.mock.calls.length]).toEqual([1, 0])
  streams.close()
  expect([call.end.mock.calls.length, streams.count()]).toEqual([1, 0])
})

it('ends in a drain what was let in before and is opened only now, and what lasts only since its calls are done', async () => {
  const busy = add('a', false)
  streams.endLasting()
  const late = add('b')
  busy.isLasting = true
  expect(late.end).not.toHaveBeenCalled()
  await vi.advanceTimersByTimeAsync(200)
  expect([late.end.mock.calls.length, busy.end.mock.calls.length]).toEqual([1, 1])
})

describe('a caller', () => {
  function reserve(id: string, destroyed = false) {
    const response = Object.assign(new EventEmitter(), { destroyed })
    streams.reserve({ principal: { id }, response } as unknown as Exchange)
    return response
  }

  it('may have so many lasting streams, whatever others have, until one of them closes', () => {
    const [first] = [reserve('ana'), reserve('ana'), reserve('bob')]
    expect(() => reserve('ana')).toThrow(expect.objectContaining({ code: 'mcp.too_many_streams' }))
    reserve('bob')
    first?.emit('close')
    reserve('ana')
    expect(() => reserve('ana')).toThrow()
  })

  it('who is gone already takes no place', () => {
    for (let i = 0; i < 5; i++) reserve('ana', true)
    reserve('ana')
  })
})
