/** What clients carry for upstreams: states and cursors, each for one caller of one server and for one request. */
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { answerOf, type Era, type Message } from '../../test/fixtures/mcp-call.ts'
import { openPlane, type Plane, upstreamAt } from '../../test/fixtures/mcp-plane.ts'
import { type Script, type ScriptedUpstream, startScripted } from '../../test/fixtures/scripted-upstream.ts'

let plane: Plane
let upstream: ScriptedUpstream

async function begin(script: Script): Promise<void> {
  upstream = await startScripted(script)
  plane = await openPlane(upstreamAt(upstream.url))
  await plane.catalogue.sync(upstreamAt(upstream.url))
  upstream.asked.length = 0
}

afterEach(async () => {
  await plane?.close()
  await upstream?.stop()
})

type Params = Record<string, unknown>

const ask = async (who: string, method: string, params: Params): Promise<Message> =>
  answerOf(await plane.say(who, 'stateless', { id: 'c', method, params }))

const state = 'st\u00e4te "1" \\ \u2028 \u{1f3f0}'
const asking = (requestState: unknown, more: Params = {}) => ({
  resultType: 'input_required',
  inputRequests: { name: { method: 'elicitation/create', params: { message: 'Who?' } } },
  ...(requestState === undefined ? {} : { requestState }),
  'x-vendor': { requestState: 'untouched' },
  ...more,
})
const answers = { name: { action: 'accept', content: { name: 'Ana' } } }

/** Asks back as long as it is not given a state. */
const asksOnce = (own: unknown = state): Script => {
  const act: Script[string] = ({ params, result }) =>
    result(params.requestState === undefined ? asking(own) : { resultType: 'complete', content: [] })
  return { 'tools/call': act, 'prompts/get': act, 'resources/read': act }
}

const called = { name: 'work', arguments: { a: 1, b: [true, 'x'] } }
const first = async (who = 'ana', params: Params = called, method = 'tools/call') =>
  (await ask(who, method, params)).result ?? {}

function withBit(text: string, bit: number): string {
  const bytes = Buffer.from(text, 'base64url')
  bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return bytes.toString('base64url')
}

describe('a request state', () => {
  it.each([
    ['tools/call', called],
    ['prompts/get', { name: 'greeting', arguments: { x: 'y' } }],
    ['resources/read', { uri: 'file:///a' }],
  ])('of %s goes out sealed and comes back to its server byte for byte', async (method, params) => {
    await begin(asksOnce())
    const { requestState, ...rest } = await first('ana', params, method)
    const { requestState: _, ...expected } = asking(state)
    expect(rest).toEqual(expected)
    expect(requestState).toMatch(/^[\w-]{40,}$/)
    const again = { ...params, inputResponses: answers, requestState, extra: [1] }
    const { extra: __, ...same } = again
    expect((await ask('ana', method, same)).result).toMatchObject({ resultType: 'complete' })
    expect(upstream.asked.at(-1)?.params).toMatchObject({
      ...params,
      inputResponses: answers,
      requestState: state,
    })
  })

  it('is asked for anew in every round, and may be empty or missing', async () => {
    let round = 0
    const states = ['', undefined, 'three']
    await begin({ 'tools/call': ({ result }) => result(asking(states[round++])) })
    const one = await first()
    expect(one.requestState).not.toBe('')
    const two = await first('ana', { ...called, inputResponses: answers, requestState: one.requestState })
    expect(upstream.asked.at(-1)?.params.requestState).toBe('')
    expect('requestState' in two).toBe(false)
    const three = await first('ana', { ...called, inputResponses: answers })
    expect('requestState' in (upstream.asked.at(-1)?.params ?? {})).toBe(false)
    expect(three.requestState).toMatch(/^[\w-]{40,}$/)
  })

  it('does not come back from another caller, for other parameters, another method, or as something else', async () => {
    await begin(asksOnce())
    const { requestState } = await first()
    const retry = { ...called, inputResponses: answers, requestState }
    const refused: [string, string, Params][] = [
      ['ben', 'tools/call', retry],
      ['ana', 'tools/call', { ...retry, arguments: { a: 2, b: [true, 'x'] } }],
      ['ana', 'tools/call', { ...retry, more: 1 }],
      ['ana', 'prompts/get', retry],
      ['ana', 'completion/complete', { ref: { type: 'ref/prompt', name: 'p' }, requestState }],
      ['ana', 'tools/call', { ...retry, requestState: state }],
      ['ana', 'tools/call', { ...retry, requestState: 7 }],
      ['ana', 'tools/call', { ...retry, requestState: null }],
      ['ana', 'tools/call', { ...retry, RequestState: state }],
      ['ana', 'tools/list', { cursor: requestState }],
    ]
    for (const [who, method, params] of refused) {
      const { error } = await ask(who, method, params)
      expect([who, method, error?.code]).toEqual([who, method, expect.toBeOneOf([-32602, -32600])])
    }
    expect(upstream.asked).toHaveLength(1)
    // The order of members is not what was asked for.
    const { arguments: args, name } = called
    const turned = { arguments: { b: args.b, a: args.a }, name, inputResponses: answers, requestState }
    expect((await ask('ana', 'tools/call', turned)).result).toMatchObject({ resultType: 'complete' })
  })

  it.each([100_000, 5_000_000])('of %d characters does not reach its client', async length => {
    await begin(asksOnce('x'.repeat(length)))
    // A piece of the answer is out before that is known: it is cut off.
    await expect(ask('ana', 'tools/call', called)).rejects.toThrow()
    expect(plane.audit.events.at(-1)).toMatchObject({ outcome: 'error', error: 'upstream.bad_answer' })
  })

  it('does not come back with a bit changed', async () => {
    await begin(asksOnce())
    const { requestState } = await first()
    const sealed = String(requestState)
    const bits = Buffer.from(sealed, 'base64url').length * 8
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: bits - 1 }), async bit => {
        const changed = { ...called, inputResponses: answers, requestState: withBit(sealed, bit) }
        expect((await ask('ana', 'tools/call', changed)).error).toMatchObject({ code: -32602 })
      }),
      { numRuns: 40 },
    )
    expect(upstream.asked).toHaveLength(1)
  })

  it.each([false, true])('is sealed in an answer too long to be held, also at its end: %s', async isLate => {
    const image = 'i'.repeat(200_000)
    const late = { resultType: 'input_required', image, requestState: state }
    const asks = isLate ? late : { requestState: state, image, resultType: 'input_required' }
    await begin({
      'tools/call': ({ result, params }) => result(params.requestState ? { content: [] } : asks),
    })
    const got = await first()
    expect({ ...got, requestState: state }).toEqual(asks)
    expect(got.requestState).not.toBe(state)
    await first('ana', { ...called, requestState: got.requestState })
    expect(upstream.asked.at(-1)?.params.requestState).toBe(state)
  })

  it.each([
    ['completion/complete', { ref: { type: 'ref/prompt', name: 'p' }, argument: {} }, asking(state)],
    ['prompts/list', {}, asking(state, { prompts: [] })],
    ['tools/call', called, asking(7)],
    ['tools/call', called, { resultType: 'task', taskId: 't-1', status: 'working' }],
    ['prompts/get', { name: 'p' }, { resultType: 'task', taskId: 't-1', status: 'working' }],
  ])('%s %j cannot be answered with %j', async (method, params, result) => {
    await begin({ [method]: one => one.result(result) })
    expect((await ask('ana', method, params)).error?.code).toBe(31_012)
  })

  it('is refused with a caller’s right to the tool', async () => {
    await begin(asksOnce())
    const { requestState } = await first()
    plane.people.may = (_, action) => action === 'server.use'
    const { error } = await ask('ana', 'tools/call', { ...called, requestState })
    expect(error).toMatchObject({ code: -32602, message: 'Unknown tool.' })
    expect(upstream.asked).toHaveLength(1)
  })
})

const lists = ['tools', 'resources', 'prompts', 'skills'] as const

/** Three pages of every list; the cursors are 'one' and the empty one. */
const paged: Script = Object.fromEntries(
  [...lists.map(key => [`${key}/list`, key]), ['resources/directory/read', 'resources']].map(
    ([method, key]) => [
      String(method),
      ({ params, result }) => {
        const next = params.cursor === undefined ? 'one' : params.cursor === 'one' ? '' : undefined
        result({
          [String(key)]: [],
          'x-got': params.cursor,
          ...(next === undefined ? {} : { nextCursor: next }),
        })
      },
    ],
  ) satisfies [string, Script[string]][],
)

describe.each<Era>(['session', 'stateless'])('a cursor of the %s era', era => {
  const list = async (who: string, method: string, cursor?: unknown): Promise<Message> => {
    const session = era === 'session' ? await plane.session(who) : undefined
    const params = { uri: 'skill://a', ...(cursor === undefined ? {} : { cursor }) }
    return answerOf(await plane.say(who, era, { id: 'c', method, params, session }))
  }

  it.each([...lists.map(key => `${key}/list`), 'resources/directory/read'])(
    'leads through %s, and nobody else',
    async method => {
      await begin(paged)
      const one = (await list('ana', method)).result ?? {}
      const two = (await list('ana', method, one.nextCursor)).result ?? {}
      const three = (await list('ana', method, two.nextCursor)).result ?? {}
      expect([one, two, three].map(page => page['x-got'])).toEqual([undefined, 'one', ''])
      expect(three.nextCursor).toBeUndefined()
      const asked = upstream.named(method).length
      for (const [who, cursor] of [
        ['ben', one.nextCursor],
        ['ana', 'one'],
        ['ana', ''],
        ['ana', withBit(String(one.nextCursor), 130)],
      ])
        expect((await list(String(who), method, cursor)).error).toMatchObject({ code: -32602 })
      const other = method === 'tools/list' ? 'prompts/list' : 'tools/list'
      expect((await list('ana', other, one.nextCursor)).error).toMatchObject({ code: -32602 })
      expect(upstream.named(method)).toHaveLength(asked)
    },
  )
})
