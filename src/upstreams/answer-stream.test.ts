import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AnswerStream } from './answer-stream.ts'
import type { ResultEdits } from './sink.ts'

function through(
  text: string,
  cuts: readonly number[],
  edits?: ResultEdits,
): { text: string; summary: unknown } {
  const stream = new AnswerStream(1234567890, '"client"', edits)
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

describe('a result that is edited on the way', () => {
  const inner = fc.jsonValue({ maxDepth: 3 })
  const results = fc.uniqueArray(
    fc.oneof(
      fc.tuple(
        fc.constantFrom('isError', 'resultType', 'cacheScope'),
        fc.constantFrom(true, 'complete', null, 7),
      ),
      fc.tuple(fc.constantFrom('ttlMs', 'content', '_meta', '', 'é"\\', 'result', 'id'), inner),
      fc.tuple(fc.string({ maxLength: 6 }), inner),
    ),
    { selector: ([key]) => key, maxLength: 9 },
  )
  const names = fc.subarray(['resultType', 'ttlMs', 'cacheScope', 'content', 'isError', '_meta'])
  const edits = fc.record({ drop: names, add: names, isPrivate: fc.boolean() })
  const texts = fc.record({
    before: fc.constantFrom(
      [],
      [['x', { result: { ttlMs: 1 }, resultType: [2, 3] }]],
      [['y', ['ttlMs', 'b']]],
    ),
    isLast: fc.boolean(),
    indent: fc.constantFrom(0, 0, 1, 4),
    cuts: fc.array(fc.nat(), { maxLength: 12 }),
  })

  function edited(
    members: readonly (readonly [string, unknown])[],
    to: { drop: string[]; add: string[]; isPrivate: boolean },
  ) {
    const kept = members
      .filter(([key]) => !to.drop.includes(key))
      .map(([key, value]) => [key, to.isPrivate && key === 'cacheScope' ? 'private' : value] as const)
    const added = to.add
      .filter(key => !kept.some(([name]) => name === key))
      .map(key => [key, { added: key }] as const)
    return [...kept, ...added]
  }

  // Written member by member, because an object would put keys that look like numbers first.
  const written = (members: readonly (readonly [string, unknown])[]): string =>
    `{${members.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`

  it('is what it would be if it had been edited whole, and every other byte is as it came', () => {
    fc.assert(
      fc.property(results, edits, texts, (members, to, { before, isLast, indent, cuts }) => {
        const around = [...before, ['jsonrpc', '2.0']]
          .map(([key, value]) => `"${key}":${JSON.stringify(value)},`)
          .join('')
        const message = (id: string, result: string) =>
          isLast ? `{${around}"id":${id},"result":${result}}` : `{"result":${result},${around}"id":${id}}`
        const given = message('1234567890', written(members))
        const expected = message('"client"', written(edited(members, to)))
        const text = indent === 0 ? given : JSON.stringify(JSON.parse(given), null, indent)
        const got = through(text, cuts, {
          isPrivate: to.isPrivate,
          drop: new Set(to.drop),
          add: Object.fromEntries(to.add.map(key => [key, `{"added":"${key}"}`])),
        })
        expect(JSON.parse(got.text)).toEqual(JSON.parse(expected))
        if (indent === 0) expect(got.text).toBe(expected)
        expect(got.summary).toMatchObject({ error: null, bytes: Buffer.byteLength(text) })
      }),
      { numRuns: 3000 },
    )
  })

  const dropped: ResultEdits = { isPrivate: false, drop: new Set(['resultType']), add: { ttlMs: '0' } }

  it.each([
    ['{ }', '{ "ttlMs":0}'],
    ['{ "resultType" : "complete" }', '{"ttlMs":0}'],
    ['{"resultType":"complete" , "a" : 1 }', '{ "a" : 1 ,"ttlMs":0}'],
    ['{ "a" : 1 , "\\u0072esultType" : "complete" }', '{ "a" : 1 ,"ttlMs":0}'],
    ['{"a":[1,{"resultType":2}],"ttlMs":5}', '{"a":[1,{"resultType":2}],"ttlMs":5}'],
    ['[1,"resultType",2]', '[1,"resultType",2]'],
  ])('makes of %s %s', (given, expected) => {
    const message = (id: string, result: string) => `{"id":${id},"result":${result}}`
    const text = message('1234567890', given)
    for (const cut of [1, 2, 3, 7]) {
      const cuts = Array.from({ length: text.length }, (_, i) => i * cut)
      expect(through(text, cuts, dropped).text).toBe(message('"client"', expected))
    }
  })

  it('still says how it ended', () => {
    const text = '{"id":1234567890,"result":{"resultType":"input_required","isError":true}}'
    const edits = { isPrivate: false, drop: new Set(['resultType', 'isError']) }
    expect(through(text, [30], edits)).toMatchObject({
      text: '{"id":"client","result":{}}',
      summary: { resultType: 'input_required', isError: true },
    })
  })

  it('leaves errors alone', () => {
    const text = '{"id":1234567890,"error":{"code":-32602,"resultType":1,"message":"no"}}'
    expect(through(text, [40], dropped).text).toBe(text.replace('1234567890', '"client"'))
  })

  it('waits for a key only so long', () => {
    const text = `{"id":1234567890,"result":{${' '.repeat(5000)}"a":1}}`
    expect(() => through(text, [], dropped)).toThrow(expect.objectContaining({ code: 'upstream.bad_answer' }))
    expect(through(text, []).text).toBe(text.replace('1234567890', '"client"'))
  })
})

describe('texts at the top of a long result', () => {
  const text = fc.string({ unit: 'binary', maxLength: 40 })
  const seal = (own: string, type: string | null) => `<${type}:${own}>`
  const edits: ResultEdits = { isPrivate: false, replace: { requestState: seal } }

  it('become others, and the same name elsewhere does not, however it is cut and spaced', () => {
    fc.assert(
      fc.property(text, fc.array(fc.nat()), fc.boolean(), (requestState, cuts, isLate) => {
        const type = { resultType: 'input_required' }
        const inner = { inputRequests: { requestState, a: { requestState } } }
        const top = isLate ? { requestState, ...inner, ...type } : { ...type, ...inner, requestState }
        const given = { id: 1234567890, requestState, result: top }
        const { text: got } = through(JSON.stringify(given, null, cuts.length % 3), cuts, edits)
        const sealed = seal(requestState, isLate ? null : 'input_required')
        expect(JSON.parse(got)).toEqual({ ...given, id: 'client', result: { ...top, requestState: sealed } })
      }),
    )
  })

  it.each(['1', 'null', '{}', '["a"]', `"${'a'.repeat(70_000)}"`])('must be texts: %.20s', value => {
    const answer = `{"id":1234567890,"result":{"requestState":${value}}}`
    expect(() => through(answer, [], edits)).toThrow(expect.objectContaining({ code: 'upstream.bad_answer' }))
  })

  it('are the client’s as they are where nothing is said of them', () => {
    const answer = '{"id":1234567890,"result":{"requestState":"a","taskId":"b"}}'
    expect(through(answer, [], { isPrivate: false }).text).toBe(answer.replace('1234567890', '"client"'))
  })
})
