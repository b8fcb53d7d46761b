import { describe, expect, it } from 'vitest'
import { type ErrorCode, GatewayError } from '../foundation/errors.ts'
import { collect } from './collect.ts'
import type { Outgoing } from './link.ts'
import { LostSession } from './message.ts'
import { anew, isRepeatable, nextTry } from './repeat.ts'
import type { ToolPolicy } from './upstream.ts'

const open: ToolPolicy = { default: 'allow', allow: [], deny: [] }
const body = (params: object) =>
  Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 7, method: 'tools/call', params, extra: { id: 7 } }))
let sink: Outgoing['sink'] | undefined
collect('1', given => {
  sink = given
  return { pause: () => {}, resume: () => {}, abort: () => {} }
}).catch(() => undefined)

function request(method: string, params: Record<string, unknown> = {}): Outgoing {
  if (sink === undefined) throw new Error('no sink')
  return { body: body(params), upstreamId: 7, method, params, sink, mirrored: [], endless: false }
}

const failure = (code: ErrorCode, noEffect: boolean) => new GatewayError(code, { noEffect })

describe('what may be sent twice', () => {
  it.each([
    ['tools/list', true],
    ['resources/read', true],
    ['prompts/get', true],
    ['completion/complete', true],
    ['server/discover', true],
    ['tools/call', false],
    ['resources/subscribe', false],
    ['subscriptions/listen', false],
    ['vendor/anything', false],
  ])('%s: %s', (method, may) => {
    expect(isRepeatable(request(method, { name: 'write' }), open)).toBe(may)
  })

  it.each<[Partial<ToolPolicy>, string, boolean]>([
    [{ readOnly: ['read_*'] }, 'read_file', true],
    [{ idempotent: ['put'] }, 'put', true],
    [{ readOnly: ['read_*'], idempotent: ['put'] }, 'write', false],
    [{ allow: ['write'] }, 'write', false],
  ])('a call under %j of %s: %s', (policy, name, may) => {
    expect(isRepeatable(request('tools/call', { name }), { ...open, ...policy })).toBe(may)
  })
})

const fresh = { sent: 1, wasRepeated: false, wasReopened: false }

describe('the next try', () => {
  const call = { outgoing: request('tools/call', { name: 'write' }), policy: open, left: 10_000 }
  const list = { ...call, outgoing: request('tools/list') }

  it('is for everything that certainly had no effect, four times in two seconds', () => {
    const waits = [1, 2, 3, 4].map(sent =>
      nextTry({ ...fresh, sent }, failure('upstream.unreachable', true), call),
    )
    expect(waits).toEqual([...Array(3).fill(expect.any(Number)), undefined])
    expect(waits.reduce<number>((sum, wait = 0) => sum + wait, 0)).toBeLessThanOrEqual(2000)
  })

  it('is for a lost session once, whatever else it took', () => {
    const tries = { ...fresh, sent: 2 }
    expect(nextTry(tries, new LostSession(), call)).toBeGreaterThan(0)
    expect(nextTry({ ...tries, sent: 3 }, new LostSession(), call)).toBeUndefined()
  })

  it('is for what may have had an effect once, and only where that does not matter', () => {
    const broke = failure('upstream.outcome_unknown', false)
    const tries = { ...fresh }
    expect(nextTry(tries, broke, call)).toBeUndefined()
    expect(tries.wasRepeated).toBe(false)
    expect(nextTry(tries, broke, list)).toBeGreaterThan(0)
    expect(nextTry(tries, broke, list)).toBeUndefined()
  })

  it.each<ErrorCode>(['upstream.timeout', 'upstream.bad_answer', 'upstream.unauthorized', 'mcp.cancelled'])(
    'is for no %s, which would only come again',
    code => {
      expect(nextTry({ ...fresh }, failure(code, true), list)).toBeUndefined()
    },
  )

  it('is for nothing whose time is over', () => {
    const tries = { ...fresh }
    expect(nextTry(tries, failure('upstream.unreachable', true), { ...list, left: 10 })).toBeUndefined()
  })
})

it('a request that is sent anew has an id and a progress token of its own, and every other byte', () => {
  const outgoing = request('tools/call', { name: 'write', _meta: { progressToken: 7 } })
  const again = anew(outgoing, 5)
  expect(again.upstreamId).not.toBe(7)
  expect(again.latest).toBe(5)
  expect(again.body.toString()).toBe(
    outgoing.body
      .toString()
      .replace('"id":7,"method"', `"id":${again.upstreamId},"method"`)
      .replace('"progressToken":7', `"progressToken":${again.upstreamId}`),
  )
})
