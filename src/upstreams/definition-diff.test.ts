import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonical, type JsonObject } from '../foundation/json.ts'
import { diffDefinitions } from './definition-diff.ts'

const text = fc.constantFrom('a', 'b', 'find', '')
const schema: fc.Memo<JsonObject> = fc.memo(depth =>
  fc.record(
    {
      type: fc.constantFrom<unknown>('string', 'object', ['string', 'null'], ['null', 'string']),
      description: text,
      enum: fc.array(fc.constantFrom<unknown>('x', 'y', 1, null), { maxLength: 3 }),
      default: fc.constantFrom<unknown>('x', 1, null),
      required: fc.uniqueArray(fc.constantFrom('path', 'mode', 'toString'), { maxLength: 3 }),
      minLength: fc.nat(3),
      ...(depth > 1 && {
        properties: fc.dictionary(fc.constantFrom('path', 'mode', 'toString', 'extra'), schema(depth - 1), {
          maxKeys: 3,
        }),
        items: schema(depth - 1),
        additionalProperties: fc.oneof(fc.boolean(), schema(depth - 1)),
      }),
    },
    { requiredKeys: [] },
  ),
)
const definition: fc.Arbitrary<JsonObject> = fc.record(
  {
    name: fc.constant('tool'),
    title: text,
    description: text,
    inputSchema: schema(3),
    outputSchema: schema(2),
    annotations: fc.record(
      {
        title: text,
        readOnlyHint: fc.boolean(),
        destructiveHint: fc.boolean(),
        idempotentHint: fc.boolean(),
        openWorldHint: fc.boolean(),
        other: fc.boolean(),
      },
      { requiredKeys: [] },
    ),
    icons: fc.array(fc.record({ src: text })),
    execution: fc.constantFrom({ taskSupport: 'optional' }, { taskSupport: 'odd' }, {}),
    _meta: fc.constantFrom(
      {},
      { ui: { resourceUri: 'ui://a' } },
      { ui: { resourceUri: 'ui://b' }, other: 1 },
    ),
    constructor: text,
  },
  { requiredKeys: ['name'] },
)

describe('the difference of two definitions', () => {
  it('is empty when they are the same, and only then', () => {
    fc.assert(
      fc.property(definition, definition, (from, to) => {
        expect(diffDefinitions(from, from)).toEqual([])
        expect(diffDefinitions(from, to).length === 0).toBe(canonical(from) === canonical(to))
      }),
      { numRuns: 2000 },
    )
  })

  it('says each thing in a sentence, at a place, and once', () => {
    fc.assert(
      fc.property(definition, definition, (from, to) => {
        const changes = diffDefinitions(from, to)
        for (const { sentence, path } of changes) {
          expect(sentence).toMatch(/^[^\n]+\.$/)
          expect(path).not.toBe('')
        }
        const said = changes.map(({ path, sentence }) => `${path} ${sentence}`)
        expect(new Set(said).size).toBe(said.length)
      }),
    )
  })

  it('of what a caller may leave out only adds, and the way back does not', () => {
    fc.assert(
      fc.property(definition, schema(2), (before, argument) => {
        const input = { type: 'object', properties: { path: {} }, required: ['path'] }
        const from = { ...before, inputSchema: input }
        const to = { ...before, inputSchema: { ...input, properties: { path: {}, more: argument } } }
        expect(diffDefinitions(from, to)).toMatchObject([{ kind: 'argument-added', additive: true }])
        expect(diffDefinitions(to, from)).toMatchObject([{ kind: 'argument-removed', additive: false }])
      }),
    )
  })
})

const tool = (more: JsonObject = {}): JsonObject => ({ name: 'search', description: 'Finds.', ...more })
const taking = (properties: JsonObject, more: JsonObject = {}) =>
  tool({ inputSchema: { type: 'object', properties, ...more } })
const giving = (properties: JsonObject) => tool({ outputSchema: { type: 'object', properties } })

it.each<[string, JsonObject, JsonObject, string, string, boolean]>([
  ['a description', tool(), tool({ description: 'Else.' }), 'description', 'description', false],
  ['a title', tool(), tool({ title: 'Search' }), 'title', 'title', false],
  ['an optional argument', taking({}), taking({ q: {} }), 'argument-added', 'inputSchema.properties.q', true],
  [
    'a required argument',
    taking({}),
    taking({ q: {} }, { required: ['q'] }),
    'argument-added',
    'inputSchema.properties.q',
    false,
  ],
  ['a lost argument', taking({ q: {} }), taking({}), 'argument-removed', 'inputSchema.properties.q', false],
  [
    'a type',
    taking({ q: { type: 'string' } }),
    taking({ q: { type: 'number' } }),
    'type',
    'inputSchema.properties.q.type',
    false,
  ],
  [
    'the words of an argument',
    taking({ q: { description: 'a' } }),
    taking({ q: { description: 'b' } }),
    'description',
    'inputSchema.properties.q.description',
    false,
  ],
  [
    'more values',
    taking({ q: { enum: ['a'] } }),
    taking({ q: { enum: ['b', 'a'] } }),
    'enum',
    'inputSchema.properties.q.enum',
    true,
  ],
  [
    'fewer values',
    taking({ q: { enum: ['a', 'b'] } }),
    taking({ q: { enum: ['b'] } }),
    'enum',
    'inputSchema.properties.q.enum',
    false,
  ],
  [
    'values where all were good',
    taking({ q: {} }),
    taking({ q: { enum: ['b'] } }),
    'enum',
    'inputSchema.properties.q.enum',
    false,
  ],
  [
    'an argument that became required',
    taking({ q: {} }),
    taking({ q: {} }, { required: ['q'] }),
    'required',
    'inputSchema.required',
    false,
  ],
  [
    'an argument that became optional',
    taking({ q: {} }, { required: ['q'] }),
    taking({ q: {} }),
    'required',
    'inputSchema.required',
    true,
  ],
  [
    'a default',
    taking({ q: {} }),
    taking({ q: { default: 1 } }),
    'default',
    'inputSchema.properties.q.default',
    false,
  ],
  [
    'a pattern',
    taking({ q: {} }),
    taking({ q: { pattern: 'x' } }),
    'other',
    'inputSchema.properties.q.pattern',
    false,
  ],
  ['results with a schema', tool(), giving({}), 'output-schema', 'outputSchema', true],
  ['results without one', giving({}), tool(), 'output-schema', 'outputSchema', false],
  ['results with more', giving({}), giving({ a: {} }), 'output-schema', 'outputSchema.properties.a', true],
  ['results with less', giving({ a: {} }), giving({}), 'output-schema', 'outputSchema.properties.a', false],
  [
    'a stronger claim',
    tool(),
    tool({ annotations: { readOnlyHint: true } }),
    'annotations',
    'annotations.readOnlyHint',
    false,
  ],
  [
    'a weaker claim',
    tool({ annotations: { destructiveHint: false } }),
    tool({ annotations: {} }),
    'annotations',
    'annotations.destructiveHint',
    false,
  ],
  [
    'a claim that held unsaid',
    tool({ annotations: {} }),
    tool({ annotations: { destructiveHint: true } }),
    'annotations',
    'annotations.destructiveHint',
    true,
  ],
  ['icons', tool(), tool({ icons: [] }), 'icons', 'icons', false],
  ['a user interface', tool(), tool({ _meta: { ui: {} } }), 'ui', '_meta.ui', false],
  ['what nobody knows', tool(), tool({ _meta: { x: 1 } }), 'other', '_meta.x', false],
  ['a member nobody knows', tool(), tool({ secret: 1 }), 'other', 'secret', false],
  ['tasks', tool(), tool({ execution: { taskSupport: 'optional' } }), 'execution', 'execution', true],
  ['odd tasks', tool(), tool({ execution: { say: 'this' } }), 'other', 'execution', false],
])('%s', (_, from, to, kind, path, additive) => {
  expect(diffDefinitions(from, to)).toMatchObject([{ kind, path, additive }])
})

it('says whether a claim became more or less', () => {
  const said = (from: boolean, to: boolean) =>
    diffDefinitions(
      tool({ annotations: { readOnlyHint: from } }),
      tool({ annotations: { readOnlyHint: to } }),
    ).map(({ sentence }) => sentence)
  expect(said(false, true)).toEqual(['It claims more than before: that it only reads.'])
  expect(said(true, false)).toEqual(['It claims less than before: that it may change things.'])
})

it('shows names as they are, not as they look', () => {
  const [change] = diffDefinitions(taking({}), taking({ 'a\u202eb\u001b[2J': {} }))
  expect(change?.sentence).toBe('The optional argument `a\\u{202e}b\\u{1b}[2J` was added.')
})
