import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { applyPatches } from '../foundation/json.ts'
import { arrange, arrangePatches } from './arguments.ts'
import { lackingArgument, reshaped, reshapedSchema, strangeArgument } from './reshape.ts'

const call = (params: string) =>
  Buffer.from(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`)

describe('arguments of a changed tool', () => {
  it('that are fixed are set, and nobody else may set them', () => {
    const rules = { locale: { value: 'en' } }
    expect(arrange(rules, { message: 'hi' })).toMatchObject({ arguments: { message: 'hi', locale: 'en' } })
    expect(arrange(rules, { locale: 'de' })).toBe('This tool takes no argument "locale"; leave it out.')
  })

  it('that are shown with their one value may be sent with it', () => {
    const rules = { locale: { value: 'en', hidden: false } }
    expect(arrange(rules, { locale: 'en' })).toMatchObject({ arguments: { locale: 'en' } })
    expect(arrange(rules, { locale: 'de' })).toBe('The argument "locale" must be one of: "en".')
  })

  it('have their default where the caller says nothing', () => {
    const rules = { limit: { default: 5 } }
    expect(arrange(rules, {})).toMatchObject({ arguments: { limit: 5 } })
    expect(arrange(rules, { limit: 7 })).toMatchObject({ arguments: { limit: 7 } })
  })

  it.each([
    [{ kind: { enum: ['a', { b: 1 }] } }, { kind: { b: 1 } }, undefined],
    [{ kind: { enum: ['a', 'b'] } }, { kind: 'c' }, 'The argument "kind" must be one of: "a", "b".'],
    [{ n: { minimum: 1 } }, { n: 0 }, 'The argument "n" must be at least 1.'],
    [{ n: { maximum: 9 } }, { n: 10 }, 'The argument "n" must be at most 9.'],
    [{ n: { maximum: 9 } }, { n: '10' }, 'The argument "n" must be a number.'],
    [{ n: { minimum: 1, maximum: 9 } }, { n: 5 }, undefined],
    [{ n: { minimum: 1 } }, {}, undefined],
  ])('%j narrow %j: %s', (rules, given, wrong) => {
    const arranged = arrange(rules, given)
    expect(typeof arranged === 'string' ? arranged : undefined).toBe(wrong)
  })

  it.each([
    [
      '{"name":"t","arguments":{"a":1.50,"locale":"de","z":"é"}}',
      '{"name":"t","arguments":{"a":1.50,"z":"é","locale":"en"}}',
    ],
    ['{"name":"t","arguments":{}}', '{"name":"t","arguments":{"locale":"en"}}'],
    ['{"name":"t"}', '{"name":"t","arguments":{"locale":"en"}}'],
    ['{"name":"t","arguments":null}', '{"name":"t","arguments":{"locale":"en"}}'],
  ])('in %s become %s', (before, after) => {
    const bytes = call(before)
    const patches = arrangePatches(bytes, { arguments: {}, set: { locale: 'en' } })
    expect(applyPatches(bytes, patches).toString()).toBe(call(after).toString())
  })

  it('in the bytes are those that were arranged', () => {
    const given = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.jsonValue())
    const fixed = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.array(fc.string()))
    fc.assert(
      fc.property(given, fixed, (args, value) => {
        const arranged = arrange(
          { b: { value, hidden: false }, c: { default: value } },
          { ...args, b: value },
        )
        if (typeof arranged === 'string') throw new Error(arranged)
        const bytes = call(JSON.stringify({ name: 't', arguments: args }))
        const sent = JSON.parse(applyPatches(bytes, arrangePatches(bytes, arranged)).toString())
        expect(sent.params.arguments).toEqual(JSON.parse(JSON.stringify(arranged.arguments)))
      }),
    )
  })
})

describe('the definition of a changed tool', () => {
  const definition =
    '{"name":"echo","x-vendor":{"n":1.50},"execution":{"taskSupport":"optional"},"inputSchema":{"type":"object","properties":{"message":{"type":"string","description":"old"},"locale":{"type":"string"}},"required":["message","locale"],"additionalProperties":false}}'

  it('is as its server wrote it but for what was changed', () => {
    const text = reshaped(definition, 'echo', { name: 'say_back' })
    expect(text).toBe(
      '{"x-vendor":{"n":1.50},"inputSchema":{"type":"object","properties":{"message":{"type":"string","description":"old"},"locale":{"type":"string"}},"required":["message","locale"],"additionalProperties":false},"name":"say_back"}',
    )
    expect(reshaped('{ "name":"echo" }', 'echo', { name: 'echo' })).toBe('{ "name":"echo" }')
  })

  it('shows what callers may send', () => {
    const rules = { message: { description: 'what to repeat' }, locale: { value: 'en', hidden: true } }
    const shown = JSON.parse(reshaped(definition, 'echo', { name: 'echo', title: 'Say', arguments: rules }))
    expect(shown).toMatchObject({
      title: 'Say',
      inputSchema: {
        type: 'object',
        properties: { message: { type: 'string', description: 'what to repeat' } },
        required: ['message'],
        additionalProperties: false,
      },
    })
    expect(shown.inputSchema.properties).not.toHaveProperty('locale')
  })

  it('narrows and never widens', () => {
    const schema = { properties: { n: { type: 'integer', minimum: 5, maximum: 8 } }, required: ['n'] }
    expect(reshapedSchema(schema, { n: { minimum: 1, maximum: 7, default: 6 } })).toEqual({
      properties: { n: { type: 'integer', minimum: 5, maximum: 7, default: 6 } },
    })
  })

  it.each([
    ['{"properties":{"message":{}}}', undefined],
    ['{"properties":{"message":{}},"additionalProperties":true}', undefined],
    ['{"properties":{"message":{}},"additionalProperties":false}', 'locale'],
    ['{"additionalProperties":false}', 'locale'],
    ['{}', undefined],
  ])('%s may be sent more than it names only with a value, and only where it is open', (schema, strange) => {
    const definition = `{"inputSchema":${schema}}`
    expect(strangeArgument(definition, { locale: { value: 'en', hidden: true } })).toBe(strange)
    expect(strangeArgument(definition, { locale: { value: null } })).toBe(strange)
    expect(strangeArgument(definition, { locale: { default: 'en' } })).toBe('locale')
    expect(strangeArgument(definition, { locale: { hidden: true } })).toBe('locale')
  })

  it('has no arguments that are not its server’s', () => {
    expect(strangeArgument(definition, { message: {}, loc: {} })).toBe('loc')
    expect(strangeArgument(definition, { message: {} })).toBeUndefined()
    expect(strangeArgument('{"inputSchema":{"properties":{}}}', { toString: {} })).toBe('toString')
    expect(strangeArgument('{"inputSchema":{"type":"object"}}', { any: {} })).toBe('any')
  })

  it('needs no argument that is hidden and has no value', () => {
    const needing = '{"inputSchema":{"properties":{"a":{},"b":{}},"required":["a"]}}'
    expect(lackingArgument(needing, { a: { hidden: true } })).toBe('a')
    for (const rules of [
      { a: { hidden: true, value: null } },
      { a: { hidden: true, default: 1 } },
      { a: { description: 'shown' } },
      { b: { hidden: true } },
    ])
      expect(lackingArgument(needing, rules)).toBeUndefined()
  })
})
