import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type KeptStream, ReplayStore, replayLimits } from './replay.ts'

const owner = { takeBack: () => {} }
let now = 0
const store = () => new ReplayStore(() => now)
const text = ({ message }: { message: Buffer }) => message.toString()

type Step =
  | { readonly act: 'open' }
  | { readonly act: 'keep'; readonly stream: number; readonly size: number }
  | { readonly act: 'pass'; readonly stream: number }
  | { readonly act: 'end'; readonly stream: number }

const stream = fc.nat({ max: 20 })
const size = fc.oneof(
  { weight: 4, arbitrary: fc.nat({ max: 200 }) },
  fc.integer({ min: 20_000, max: 100_000 }),
  fc.constant(replayLimits.bytes + 1),
)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 1, arbitrary: fc.constant({ act: 'open' as const }) },
  { weight: 8, arbitrary: fc.record({ act: fc.constant('keep' as const), stream, size }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('pass' as const), stream }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('end' as const), stream }) },
)

describe('what is kept', () => {
  it('is the latest of all streams, and after any event of one stream exactly what followed on that one', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 600, size: 'max' }), steps => {
        const kept = store()
        const streams: KeptStream[] = [kept.open()]
        /** Everything that was ever said, and whether it fits at all. */
        const said: { stream: KeptStream; id: string; text: string; fits: boolean }[] = []
        for (const [i, one] of steps.entries()) {
          if (one.act === 'open') {
            streams.push(i % 2 === 0 ? kept.open() : kept.open({ owner, clientId: String(i) }))
            continue
          }
          const to = streams[one.stream % streams.length]
          if (to === undefined || to.isOver) continue
          if (one.act === 'end') to.end()
          else if (one.act === 'pass') said.push({ stream: to, id: to.pass(), text: '', fits: false })
          else {
            const message = `${i}:`.padEnd(one.size, 'x')
            const fits = message.length <= replayLimits.bytes
            said.push({ stream: to, id: to.keep(Buffer.from(message)), text: message, fits })
          }
          expect(kept.bytes).toBeLessThanOrEqual(replayLimits.bytes)
          expect(kept.events).toBeLessThanOrEqual(replayLimits.events)
        }
        const fitting = said.filter(({ fits }) => fits)
        const left = fitting.slice(fitting.length - kept.events)
        expect(new Set(said.map(({ id }) => id)).size).toBe(said.length)
        for (const [i, { stream: from, id }] of said.entries()) {
          const found = kept.find(id)
          const following = said.slice(i + 1).filter(one => one.stream === from && left.includes(one))
          if (found?.stream === undefined) expect(from.isOver && following.length === 0).toBe(true)
          else
            expect(found.stream.after(found.place.sequence).map(text)).toEqual(following.map(one => one.text))
        }
      }),
      { numRuns: 30 },
    )
  })

  it('holds none of the packets that it came in', () => {
    const kept = store()
    const packet = Buffer.alloc(65_536, 'x')
    const from = kept.open()
    from.keep(packet.subarray(10, 20))
    const [event] = from.after(-1)
    expect(event?.message.buffer.byteLength).toBe(10)
  })

  it('goes after a while', () => {
    const kept = store()
    const from = kept.open()
    const id = from.pass()
    from.keep(Buffer.from('old'))
    now += replayLimits.milliseconds - 1
    from.keep(Buffer.from('young'))
    kept.expire()
    expect(from.after(-1).map(text)).toEqual(['old', 'young'])
    now += 2
    kept.expire()
    expect(from.after(-1).map(text)).toEqual(['young'])
    from.end()
    now += replayLimits.milliseconds
    kept.expire()
    expect(kept.find(id)).toMatchObject({ stream: undefined, place: { kind: 'unasked' } })
  })
})

describe('an event id', () => {
  it('of another store names nothing here', () => {
    const [mine, other] = [store(), store()]
    const id = other.open({ owner, clientId: '7' }).keep(Buffer.from('secret'))
    mine.open({ owner, clientId: '8' }).keep(Buffer.from('mine'))
    expect(mine.find(id)).toMatchObject({ stream: undefined, owner: undefined, place: { clientId: '7' } })
    expect(mine.find('e-1')).toBeUndefined()
  })

  it('finds who answers, and nobody under another kind', () => {
    const kept = store()
    const id = kept.open({ owner, clientId: '"a"' }).pass()
    expect(kept.find(id)?.owner).toBe(owner)
    expect(kept.find(id.replace(/^c/, 'u'))).toMatchObject({ stream: undefined, owner: undefined })
  })
})
