import { describe, expect, it, vi } from 'vitest'
import type { OwnClient } from './own-client.ts'
import { readCatalogue } from './read-catalogue.ts'

const limits = { cataloguePages: 4, catalogueItems: 5 }
const all = { tools: {}, resources: {}, prompts: {} }

type Page = string | ((cursor: unknown) => string)

/** A server that answers each list with these results, as raw JSON. */
function client(pages: Readonly<Record<string, Page>>, capabilities: object = { tools: {} }) {
  const ask = vi.fn(async (method: string, params: { readonly [key: string]: unknown }) => {
    const page = pages[method] ?? '{}'
    const text = `{"jsonrpc":"2.0","id":1,"result":${typeof page === 'string' ? page : page(params.cursor)}}`
    return { bytes: Buffer.from(text), body: JSON.parse(text), status: 200 }
  })
  return { era: 'session', greeting: { capabilities }, ask, close: async () => {} } as OwnClient & {
    ask: typeof ask
  }
}

const tool = (name: string) => `{"name":"${name}"}`
const names = async (own: OwnClient) => {
  const { items, warnings } = await readCatalogue(own, limits)
  return { names: items.map(({ name }) => name), warnings }
}

describe('a catalogue', () => {
  it('has what every list has, as it was written', async () => {
    const own = client(
      {
        'tools/list': '{"tools":[ { "name" : "a" ,"x":1.0} ]}',
        'resources/list': '{"resources":[{"uri":"file:///r"}]}',
        'resources/templates/list': '{"resourceTemplates":[{"uriTemplate":"file:///{x}"}]}',
        'prompts/list': '{"prompts":[{"name":"a"}]}',
      },
      all,
    )
    const { items, warnings } = await readCatalogue(own, limits)
    expect(items.map(({ kind, name, definition }) => [kind, name, definition])).toEqual([
      ['tool', 'a', '{ "name" : "a" ,"x":1.0}'],
      ['resource', 'file:///r', '{"uri":"file:///r"}'],
      ['template', 'file:///{x}', '{"uriTemplate":"file:///{x}"}'],
      ['prompt', 'a', '{"name":"a"}'],
    ])
    expect(warnings).toEqual([])
  })

  it('is asked only for what the server says it has', async () => {
    const own = client({ 'tools/list': '{"tools":[]}' })
    await readCatalogue(own, limits)
    expect(own.ask.mock.calls.map(([method]) => method)).toEqual(['tools/list'])
  })

  it('hashes what a definition means, not how it is written', async () => {
    const hashes = await Promise.all(
      ['{"name":"a","x":[1,2]}', '{ "x": [1.0, 2],\n"name": "\\u0061"}', '{"name":"a","x":[2,1]}'].map(
        async text =>
          (await readCatalogue(client({ 'tools/list': `{"tools":[${text}]}` }), limits)).items[0]?.hash,
      ),
    )
    expect(hashes[0]).toMatch(/^[0-9a-f]{64}$/)
    expect(hashes[1]).toBe(hashes[0])
    expect(hashes[2]).not.toBe(hashes[0])
  })

  it('leaves out what has no name, and takes the last of what has the same', async () => {
    const list = `[{"name":""},{"name":7},7,null,{},${tool('a')},{"name":"a","last":true}]`
    const { items } = await readCatalogue(client({ 'tools/list': `{"tools":${list}}` }), limits)
    expect(items.map(({ definition }) => definition)).toEqual(['{"name":"a","last":true}'])
  })

  it.each(['{}', '{"tools":{}}', '{"tools":null}'])('refuses %s for a list', async page => {
    await expect(readCatalogue(client({ 'tools/list': page }), limits)).rejects.toMatchObject({
      code: 'upstream.bad_answer',
    })
  })
})

describe('its pages', () => {
  it('are all read, and an empty cursor is one too', async () => {
    const pages = new Map<unknown, string>([
      [undefined, `{"tools":[${tool('a')}],"nextCursor":""}`],
      ['', `{"tools":[${tool('b')}],"nextCursor":"2"}`],
      ['2', `{"tools":[${tool('c')}],"nextCursor":null}`],
    ])
    const own = client({ 'tools/list': cursor => pages.get(cursor) ?? '{}' })
    expect(await names(own)).toEqual({ names: ['a', 'b', 'c'], warnings: [] })
    expect(own.ask.mock.calls.map(([, params]) => params)).toEqual([{}, { cursor: '' }, { cursor: '2' }])
  })

  it('end where the server begins again', async () => {
    const own = client({ 'tools/list': cursor => `{"tools":[${tool(`t${cursor}`)}],"nextCursor":"same"}` })
    const found = await names(own)
    expect(found.names).toEqual(['tundefined', 'tsame'])
    expect(found.warnings).toEqual([expect.stringContaining('same cursor')])
  })

  it('are no more than so many, and their items neither', async () => {
    let page = 0
    const endless = client({ 'tools/list': () => `{"tools":[${tool(`t${page}`)}],"nextCursor":"${page++}"}` })
    expect(await names(endless)).toEqual({
      names: ['t0', 't1', 't2', 't3'],
      warnings: [expect.stringContaining('4 pages')],
    })
    const many = client({
      'tools/list': `{"tools":[${Array.from({ length: 9 }, (_, at) => tool(`t${at}`))}]}`,
    })
    const found = await names(many)
    expect(found.names).toEqual(['t0', 't1', 't2', 't3', 't4'])
    expect(found.warnings).toEqual([expect.stringContaining('5 items')])
  })
})
