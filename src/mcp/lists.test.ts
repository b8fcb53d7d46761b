import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../foundation/json.ts'
import { rewriteDiscovery, rewriteList, rewriteOpening, rewriteRead } from './lists.ts'

type Era = 'session' | 'stateless'

const parse = (bytes: Buffer): { result: Record<string, unknown> } => JSON.parse(bytes.toString())
const sealCursor = (cursor: string) => cursor
const rewritten = (text: string, era: Era, keep: (item: JsonObject) => boolean = () => true) => {
  const bytes = Buffer.from(text)
  return rewriteList(bytes, parse(bytes), { key: 'tools', era, keep, sealCursor }).toString()
}

/** JSON as upstreams write it: any spacing, any order, members nobody knows. */
const spacing = fc.constantFrom('', ' ', '\n', '\t  ')
const json = fc.json({ maxDepth: 3 })
const name = fc.constantFrom('keep', 'drop')
const item = fc
  .tuple(name, json, spacing)
  .map(([own, more, s]) => `{${s}"name":${s}"${own}","x":${more}${s}}`)

const tools = fc
  .tuple(fc.array(item, { maxLength: 6 }), spacing)
  .map(([items, s]) => `[${s}${items.join(`${s},`)}${s}]`)
const members = fc
  .record(
    {
      nextCursor: fc.constant('"c"'),
      _meta: fc.constantFrom('{}', '{ "a":1}', '{\n}'),
      other: json,
      cacheScope: fc.constant('"public"'),
    },
    { requiredKeys: [] },
  )
  .map(found => Object.entries(found))
const answer = fc.tuple(members, tools, spacing, fc.nat()).map(([found, list, s, at]) => {
  const all = found.toSpliced(at % (found.length + 1), 0, ['tools', list])
  const text = all.map(([key, value]) => `${s}"${key}"${s}:${s}${value}`).join(',')
  return { text: `{"jsonrpc":"2.0",${s}"id":7,"result":{${text}${s}}}`, list }
})

describe('a list', () => {
  it('keeps every byte where nothing is to be changed', () => {
    fc.assert(
      fc.property(answer, ({ text }) => {
        expect(rewritten(text, 'session')).toBe(text)
      }),
    )
  })

  it('loses the items that are not kept, byte for byte, and nothing else', () => {
    fc.assert(
      fc.property(answer, ({ text, list }) => {
        const got = rewritten(text, 'session', ({ name: own }) => own === 'keep')
        const before = parse(Buffer.from(text)).result
        const { tools: left, _meta: meta, ...rest } = parse(Buffer.from(got)).result
        const { tools: all, _meta: metaBefore, ...restBefore } = before
        expect(left).toEqual((all as JsonObject[]).filter(({ name: own }) => own === 'keep'))
        expect(rest).toEqual(restBefore)
        const isBare = (left as unknown[]).length === 0 && (all as unknown[]).length > 0
        expect(meta).toEqual(
          isBare ? { ...(metaBefore as object), 'dev.gatehouse/why': expect.any(String) } : metaBefore,
        )
        if (!list.includes('drop')) expect(got).toBe(text)
        for (const kept of list.match(/\{\s*"name":\s*"keep"[^{}]*\}/g) ?? []) expect(got).toContain(kept)
      }),
    )
  })

  it('is private and short-lived for clients that keep lists, and otherwise as it was', () => {
    fc.assert(
      fc.property(
        answer,
        fc.constantFrom('', '"ttlMs":-1,', '"ttlMs":9e9,', '"ttlMs":5,', '"ttlMs":null,', '"ttlMs":1.5,'),
        ({ text }, ttl) => {
          const with_ = text.replace('"result":{', `"result":{${ttl}`)
          const { cacheScope, ttlMs, ...rest } = parse(Buffer.from(rewritten(with_, 'stateless'))).result
          const { cacheScope: _, ttlMs: __, ...before } = parse(Buffer.from(with_)).result
          expect(rest).toEqual(before)
          expect(cacheScope).toBe('private')
          expect(ttlMs).toBe(ttl.includes('5,') && !ttl.includes('.') ? 5 : ttl.includes('9e9') ? 30_000 : 0)
        },
      ),
    )
  })

  it.each([
    '{}',
    '{ }',
    `{${' '.repeat(200)}}`,
    '{"_meta":null,"tools":[]}',
    '{"_meta":[1],"tools":[{"name":"drop"}]}',
  ])('stays JSON, whatever stands in it: %s', result => {
    const text = `{"jsonrpc":"2.0","id":1,"result":${result}}`
    for (const era of ['session', 'stateless'] as const)
      expect(() => JSON.parse(rewritten(text, era, () => false))).not.toThrow()
  })

  it('says why it is empty, but not how much there is', () => {
    const text = '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"},{"name":"b"}]}}'
    const { tools: left, _meta } = parse(Buffer.from(rewritten(text, 'session', () => false))).result
    expect(left).toEqual([])
    expect(_meta).toEqual({ 'dev.gatehouse/why': expect.stringMatching(/^None .* granted .*\.$/) })
    expect(JSON.stringify(_meta)).not.toMatch(/\d/)
  })

  it('gives the client another cursor in the place of its own, the empty one too', () => {
    for (const cursor of ['', 'c"\\', 'x'.repeat(5000)]) {
      const bytes = Buffer.from(JSON.stringify({ result: { tools: [], nextCursor: cursor, x: [1] } }))
      const list = {
        key: 'tools',
        era: 'session',
        keep: () => true,
        sealCursor: (own: string) => `<${own}>`,
      } as const
      expect(parse(rewriteList(bytes, parse(bytes), list)).result).toEqual({
        tools: [],
        nextCursor: `<${cursor}>`,
        x: [1],
      })
    }
  })

  it('passes an answer without a list as it is', () => {
    const text = '{"jsonrpc":"2.0","id":1,"result":{"tools":"none"}}'
    expect(rewritten(text, 'session', () => false)).toBe(text)
  })
})

const whole = (result: object) => Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 7, result }))

describe('other answers', () => {
  it('a discovery speaks for the gateway', () => {
    const bytes = whole({ supportedVersions: ['2099-01-01'], capabilities: { tasks: {}, a: 1 }, x: [1] })
    expect(parse(rewriteDiscovery(bytes, parse(bytes), false)).result).toEqual({
      supportedVersions: ['2026-07-28'],
      capabilities: { a: 1 },
      x: [1],
      cacheScope: 'private',
      ttlMs: 0,
    })
  })

  it('an opening has the client’s id, and the older of both versions', () => {
    const open = (version: string | undefined, own: string) => {
      const bytes = whole({ protocolVersion: own, capabilities: { tasks: {} }, x: 1 })
      return JSON.parse(
        rewriteOpening(bytes, parse(bytes), { clientId: '"c"', version, isCrossed: true }).toString(),
      )
    }
    const expected = (protocolVersion: string) => ({
      jsonrpc: '2.0',
      id: 'c',
      result: { protocolVersion, capabilities: {}, x: 1 },
    })
    expect(open('2025-03-26', '2025-11-25')).toEqual(expected('2025-03-26'))
    expect(open('2025-11-25', '2024-11-05')).toEqual(expected('2024-11-05'))
    expect(open('1999-01-01', '2025-11-25')).toEqual(expected('2025-11-25'))
    expect(open(undefined, '2025-11-25')).toEqual(expected('2025-11-25'))
  })

  it('what was read is private, unless it asks for more input', () => {
    const read = (result: object) => {
      const bytes = whole(result)
      return parse(rewriteRead(bytes, parse(bytes))).result
    }
    expect(read({ contents: [], cacheScope: 'public', ttlMs: 1e9 })).toEqual({
      contents: [],
      cacheScope: 'private',
      ttlMs: 30_000,
    })
    const asking = { resultType: 'input_required', inputRequests: {} }
    expect(read(asking)).toEqual(asking)
  })
})
