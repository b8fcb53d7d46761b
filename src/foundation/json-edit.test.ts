import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { edited } from './json-edit.ts'

const edit = (text: string, drop: string[], add: Record<string, string> = {}) =>
  edited(Buffer.from(text), [], { drop: new Set(drop), add }).toString()

describe('editing members', () => {
  it('leaves out the first, the middle, the last and all', () => {
    const text = '{ "a" : 1, "b":[2, {"a":3}] ,"c":"x" }'
    expect(edit(text, ['a'])).toBe('{ "b":[2, {"a":3}] ,"c":"x" }')
    expect(edit(text, ['b'])).toBe('{ "a" : 1, "c":"x" }')
    expect(edit(text, ['c'])).toBe('{ "a" : 1, "b":[2, {"a":3}] }')
    expect(edit(text, ['b', 'c'])).toBe('{ "a" : 1 }')
    expect(JSON.parse(edit(text, ['a', 'b', 'c']))).toEqual({})
    expect(edit(text, ['d'])).toBe(text)
  })

  it('adds what is not there', () => {
    expect(edit('{}', [], { a: '1' })).toBe('{"a":1}')
    expect(edit('{"b":2 }', [], { a: '1', b: '3' })).toBe('{"b":2,"a":1 }')
    expect(edit('{"b":2}', ['b'], { b: '3' })).toBe('{"b":3}')
  })

  it('knows keys in any spelling', () => {
    expect(edit('{"\\u0061":1,"b":2}', ['a'])).toBe('{"b":2}')
  })

  it('does what it would do to the value', () => {
    const names = fc.constantFrom('a', 'b', 'c', 'd', '_meta')
    fc.assert(
      fc.property(
        fc.dictionary(names, fc.jsonValue()),
        fc.array(names),
        fc.dictionary(names, fc.jsonValue()),
        fc.constantFrom(0, 2),
        (object, drop, add, indent) => {
          const raw = Object.fromEntries(
            Object.entries(add).map(([key, value]) => [key, JSON.stringify(value)]),
          )
          const left = Object.fromEntries(
            Object.entries(object).filter(([key]) => !(drop as string[]).includes(key)),
          )
          const parsed = JSON.parse(edit(JSON.stringify(object, null, indent), drop, raw))
          expect(parsed).toEqual(JSON.parse(JSON.stringify({ ...add, ...left })))
        },
      ),
    )
  })
})
