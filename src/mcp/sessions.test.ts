import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { handClock } from '../../test/fixtures/identity.ts'
import { upstreamAt } from '../../test/fixtures/mcp-plane.ts'
import { fail, type GatewayError } from '../foundation/errors.ts'
import type { Principal } from '../identity/index.ts'
import type { SessionLink } from '../upstreams/index.ts'
import type { Reply } from './reply.ts'
import { openSessions, type Session, type Sessions } from './sessions.ts'

const clock = handClock()
const server = upstreamAt('http://127.0.0.1:1')
const other = { ...server, id: 'server-2' }
const person = (id: string) => ({ id }) as Principal
const [ana, bob] = [person('ana'), person('bob')]
const unknown = expect.objectContaining({ code: 'mcp.session_unknown' })
const full = expect.objectContaining({ code: 'mcp.too_many_sessions' })
let sessions: Sessions

beforeEach(() => {
  vi.useFakeTimers()
  sessions = openSessions({ sessionIdleSeconds: 60, sessionsPerPrincipal: 2 }, clock)
})

afterEach(async () => {
  await sessions.close()
  vi.useRealTimers()
})

function add(id: string, owner = ana, at = server): Session & { close: ReturnType<typeof vi.fn> } {
  const close = vi.fn(async () => {})
  return Object.assign(
    sessions.add(owner, at, {
      id,
      link: { close } as unknown as SessionLink,
      version: '2025-11-25',
      canOpenUrls: false,
    }),
    { close },
  )
}

/** A reply that notes why it was stopped, and ends as real ones do. */
function pending(session: Session, key: string, upstreamId: number): { code?: string } {
  const seen: { code?: string } = {}
  const reply = {
    upstreamId,
    isOver: false,
    stop(error: GatewayError) {
      seen.code = error.code
      session.pending.delete(key)
    },
  } as unknown as Reply
  session.pending.set(key, reply)
  return seen
}

it('a session is found by its owner at its server, and by nobody else', () => {
  add('s')
  expect(sessions.find('s', ana, server)?.id).toBe('s')
  expect(sessions.find('s', bob, server)).toBeUndefined()
  expect(sessions.find('s', ana, other)).toBeUndefined()
  expect(sessions.find('t', ana, server)).toBeUndefined()
  expect(sessions.find('__proto__', ana, server)).toBeUndefined()
})

describe('room', () => {
  it('is taken by sessions and by those that are being opened, of one caller', () => {
    add('s')
    const free = sessions.reserve(ana)
    expect(() => sessions.reserve(ana)).toThrow(full)
    sessions.reserve(bob)
    free()
    free()
    const again = sessions.reserve(ana)
    expect(() => sessions.reserve(ana)).toThrow(full)
    again()
    sessions.forget('s')
    sessions.reserve(ana)
    sessions.reserve(ana)
    expect(() => sessions.reserve(ana)).toThrow(full)
  })
})

describe('the end', () => {
  it('takes what is under way, and tells the upstream once', async () => {
    const session = add('s')
    const seen = [pending(session, '1', 1), pending(session, '"1"', 2)]
    const end = vi.fn()
    session.streams.add({ end } as never)
    await Promise.all([sessions.end('s'), sessions.end('s')])
    expect(seen).toEqual([{ code: 'mcp.cancelled' }, { code: 'mcp.cancelled' }])
    expect([end.mock.calls.length, session.close.mock.calls.length, sessions.count()]).toEqual([1, 1, 0])
    expect(() => sessions.find('s', ana, server)).toThrow(unknown)
  })

  it('tells nobody where the upstream is gone', () => {
    const session = add('s')
    const seen = pending(session, '1', 1)
    sessions.forget('s')
    sessions.forget('s')
    expect(seen.code).toBe('mcp.session_unknown')
    expect(session.close).not.toHaveBeenCalled()
  })

  it('of a server ends its sessions only', () => {
    const [mine, others] = [add('s'), add('t', bob, other)]
    sessions.endOf(server.id)
    expect([mine.close.mock.calls.length, others.close.mock.calls.length, sessions.count()]).toEqual([
      1, 0, 1,
    ])
  })

  it('comes to those that are idle, not to those that are in use', () => {
    const [idle, used, busy] = [add('idle'), add('used', bob), add('busy', person('eve'))]
    pending(busy, '1', 1)
    clock.move(59_000)
    sessions.touch(used)
    clock.move(2000)
    vi.advanceTimersByTime(10_000)
    expect([idle, used, busy].map(({ close }) => close.mock.calls.length)).toEqual([1, 0, 0])
    // It may come back.
    expect(sessions.find('idle', ana, server)).toBeUndefined()
  })

  it('is remembered, also of one that was still being opened, but not for ever', async () => {
    await sessions.end('early')
    expect(() => add('early')).toThrow(unknown)
    for (let i = 0; i < 10_000; i++) await sessions.end(`other-${i}`)
    expect(sessions.find('early', ana, server)).toBeUndefined()
    expect(() => sessions.find('other-0', ana, server)).toThrow(unknown)
  })
})

describe('a revival', () => {
  it('happens once for all who ask at the same time, and again when it failed', async () => {
    const open = vi.fn(async () => add('s'))
    const failing = vi.fn(async () => fail('upstream.unreachable'))
    await expect(sessions.revive('s', failing)).rejects.toMatchObject({ code: 'upstream.unreachable' })
    const revived = await Promise.all([sessions.revive('s', open), sessions.revive('s', open)])
    expect(open).toHaveBeenCalledOnce()
    expect(revived[0]).toBe(revived[1])
  })
})

it('costs nothing for coming back before there is anything to come back for', () => {
  const session = add('s')
  session.expire()
  expect(Object.keys(session)).not.toContain('replay')
  const stream = session.replay.open()
  stream.keep(Buffer.from('{}'))
  clock.move(301_000)
  vi.advanceTimersByTime(0)
  session.expire()
  expect(session.replay.events).toBe(0)
})
