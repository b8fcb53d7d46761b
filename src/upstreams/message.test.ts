import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { errorCode, nextUpstreamId, readdress, readMessage } from './message.ts'

const id = 1_234_567_890
const to = (text: string) => readdress(Buffer.from(text), id, '"mine"').toString()

describe('an answer with the id of the client', () => {
  it.each([
    [
      `{"jsonrpc":"2.0","id":${id},"result":{"id":${id}}}`,
      `{"jsonrpc":"2.0","id":"mine","result":{"id":${id}}}`,
    ],
    [
      `{"result":{"id":${id}},"jsonrpc":"2.0","id":${id}}`,
      `{"result":{"id":${id}},"jsonrpc":"2.0","id":"mine"}`,
    ],
    [
      `{"result":{"id":${id}},"id":${id},"jsonrpc":"2.0"}`,
      `{"result":{"id":${id}},"id":"mine","jsonrpc":"2.0"}`,
    ],
    [`{"result":{"id":${id}}, "id" : ${id} }`, `{"result":{"id":${id}}, "id" : "mine" }`],
    [`{"id": ${id}, "result":{"a":{"id":${id}}}}`, `{"id": "mine", "result":{"a":{"id":${id}}}}`],
    [`{"result":{"text":"\\"id\\":${id},"},"id":${id}}`, `{"result":{"text":"\\"id\\":${id},"},"id":"mine"}`],
    [`{"id":${id}0,"result":{}}`, '{"id":"mine","result":{}}'],
    [
      `{"x":[{"id":${id}}],"\\u0069d":${id},"result":{}}`,
      `{"x":[{"id":${id}}],"\\u0069d":"mine","result":{}}`,
    ],
    ['{"result":{}}', '{"result":{}}'],
  ])('%s', (given, expected) => expect(to(given)).toBe(expected))

  it('has every other value as it was, wherever the id stands', () => {
    const value = fc.oneof(
      fc.json({ maxDepth: 3 }),
      fc.constant(`{"id":${id}}`),
      fc.constant(`"\\"id\\":${id}"`),
    )
    const space = fc.constantFrom('', ' ', '\n')
    const members = fc.tuple(fc.array(value, { maxLength: 4 }), fc.nat(), space)
    fc.assert(
      fc.property(members, ([values, place, s]) => {
        const entries: [string, string][] = values.map((json, at) => [`m${at}`, json])
        entries.splice(place % (entries.length + 1), 0, ['id', String(id)])
        const text = (own: string) =>
          `{${entries.map(([key, json]) => `"${key}":${s}${key === 'id' ? own : json}`).join(',')}}`
        expect(to(text(String(id)))).toBe(text('"mine"'))
      }),
    )
  })
})

describe('a message', () => {
  it.each<[unknown, string | undefined]>([
    [{ id: 1, result: {} }, 'answer'],
    [{ id: null, error: {} }, 'answer'],
    [{ id: 1, method: 'ping' }, 'request'],
    [{ id: '1', method: 'ping' }, 'request'],
    [{ method: 'notifications/x' }, 'notification'],
    [{ id: null, method: 'notifications/x' }, 'notification'],
    [{ id: {}, method: 'elicitation/create' }, undefined],
    [{ id: true, method: 'elicitation/create' }, undefined],
    [{ id: 1, result: 7 }, undefined],
    [{ id: 1 }, undefined],
  ])('%j is of kind %s', (body, kind) => {
    const bytes = Buffer.from(JSON.stringify({ jsonrpc: '2.0', ...(body as object) }))
    expect(readMessage(bytes)?.kind).toBe(kind)
  })

  it.each(['', '[]', 'null', '{"method":"x"}', '{"jsonrpc":"1.0","method":"x"}', '{"jsonrpc":"2.0",'])(
    '%j is none',
    text => expect(readMessage(Buffer.from(text))).toBeUndefined(),
  )
})

it('ids are ours alone, and fit everywhere', () => {
  const ids = Array.from({ length: 1000 }, nextUpstreamId)
  expect(new Set(ids).size).toBe(1000)
  expect(ids.every(one => Number.isInteger(one) && one > 0 && one < 2 ** 31)).toBe(true)
})

it('a code is a number or nothing', () => {
  const codes = [{ code: -32602 }, { code: 'words' }, { code: 1.5 }, {}, undefined].map(errorCode)
  expect(codes).toEqual(['-32602', 'no code', 'no code', 'no code', 'no code'])
})
