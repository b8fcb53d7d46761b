import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { onOneLine, openLines } from './lines.ts'

function collect(maximum: number, chunks: readonly Buffer[]): { lines: Buffer[]; tooLong: number } {
  const seen = { lines: [] as Buffer[], tooLong: 0 }
  const take = openLines(maximum, {
    line: line => seen.lines.push(Buffer.from(line)),
    tooLong: () => {
      seen.tooLong++
    },
  })
  for (const chunk of chunks) take(chunk)
  return seen
}

// Bytes with many newlines among them, cut at arbitrary places.
const pieces = fc.array(
  fc.array(fc.oneof(fc.constant(0x0a), fc.nat(255)), { maxLength: 40 }).map(bytes => Buffer.from(bytes)),
)

describe('lines', () => {
  it('are the same wherever the stream was cut, byte for byte', () => {
    fc.assert(
      fc.property(pieces, chunks => {
        const whole = Buffer.concat(chunks)
        const { lines, tooLong } = collect(whole.length, chunks)
        const unfinished = whole.subarray(whole.lastIndexOf(0x0a) + 1)
        expect(tooLong).toBe(0)
        expect(Buffer.concat([...lines.flatMap(line => [line, Buffer.from('\n')]), unfinished])).toEqual(
          whole,
        )
        expect(lines.some(line => line.includes(0x0a))).toBe(false)
      }),
    )
  })

  it('end at the first that is over the maximum, finished or not', () => {
    fc.assert(
      fc.property(pieces, fc.nat(20), (chunks, maximum) => {
        const all = Buffer.concat(chunks).toString('latin1').split('\n')
        const over = all.findIndex(line => line.length > maximum)
        const fitting = over < 0 ? all.slice(0, -1) : all.slice(0, over)
        const { lines, tooLong } = collect(maximum, chunks)
        expect(lines.map(line => line.toString('latin1'))).toEqual(fitting)
        expect(tooLong).toBe(over < 0 ? 0 : 1)
      }),
    )
  })

  it('that come in one read are views of it, not copies', () => {
    const chunk = Buffer.from('one\ntwo\n')
    const views: Buffer[] = []
    openLines(10, { line: line => views.push(line), tooLong: () => undefined })(chunk)
    expect(views.map(view => view.buffer === chunk.buffer)).toEqual([true, true])
  })

  it('are held without growing past twice their size when they drip', () => {
    const drip = Array.from({ length: 100_000 }, () => Buffer.from('x'))
    const held: Buffer[] = []
    const take = openLines(200_000, { line: line => held.push(line), tooLong: () => undefined })
    for (const byte of drip) take(byte)
    take(Buffer.from('\n'))
    expect(held[0]?.length).toBe(100_000)
    expect(held[0]?.buffer.byteLength).toBeLessThanOrEqual(200_002)
  })
})

describe('on one line', () => {
  const json = fc.json().map(text => JSON.stringify(JSON.parse(text), null, '\t').replaceAll('\n', '\r\n'))

  it('a JSON text means the same', () => {
    fc.assert(
      fc.property(json, text => {
        for (const line of [onOneLine(text), onOneLine(Buffer.from(text))]) {
          expect(line.toString()).not.toMatch(/[\r\n]/)
          expect(JSON.parse(line.toString())).toEqual(JSON.parse(text))
        }
      }),
    )
  })

  it('bytes that are one already are not copied', () => {
    const bytes = Buffer.from('{"a":1}')
    expect(onOneLine(bytes)).toBe(bytes)
  })
})
