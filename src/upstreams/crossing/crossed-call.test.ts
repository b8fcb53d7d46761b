/** Laws of a call across the eras, whatever the order in which server and client do what they may. */
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GatewayError } from '../../foundation/errors.ts'
import type { Equipped } from '../equipped.ts'
import type { Outgoing, SessionLink } from '../link.ts'
import type { Sink } from '../sink.ts'
import { faceOf } from './client-face.ts'
import { CrossedCall } from './crossed-call.ts'
import { Parking } from './parking.ts'
import { PooledSession } from './pooled-session.ts'

const upstreamId = 1_000_000_001
const params = {
  name: 'work',
  _meta: { 'io.modelcontextprotocol/clientCapabilities': { elicitation: {}, sampling: {}, roots: {} } },
}
const to = { upstream: { id: 'server' }, principalId: 'ana' } as Equipped

/** One call, with everything that reaches either side counted. */
function openCall() {
  const responses: unknown[] = []
  const cancelled: number[] = []
  const terminal: string[] = []
  let released = 0
  let flown = 0
  const link = {
    opening: { bytes: Buffer.from('{}'), body: { result: {} }, status: 200 },
    respond: async id => responses.push(id) > 0,
    cancel: id => void cancelled.push(id),
    listen: () => ({ pause: () => {}, resume: () => {}, abort: () => {} }),
  } as Partial<SessionLink> as SessionLink
  const parking = new Parking({ now: () => 0, elapsed: () => 0 }, 60)
  const session = new PooledSession(link, {
    key: 'k',
    serverId: 'server',
    principalId: 'ana',
    usedAt: 0,
    listChanged: () => {},
  })
  session.enter(true)
  let state: string | undefined
  let keys: string[] = []
  const request = (more: object = {}): Outgoing => {
    const round = terminal.length
    const note = (what: string) => {
      if (terminal.length > round)
        throw new Error(`a request answered twice: ${terminal.join()}, then ${what}`)
      terminal.push(what)
    }
    const sink: Sink = {
      clientId: `${round}`,
      whole: false,
      started: () => {},
      streaming: () => {},
      message: () => {},
      priming: () => {},
      answer(bytes) {
        const { result } = JSON.parse(bytes.toString())
        note(result.resultType)
        if (result.resultType !== 'input_required') return
        state = result.requestState
        keys = Object.keys(result.inputRequests)
      },
      piece: () => {},
      finished: () => note('finished'),
      failed: error => note(error.code),
    }
    const given = { ...params, ...more }
    const body = Buffer.from(
      JSON.stringify({ jsonrpc: '2.0', id: round, method: 'tools/call', params: given }),
    )
    return {
      body,
      upstreamId: upstreamId + round,
      method: 'tools/call',
      params: given,
      sink,
      mirrored: [],
      endless: false,
    }
  }
  const call = new CrossedCall({ parking, to, face: faceOf(params), logLevel: undefined }, request())
  call.carriedBy({ session, release: () => void released++ })
  call.started({ pause: () => {}, resume: () => {}, abort: () => void flown++ })
  return {
    call,
    parking,
    responses,
    cancelled,
    terminal,
    released: () => released,
    isWaiting: () => state !== undefined && parking.size > 0,
    comeBack(answered: readonly boolean[]) {
      if (state === undefined) return
      const chosen = keys.filter((_, at) => answered[at % answered.length])
      const inputResponses = Object.fromEntries(chosen.map(key => [key, { action: 'accept' }]))
      const outgoing = request({ inputResponses, requestState: state })
      state = undefined
      const parked = parking.take(outgoing.params.requestState, to, 'tools/call')
      expect(parked).toBe(call)
      call.goOn(outgoing)
    },
  }
}

type Step =
  | { readonly kind: 'ask' | 'answer' | 'fail' | 'cancel' | 'turn' }
  | { readonly kind: 'back'; readonly answered: readonly boolean[] }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('ask' as const, 'turn' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom('answer' as const, 'fail' as const, 'cancel' as const) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('back' as const),
      answered: fc.array(fc.boolean(), { minLength: 1, maxLength: 3 }),
    }),
  },
)

describe('a call across the eras', () => {
  it('answers every request once, every question at most once, and leaves nothing behind', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async steps => {
        const { call, parking, responses, terminal, released, comeBack, isWaiting } = openCall()
        let asks = 0
        let isOver = false
        const one = (kind: Step): void => {
          if (kind.kind === 'back') return comeBack(kind.answered)
          if (kind.kind === 'cancel') return call.flight.abort()
          if (isOver) return
          if (kind.kind === 'ask') {
            const message = { jsonrpc: '2.0', id: ++asks, method: 'roots/list' }
            call.message(Buffer.from(JSON.stringify(message)), message)
          } else if (kind.kind === 'answer') {
            isOver = true
            const message = { jsonrpc: '2.0', id: 0, result: {} }
            call.answer(Buffer.from(JSON.stringify(message)), message, 200)
          } else if (kind.kind === 'fail') {
            isOver = true
            call.failed(new GatewayError('upstream.outcome_unknown'))
          }
        }
        for (const each of steps) {
          if (each.kind === 'turn') await turn()
          else one(each)
        }
        await turn()
        if (isWaiting()) comeBack([true])
        await turn()
        // The server ends what is left.
        if (!isOver) one({ kind: 'answer' })
        if (isWaiting()) comeBack([true])
        parking.close()
        expect(call.isOver).toBe(true)
        expect(released()).toBe(1)
        expect(parking.size).toBe(0)
        expect(new Set(responses).size).toBe(responses.length)
        expect(terminal.slice(0, -1).every(what => what === 'input_required')).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  it('tells the server when its client stops waiting, and only then', async () => {
    const { call, cancelled } = openCall()
    const ask = { jsonrpc: '2.0', id: 1, method: 'roots/list' }
    call.message(Buffer.from(JSON.stringify(ask)), ask)
    await turn()
    // The request was answered with the question; that its connection closes then says nothing.
    call.flight.abort()
    expect(cancelled).toEqual([])
    call.abandoned()
    expect(cancelled).toEqual([upstreamId])
  })
})
