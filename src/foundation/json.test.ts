import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  applyPatches,
  canonical,
  elements,
  isDeeper,
  members,
  onlyAt,
  parseBounded,
  scanBounds,
  spanAt,
} from './json.ts'

const bytes = (text: string) => Buffer.from(text)

describe('parseBounded', () => {
  it.each([
    ['{"a":1,"a":2}', 'json.duplicate_key'],
    ['{"a":1,"\\u0061":2}', 'json.duplicate_key'],
    ['{"x":{"__proto__":{}}}', 'json.forbidden_key'],
    ['{"x":{"__pro\\u0074o__":{}}}', 'json.forbidden_key'],
    ['['.repeat(65), 'json.too_deep'],
    ['['.repeat(200_000), 'json.too_deep'],
    [`{${Array.from({ length: 10_001 }, (_, i) => `"k${i}":1`).join(',')}}`, 'json.too_many_keys'],
    ['', 'json.malformed'],
    ['{', 'json.malformed'],
    ['{"a":1} x', 'json.malformed'],
    ['\uFEFF{}', 'json.malformed'],
    ['"\\', 'json.malformed'],
  ])('refuses %.40s', (text, code) => {
    expect(() => parseBounded(bytes(text))).toThrow(expect.objectContaining({ code }))
  })

  it('refuses bytes that are not UTF-8', () => {
    expect(() => parseBounded(Buffer.from([0x22, 0xff, 0x22]))).toThrow(
      expect.objectContaining({ code: 'json.malformed' }),
    )
    expect(() => parseBounded(Buffer.from('{}', 'utf16le'))).toThrow(
      expect.objectContaining({ code: 'json.malformed' }),
    )
  })

  it('takes 64 levels and many distinct keys', () => {
    expect(() => parseBounded(bytes('['.repeat(64) + ']'.repeat(64)))).not.toThrow()
    expect(() =>
      parseBounded(bytes(`{${Array.from({ length: 9_999 }, (_, i) => `"k${i}":1`).join(',')}}`)),
    ).not.toThrow()
  })

  it('reads every JSON value as JSON.parse does', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), value => {
        fc.pre(!JSON.stringify(value).includes('"__proto__"'))
        expect(parseBounded(bytes(JSON.stringify(value)))).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })

  it('never loops or crashes on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), any => {
        try {
          scanBounds(Buffer.from(any))
        } catch (error) {
          expect(error).toHaveProperty('code')
        }
      }),
    )
  })
})

const spaced = (value: unknown) => JSON.stringify(value, null, 3)

describe('spans', () => {
  it('find every member and element where JSON.parse finds it', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 4 })),
        fc.boolean(),
        (object, pretty) => {
          const normal: Record<string, unknown> = JSON.parse(JSON.stringify(object))
          const text = bytes(pretty ? spaced(normal) : JSON.stringify(normal))
          const seen = [...members(text, 0)].map(([key, span]) => [
            key,
            JSON.parse(text.toString('utf8', span.start, span.end)),
          ])
          expect(seen).toEqual(Object.entries(normal))
          for (const [key, value] of Object.entries(normal)) {
            const span = spanAt(text, [key])
            expect(span && JSON.parse(text.toString('utf8', span.start, span.end))).toEqual(value)
          }
        },
      ),
    )
  })

  it('walk arrays', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue({ maxDepth: 3 })), array => {
        const normal: unknown[] = JSON.parse(JSON.stringify(array))
        const text = bytes(spaced(normal))
        expect(
          [...elements(text, 0)].map(span => JSON.parse(text.toString('utf8', span.start, span.end))),
        ).toEqual(normal)
      }),
    )
  })

  it('patch only what is named', () => {
    const text = bytes('{"id": 7, "big": 9007199254740993, "params":{"_meta":{"progressToken":"a"},"x":1.0}}')
    const id = spanAt(text, ['id'])
    const token = spanAt(text, ['params', '_meta', 'progressToken'])
    if (!id || !token) throw new Error('not found')
    expect(
      applyPatches(text, [
        { span: token, text: '42' },
        { span: id, text: '"é"' },
      ]).toString(),
    ).toBe('{"id": "é", "big": 9007199254740993, "params":{"_meta":{"progressToken":42},"x":1.0}}')
    expect(spanAt(text, ['params', 'missing', 'deeper'])).toBeUndefined()
    expect(spanAt(text, ['id', 'deeper'])).toBeUndefined()
  })
})

it('tells how deep a value is, however deep it is', () => {
  const nested = (levels: number): unknown => JSON.parse('['.repeat(levels) + ']'.repeat(levels))
  expect(isDeeper(nested(64), 64)).toBe(false)
  expect(isDeeper(nested(65), 64)).toBe(true)
  expect(isDeeper({ a: [nested(100_000)] }, 64)).toBe(true)
  expect(isDeeper('flat', 0)).toBe(false)
})

describe('onlyAt', () => {
  const at = (text: string) => onlyAt(Buffer.from(text), ['a', 'b'])

  it('finds what is said once', () => {
    expect(at('{"x":{"a":1,"b":2}, "a" : { "b" : [1] , "c":{"b":2}},"y":3}')).toBe(34)
    expect(at('{"a":{"b":1}}')).toBe(10)
  })

  it.each([
    '{"a":{"b":1,"b":2}}',
    '{"a":{"b":1},"a":{}}',
    '{"a":{"b":1},"\\u0061":{"b":2}}',
    '{"a":{"b":1,"c":[{}],"\\u0062":2}}',
    '{"a":{"c":1}}',
    '{"a":[]}',
    '[]',
  ])('finds nothing where it is said twice or not: %s', text => {
    expect(at(text)).toBeUndefined()
  })

  it('agrees with every parser', () => {
    const key = fc.constantFrom('a', 'b', 'c', '\\u0061')
    const value = fc.constantFrom('1', '"b"', '[{"b":2}]', '{"b":1}', '{"b":[ ],"b":2}', '{ }')
    fc.assert(
      fc.property(fc.array(fc.tuple(key, value), { maxLength: 5 }), pairs => {
        const text = `{${pairs.map(([own, one]) => `"${own}" : ${one}`).join(' , ')}}`
        const named = pairs.filter(([own]) => own === 'a' || own === '\\u0061')
        const inner = named.length === 1 && named[0]?.[1] === '{"b":1}'
        expect(at(text) !== undefined).toBe(inner)
      }),
    )
  })
})

describe('canonical', () => {
  it('sorts keys and drops space, as RFC 8785 says', () => {
    expect(canonical({ b: [1, { d: null, c: 'é' }], a: 1e21 })).toBe('{"a":1e+21,"b":[1,{"c":"é","d":null}]}')
  })

  it('is the same for every order of keys', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), object => {
        const turned = Object.fromEntries(Object.entries(object).reverse())
        expect(canonical(turned)).toBe(canonical(object))
      }),
    )
  })
})
