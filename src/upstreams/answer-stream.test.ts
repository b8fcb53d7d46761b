import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AnswerStream } from './answer-stream.ts'

function through(
  text: string,
  cuts: readonly number[],
  clientId = '"client"',
): { text: string; summary: unknown } {
  const stream = new AnswerStream(1234567890, clientId)
  const bytes = Buffer.from(text)
  const points = [
    0,
    ...[...new Set(cuts.map(cut => cut % (bytes.length + 1)))].sort((a, b) => a - b),
    bytes.length,
  ]
  const out: Buffer[] = []
  for (let i = 1; i < points.length; i++) out.push(...stream.push(bytes.subarray(points[i - 1], points[i])))
  return { summary: stream.end(), text: Buffer.concat(out).toString() }
}

describe('a long answer in pieces', () => {
  const orders = fc.constantFrom(
    (result: unknown) => ({ jsonrpc: '2.0', id: 1234567890, result }),
    (result: unknown) => ({ result, jsonrpc: '2.0', id: 1234567890 }),
    (result: unknown) => ({ id: 1234567890, 'x"\\': { id: 1234567890 }, result, jsonrpc: '2.0' }),
  )
  const results = fc.record({
    content: fc.jsonValue({ maxDepth: 4 }),
    isError: fc.boolean(),
    resultType: fc.constantFrom('complete', 'input_required'),
    id: fc.constant(1234567890),
    text: fc.string({ unit: fc.constantFrom('"', '\\', '{', '}', '[', ']', ',', ':', 'é', '\n', 'a', 'id') }),
  })

  it('changes the id at the top and nothing else, however it is cut and spaced', () => {
    fc.assert(
      fc.property(
        orders,
        results,
        fc.array(fc.nat(), { maxLength: 12 }),
        fc.constantFrom(0, 1, 4),
        (order, result, cuts, indent) => {
          const message = order(result)
          const text = JSON.stringify(message, null, indent)
          const got = through(text, cuts)
          expect(JSON.parse(got.text)).toEqual(JSON.parse(JSON.stringify({ ...message, id: 'client' })))
          if (indent === 0)
            expect(got.text.length).toBe(text.length - '1234567890'.length + '"client"'.length)
          expect(got.summary).toEqual({
            error: null,
            isError: result.isError,
            resultType: result.resultType,
            bytes: Buffer.byteLength(text),
          })
        },
      ),
      { numRuns: 2000 },
    )
  })

  it('reports an error by its code', () => {
    expect(
      through('{"jsonrpc":"2.0","id":1234567890,"error":{"code":-32602,"message":"no"}}', [9, 40]).summary,
    ).toMatchObject({ error: '-32602' })
  })

  it.each([
    ['another id', '{"jsonrpc":"2.0","id":1234567891,"result":{}}'],
    ['no id', '{"jsonrpc":"2.0","result":{}}'],
    ['two ids', '{"id":1234567890,"jsonrpc":"2.0","id":1234567890,"result":{}}'],
    ['a result and an error', '{"id":1234567890,"result":{},"error":{}}'],
    ['neither', '{"id":1234567890}'],
    ['a cut', '{"id":1234567890,"result":{"a":"'],
    ['garbage', 'hello'],
    ['garbage after it', '{"id":1234567890,"result":{}} x'],
    ['an id that is an object', '{"id":{"a":1234567890},"result":{}}'],
    ['endless nesting', `{"id":1234567890,"result":${'['.repeat(100)}`],
  ])('refuses %s', (_, text) => {
    expect(() => through(text, [7, 20])).toThrow(expect.objectContaining({ code: 'upstream.bad_answer' }))
  })
})
