import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EventStream, type ServerEvent } from './event-stream.ts'

function read(
  text: string,
  cuts: readonly number[],
  longBytes = 1_000_000,
): { events: ServerEvent[]; long: string[] } {
  const events: ServerEvent[] = []
  const long: string[] = []
  let piece = ''
  const stream = new EventStream(
    {
      event: event => events.push({ ...event, bytes: Buffer.from(event.bytes) }),
      long: start => {
        piece = start.toString()
        return true
      },
      longPiece: bytes => {
        piece += bytes.toString()
      },
      longEnd: () => long.push(piece),
    },
    longBytes,
    2_000_000,
  )
  const bytes = Buffer.from(text)
  const points = [
    0,
    ...[...new Set(cuts.map(cut => cut % (bytes.length + 1)))].sort((a, b) => a - b),
    bytes.length,
  ]
  for (let i = 1; i < points.length; i++) stream.push(bytes.subarray(points[i - 1], points[i]))
  return { events, long }
}

const data = (events: ServerEvent[]) => events.map(event => event.bytes.toString())

describe('an event stream', () => {
  it('gives the same events however it is cut and whatever ends its lines', () => {
    const lines = fc.array(fc.string({ unit: fc.constantFrom('a', ':', ' ', 'é', '{', '"'), minLength: 1 }), {
      minLength: 1,
      maxLength: 4,
    })
    fc.assert(
      fc.property(
        lines,
        fc.constantFrom('\n', '\r\n', '\r'),
        fc.array(fc.nat(), { maxLength: 10 }),
        (messages, end, cuts) => {
          const text = messages
            .map(message => `: comment${end}event: message${end}id: 7${end}data: ${message}${end}${end}`)
            .join('')
          const { events } = read(text, cuts)
          expect(data(events)).toEqual(messages)
          expect(events.every(event => event.id === '7' && event.event === 'message')).toBe(true)
        },
      ),
      { numRuns: 1000 },
    )
  })

  it('joins several data lines into one line of JSON', () => {
    expect(data(read('data: {\ndata: "a":1}\n\n', [3]).events)).toEqual(['{ "a":1}'])
  })

  it('tells priming events and retry times, and drops an event that was not ended', () => {
    const { events } = read('id: 1\ndata:\n\nretry: 500\n\ndata: lost', [])
    expect(events).toMatchObject([{ id: '1' }, { retry: '500' }])
  })

  it('hands a long line on in pieces', () => {
    const body = 'x'.repeat(5000)
    const { events, long } = read(`data: ${body}\n\ndata: short\n\n`, [100, 900, 1300, 4000], 500)
    expect(long).toEqual([body])
    expect(data(events)).toEqual(['short'])
  })

  it('refuses a message that never ends', () => {
    const stream = new EventStream(
      { event: () => {}, long: () => false, longPiece: () => {}, longEnd: () => {} },
      100,
      1000,
    )
    expect(() => {
      for (let i = 0; i < 100; i++) stream.push(Buffer.from('data: yyyyyyyyyyyyyyyyyyyyyyyyy'))
    }).toThrow(expect.objectContaining({ code: 'upstream.bad_answer' }))
  })
})
