import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { foreignMembers, greeting, inSessionDress } from './session-over-stateless-dress.ts'
import { envelope, enveloped } from './session-over-stateless-envelope.ts'
import { errorInSessionDress } from './session-over-stateless-errors.ts'
import { encodeMirrored, mirroredHeaders } from './session-over-stateless-headers.ts'
import { ofCall, ofSubscription } from './session-over-stateless-messages.ts'

const key = (name: string) => `io.modelcontextprotocol/${name}`
const bytesOf = (value: unknown, indent = 0) => Buffer.from(JSON.stringify(value, null, indent))
const parsed = (bytes: unknown) => (Buffer.isBuffer(bytes) ? JSON.parse(bytes.toString()) : bytes)
const names = fc.oneof(fc.constantFrom('resultType', 'ttlMs', 'cacheScope', '_meta', 'é"'), fc.string())
const objects = fc.dictionary(names, fc.jsonValue({ maxDepth: 2 }), { maxKeys: 6 })
const indents = fc.constantFrom(0, 3)

describe('a result', () => {
  it('loses what only the other era has, at its top and nowhere else', () => {
    fc.assert(
      fc.property(objects, indents, (result, indent) => {
        const kept = Object.entries(result).filter(([name]) => !foreignMembers.has(name))
        const expected = { jsonrpc: '2.0', id: 1, result: Object.fromEntries(kept) }
        const dressed = inSessionDress(bytesOf({ jsonrpc: '2.0', id: 1, result }, indent))
        expect(parsed(dressed)).toEqual(JSON.parse(JSON.stringify(expected)))
        if (indent === 0) expect(dressed).toEqual(bytesOf(expected))
      }),
    )
  })
})

describe('a greeting', () => {
  const to = { requested: '2025-03-26', serverName: 'work' }

  it.each([
    [{}, { serverInfo: { name: 'work', version: 'unknown' }, capabilities: {} }],
    [
      { serverInfo: { name: 'top', version: '1' } },
      { serverInfo: { name: 'top', version: '1' }, capabilities: {} },
    ],
    [
      {
        capabilities: { tools: { x: 1 } },
        protocolVersion: 'x',
        _meta: { [key('serverInfo')]: 'bad' },
      },
      { serverInfo: { name: 'work', version: 'unknown' }, capabilities: { tools: { x: 1 } } },
    ],
    [
      { _meta: { a: 1 } },
      { serverInfo: { name: 'work', version: 'unknown' }, capabilities: {}, _meta: { a: 1 } },
    ],
  ])('of %j is %j', (discovered, expected) => {
    const bytes = bytesOf({ jsonrpc: '2.0', id: 'a', result: { ...discovered, supportedVersions: [] } })
    expect(parsed(greeting(bytes, discovered, to))).toEqual({
      jsonrpc: '2.0',
      id: 'a',
      result: { ...expected, protocolVersion: '2025-03-26' },
    })
  })
})

describe('a request', () => {
  const meta = envelope({ capabilities: { roots: {} }, clientInfo: { name: 'c', version: '1' } }, 'info')
  const own = {
    [key('protocolVersion')]: '2026-07-28',
    [key('clientInfo')]: { name: 'c', version: '1' },
    [key('clientCapabilities')]: { roots: {} },
    [key('logLevel')]: 'info',
  }
  const to = { upstreamId: 7, meta, more: { inputResponses: '{"a":1}', requestState: '"s"' } }
  const rounds = { inputResponses: { a: 1 }, requestState: 's' }

  it.each([
    [undefined, { _meta: own, ...rounds }],
    [{}, { _meta: own, ...rounds }],
    [
      { a: 1, task: {} },
      { a: 1, _meta: own, ...rounds },
    ],
    [{ _meta: {} }, { _meta: own, ...rounds }],
    [
      { _meta: { [key('clientCapabilities')]: 'forged', progressToken: 'x', v: 1 }, requestState: 'forged' },
      { _meta: { progressToken: 7, v: 1, ...own }, ...rounds },
    ],
  ])('with %j goes with %j', (params, expected) => {
    const body = bytesOf({ jsonrpc: '2.0', id: 1, method: 'm', params, 'x-more': 1 })
    const sent = parsed(enveloped(body, params ?? {}, to))
    expect(sent).toEqual({ jsonrpc: '2.0', id: 7, method: 'm', params: expected, 'x-more': 1 })
  })

  it('keeps its arguments byte for byte', () => {
    const args = '{ "n" : 1.0, "big":12345678901234567890 , "\\u0061" : [ 1e2 ] }'
    const body = Buffer.from(`{"jsonrpc":"2.0","id":1,"method":"m","params":{"arguments":${args}}}`)
    expect(enveloped(body, {}, to).toString()).toContain(`"arguments":${args}`)
  })

  it('of a client that does not say who it is says nothing of it either', () => {
    expect(envelope({ capabilities: {}, clientInfo: { name: 1 } })).not.toHaveProperty([key('clientInfo')])
  })
})

describe('a mirrored value', () => {
  const decoded = (header: string) => {
    const [, inside] = /^=\?base64\?(.*)\?=$/.exec(header) ?? []
    return inside === undefined ? header : Buffer.from(inside, 'base64').toString()
  }

  it('is plain where it can be, and always comes out as it went in', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: 'grapheme' })), value => {
        const encoded = encodeMirrored(value)
        expect(encoded).toMatch(/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/)
        expect(decoded(encoded)).toBe(value.toWellFormed())
      }),
    )
    expect(encodeMirrored('plain value')).toBe('plain value')
    expect(encodeMirrored('=?base64?YQ==?=')).toBe('=?base64?PT9iYXNlNjQ/WVE9PT89?=')
  })

  it('is left out where there is none that can be', () => {
    const mirrored = ['a', 'b', 'c', 'd', 'toString'].map(name => ({
      header: `mcp-param-${name}`,
      path: [name],
    }))
    const params = { name: 'n', arguments: { a: null, b: 1.5, c: { x: 1 }, d: false } }
    expect(mirroredHeaders('tools/call', params, mirrored).slice(4)).toEqual([
      'mcp-name',
      'n',
      'mcp-param-d',
      'false',
    ])
  })
})

describe('an error', () => {
  it('without a code passes as it came', () => {
    const bytes = bytesOf({ jsonrpc: '2.0', id: 1, error: { message: 'x' } })
    expect(errorInSessionDress(bytes, { message: 'x' }, 'resources/read')).toBe(bytes)
  })

  it('names only capabilities that everybody knows', () => {
    const data = { requiredCapabilities: { 'secret text': {}, roots: {} } }
    const error = errorInSessionDress(Buffer.alloc(0), { code: -32021, data }, 'tools/call')
    expect(error).toMatchObject({ why: 'It needs roots, which your client did not declare.' })
  })
})

describe('a notification', () => {
  it('names the call it is of by the first of its ids', () => {
    const message = { method: 'notifications/progress', params: { progressToken: 5, progress: 1 } }
    const passed = ofCall(bytesOf(message), message, { from: 5, to: 4 })
    expect([parsed(passed?.bytes), passed?.message]).toEqual(
      Array(2).fill({ ...message, params: { progressToken: 4, progress: 1 } }),
    )
    expect(ofCall(bytesOf(message), message, { from: 6, to: 4 })).toBeUndefined()
  })

  it.each([
    [{ _meta: { [key('subscriptionId')]: 1 } }, {}],
    [
      { _meta: { [key('subscriptionId')]: 1, a: 1 }, b: 2 },
      { _meta: { a: 1 }, b: 2 },
    ],
  ])('of a subscription with %j passes with %j', (params, expected) => {
    const message = { method: 'm', params }
    expect(parsed(ofSubscription(bytesOf(message), message).bytes)).toEqual({ method: 'm', params: expected })
  })
})
