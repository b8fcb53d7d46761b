import { describe, expect, it } from 'vitest'
import { mirroredArguments } from './mirrored-arguments.ts'

const annotated = (name: unknown, type: unknown = 'string') => ({ type, 'x-mcp-header': name })
const schema = (properties: object, more: object = {}) => ({ type: 'object', properties, ...more })

describe('mirrored arguments', () => {
  it.each<[string, unknown, [string, string[]][]]>([
    ['none', schema({ a: { type: 'string' } }), []],
    ['no schema at all', undefined, []],
    ['what is no schema', [annotated('A')], []],
    [
      'each type that may be',
      schema({ a: annotated('A'), b: annotated('B', 'integer'), c: annotated('C', 'boolean') }),
      [
        ['mcp-param-c', ['c']],
        ['mcp-param-b', ['b']],
        ['mcp-param-a', ['a']],
      ],
    ],
    [
      'deep ones',
      schema({ a: schema({ b: schema({ c: annotated('X-Deep') }) }) }),
      [['mcp-param-x-deep', ['a', 'b', 'c']]],
    ],
    ['an argument that is called like the annotation', schema({ 'x-mcp-header': { type: 'string' } }), []],
    [
      'an argument that is called like a keyword',
      schema({ items: annotated('Items') }),
      [['mcp-param-items', ['items']]],
    ],
    [
      'what only looks like one, in values',
      schema({ a: { enum: [annotated('A')], default: annotated('B'), const: annotated('') } }),
      [],
    ],
  ])('finds %s', (_, given, expected) => {
    expect(mirroredArguments(given)).toEqual(expected.map(([header, path]) => ({ header, path })))
  })

  it.each<[string, unknown]>([
    ['an empty name', schema({ a: annotated('') })],
    ['a line break', schema({ a: annotated('A\r\nb') })],
    ['a space', schema({ a: annotated('A b') })],
    ['a colon', schema({ a: annotated('A:') })],
    ['a letter beyond ASCII', schema({ a: annotated('Ä') })],
    ['no text', schema({ a: annotated(7) })],
    ['null', schema({ a: annotated(null) })],
    ['the same name twice', schema({ a: annotated('A'), b: schema({ c: annotated('a') }) })],
    ['a number', schema({ a: annotated('A', 'number') })],
    ['an object', schema({ a: annotated('A', 'object') })],
    ['no type', schema({ a: { 'x-mcp-header': 'A' } })],
    ['several types', schema({ a: annotated('A', ['string', 'null']) })],
    ['the root', { type: 'string', 'x-mcp-header': 'A' }],
    ['items', schema({ a: { type: 'array', items: annotated('A') } })],
    ['prefixItems', schema({ a: { type: 'array', prefixItems: [annotated('A')] } })],
    ['additionalProperties', schema({}, { additionalProperties: annotated('A') })],
    ['patternProperties', schema({}, { patternProperties: { x: annotated('A') } })],
    ['oneOf', schema({}, { oneOf: [schema({ a: annotated('A') })] })],
    ['allOf', schema({}, { allOf: [{}, schema({ a: annotated('A') })] })],
    ['if', schema({}, { if: schema({ a: annotated('A') }) })],
    ['$defs', schema({}, { $defs: { x: schema({ a: annotated('A') }) } })],
    [
      'a place below one that is hidden',
      schema({ a: { items: schema({ b: schema({ c: annotated('A') }) }) } }),
    ],
  ])('are not valid with %s', (_, given) => expect(mirroredArguments(given)).toBe('invalid'))

  it('are found in schemas of any depth', () => {
    let deep: object = schema({ a: annotated('A') })
    for (let i = 0; i < 100_000; i++) deep = { anyOf: [deep] }
    expect(mirroredArguments(deep)).toBe('invalid')
    let chain: object = annotated('A')
    for (let i = 0; i < 100_000; i++) chain = schema({ a: chain })
    expect(mirroredArguments(chain)).toBe('invalid')
  })
})
