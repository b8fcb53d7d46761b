import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openSearch, type SearchedTool } from './search.ts'

const tool = (name: string, description = '', properties: object = {}): SearchedTool => ({
  name,
  definition: { name, description, inputSchema: { type: 'object', properties } },
})

const tools = [
  tool('read_text_file', 'Read the complete contents of a file from the file system as text.', {
    path: { type: 'string' },
    head: { type: 'number', description: 'If given, the first N lines' },
  }),
  tool('deleteRepository', 'Deletes a repository and everything in it.'),
  tool('create_issue', 'Create a new issue in a repository', { labels: { type: 'array' } }),
  tool('browser_take_screenshot', 'Take a screenshot of the current page'),
  tool('forecast', 'The weather of the coming days', {
    unit: { type: 'string', enum: ['celsius', 'fahrenheit'] },
    station: {
      type: 'object',
      properties: { altitude: { type: 'number', description: 'metres above the sea' } },
    },
  }),
  tool('jira__search', 'Find items'),
  tool('wiki__search', 'Find items'),
]
const search = openSearch(tools)
const first = (query: string) => search.find(query, 1)[0]?.name

describe('a search', () => {
  it.each([
    ['the words of a name', 'read text file', 'read_text_file'],
    ['a name in camel case', 'delete repository', 'deleteRepository'],
    ['another form of a word', 'deleting repositories', 'deleteRepository'],
    ['a synonym', 'remove a repo', 'deleteRepository'],
    ['two words that are one there', 'screen shot', 'browser_take_screenshot'],
    ['a description', 'weather', 'forecast'],
    ['an allowed value', 'in fahrenheit', 'forecast'],
    ['an argument', 'with labels', 'create_issue'],
    ['what is said of an argument', 'the first lines', 'read_text_file'],
    ['an argument inside another', 'altitude in metres', 'forecast'],
    ['the server before the name', 'search the wiki', 'wiki__search'],
  ])('finds by %s', (_, query, name) => {
    expect(first(query)).toBe(name)
  })

  it('finds by the server that the name does not tell', () => {
    const named = openSearch([
      { ...tool('search', 'Find items'), server: 'jira' },
      { ...tool('find', 'Find items'), server: 'wiki' },
    ])
    expect(named.find('jira', 5).map(({ name }) => name)).toEqual(['search'])
  })

  it('gives equal tools by name', () => {
    expect(search.find('items', 5).map(({ name }) => name)).toEqual(['jira__search', 'wiki__search'])
  })

  it('gives nothing for words that nothing has, for no words and for no room', () => {
    expect(search.find('zeppelin', 5)).toEqual([])
    expect(search.find(' ?! the of ', 5)).toEqual([])
    expect(search.find('file', 0)).toEqual([])
    expect(openSearch([]).find('file', 5)).toEqual([])
  })

  it('reads only the beginning of a query and of a description', () => {
    expect(search.find(`${'x '.repeat(500)}weather`, 5)).toEqual([])
    expect(openSearch([tool('a', `${'x '.repeat(2000)}weather`)]).find('weather', 5)).toEqual([])
  })

  it('takes definitions as strangers write them', () => {
    const deep = (levels: number): object =>
      levels === 0 ? {} : { items: deep(levels - 1), properties: { a: {} } }
    const strange = [
      { name: 'a', definition: {} },
      { name: '__', definition: { description: 7, inputSchema: [], annotations: 'x', title: null } },
      {
        name: 'b',
        definition: {
          inputSchema: { properties: { constructor: deep(5000), toString: null }, enum: [1, {}] },
        },
      },
    ]
    expect(
      openSearch(strange)
        .find('constructor', 5)
        .map(({ name }) => name),
    ).toEqual(['b'])
  })

  it('is the same for any order of the tools, ordered, and within its limit', () => {
    fc.assert(
      fc.property(
        fc.shuffledSubarray(tools),
        fc.array(fc.constantFrom('file', 'find', 'issue', 'page', 'weather', 'search', '\u{1F600}')),
        fc.nat(8),
        (some, words, limit) => {
          const query = words.join(' ')
          const found = openSearch(some).find(query, limit)
          const sorted = [...some].sort((a, b) => (a.name < b.name ? -1 : 1))
          expect(openSearch(sorted).find(query, limit)).toEqual(found)
          expect(found.length).toBeLessThanOrEqual(limit)
          expect(found.every(({ score }) => score > 0)).toBe(true)
          expect(found.map(({ score }) => score)).toEqual(
            found.map(({ score }) => score).sort((a, b) => b - a),
          )
        },
      ),
    )
  })
})
