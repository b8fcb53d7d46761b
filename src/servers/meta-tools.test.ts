import { describe, expect, it } from 'vitest'
import { describeResult, estimateTokens, metaTools, searchResult } from './meta-tools.ts'

const definition = {
  name: 'files__read',
  description: 'Reads a file.\nThe whole of it, or its first lines.',
  inputSchema: {
    type: 'object',
    properties: {
      head: { type: 'integer' },
      path: { type: 'string' },
      as: { enum: ['text', 'bytes'] },
      ranges: { type: 'array', items: { type: ['integer', 'null'] } },
      more: { anyOf: [{ type: 'string' }, { const: 3 }, {}] },
    },
    required: ['path'],
  },
  annotations: { readOnlyHint: true },
}

describe('the meta-tools', () => {
  it('are three, and say which of them only read', () => {
    const readOnly = metaTools.map(({ name, annotations }) => [name, JSON.stringify(annotations)])
    expect(readOnly).toEqual([
      ['search_tools', '{"readOnlyHint":true,"openWorldHint":false}'],
      ['describe_tool', '{"readOnlyHint":true,"openWorldHint":false}'],
      ['call_tool', '{"readOnlyHint":false,"destructiveHint":true,"openWorldHint":true}'],
    ])
  })

  it('cost a model less than a thousand tokens', () => {
    expect(estimateTokens(Buffer.byteLength(JSON.stringify(metaTools)))).toBeLessThan(1000)
  })
})

describe('the result of a search', () => {
  const line =
    'path: string, head?: integer, as?: "text"|"bytes", ranges?: (integer|null)[], more?: string|3|any'

  it('has a line for each tool, with its arguments', () => {
    const { content, structuredContent } = searchResult([
      { name: 'read', definition },
      { name: 'now', definition: {} },
    ])
    expect(content).toEqual([{ type: 'text', text: `read(${line}): Reads a file.\nnow(): No description.` }])
    expect(structuredContent).toEqual({
      tools: [
        { name: 'read', description: 'Reads a file.', arguments: line },
        { name: 'now', description: 'No description.', arguments: '' },
      ],
    })
  })

  it('keeps a tool on its line', () => {
    const odd = {
      description: 'a\n\nb',
      inputSchema: { properties: { 'x\ny': { type: ['a\nb', 7] }, z: { type: 'c\nd' } } },
    }
    expect(searchResult([{ name: 'odd', definition: odd }]).content[0].text).toBe(
      'odd(x y?: a b|7, z?: c d): a b',
    )
  })

  it('says what to do when nothing was found', () => {
    const { content, structuredContent } = searchResult([])
    expect(content[0].text).toMatch(/^No tool .* Search again/)
    expect(structuredContent).toEqual({ tools: [] })
  })

  it('stays short whatever a definition holds', () => {
    const properties = Object.fromEntries(
      Array.from({ length: 500 }, (_, at) => [
        `${'x'.repeat(500)}${at}`,
        { enum: Array(500).fill('y'.repeat(500)) },
      ]),
    )
    const huge = { description: '\u{1F600}'.repeat(10_000), inputSchema: { properties } }
    const { content } = searchResult([{ name: 'huge', definition: huge }])
    expect(content[0].text.length).toBeLessThan(4000)
    expect(content[0].text.isWellFormed()).toBe(true)
  })
})

describe('the result of a description', () => {
  it('has everything that the definition says', () => {
    const { content, structuredContent } = describeResult(definition)
    expect(structuredContent).toEqual({ tool: definition })
    const { text } = content[0]
    expect(text).toContain(definition.description)
    expect(text).toContain(JSON.stringify(definition.inputSchema))
    expect(text.startsWith('files__read(path: string, ')).toBe(true)
  })

  it('shows the schema of the answer where there is one', () => {
    const outputSchema = { type: 'object', properties: { lines: { type: 'integer' } } }
    expect(describeResult({ ...definition, outputSchema }).content[0].text).toContain(
      JSON.stringify(outputSchema),
    )
  })
})
