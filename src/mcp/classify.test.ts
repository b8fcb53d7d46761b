import { classifyInboundRequest } from '@modelcontextprotocol/server'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GatewayError } from '../foundation/errors.ts'
import { checkMirrored, classify, decodeMirrored, encodeMirrored } from './classify.ts'

const keys = {
  version: 'io.modelcontextprotocol/protocolVersion',
  capabilities: 'io.modelcontextprotocol/clientCapabilities',
}
const envelope = { [keys.version]: '2026-07-28', [keys.capabilities]: {} }
const stateless = { 'mcp-protocol-version': '2026-07-28' }

/** The era, or the JSON-RPC code of the refusal. */
function outcome(body: unknown, version: string | undefined): string | number {
  try {
    return classify(body, version === undefined ? {} : { 'mcp-protocol-version': version }).era
  } catch (error) {
    if (error instanceof GatewayError) return error.rpcCode
    throw error
  }
}

const request = (more: object) => ({ jsonrpc: '2.0', id: 1, method: 'tools/list', ...more })
const withMeta = (meta: unknown, method = 'tools/list') => request({ method, params: { _meta: meta } })

describe('a request', () => {
  it.each<[string, unknown, string | undefined, string | number]>([
    ['without a claim or a header', request({}), undefined, 'session'],
    ['without a claim, of the session era', request({}), '2025-11-25', 'session'],
    ['of a revision nobody speaks', request({}), '2025-01-01', -32022],
    ['without the claim its header asks for', request({}), '2026-07-28', -32602],
    ['with claim and header', withMeta(envelope), '2026-07-28', 'stateless'],
    ['whose header is missing', withMeta(envelope), undefined, -32020],
    ['whose header says another', withMeta(envelope), '2025-11-25', -32020],
    ['of a later revision', withMeta({ ...envelope, [keys.version]: '2099-01-01' }), '2099-01-01', -32022],
    ['whose claim is no text', withMeta({ ...envelope, [keys.version]: 7 }), '2026-07-28', -32602],
    ['without capabilities', withMeta({ [keys.version]: '2026-07-28' }), '2026-07-28', -32602],
    ['whose meta is no object', withMeta([]), undefined, -32602],
    ['that opens a session', request({ method: 'initialize', params: {} }), undefined, 'session'],
    ['that opens a session under a false header', withMeta({}, 'initialize'), '2026-07-28', -32020],
    [
      'that opens a session with half a claim',
      withMeta({ [keys.version]: 7 }, 'initialize'),
      undefined,
      'session',
    ],
    ['named initialize with a whole claim', withMeta(envelope, 'initialize'), '2026-07-28', 'stateless'],
  ])('%s', (_, body, version, expected) => {
    expect(outcome(body, version)).toBe(expected)
  })

  it.each([null, true, {}, [], 1.5, 2 ** 53, Number.POSITIVE_INFINITY, 'x'.repeat(129)])(
    'may not have the id %j',
    id => expect(outcome(request({ id }), undefined)).toBe(-32600),
  )

  it.each([0, -1, '', '0', 2 ** 53 - 1, 'x'.repeat(128)])('may have the id %j', id =>
    expect(classify(request({ id }), {})).toMatchObject({ kind: 'request', id }),
  )
})

describe('other messages', () => {
  it.each<[string, unknown, string | number]>([
    ['a notification', { jsonrpc: '2.0', method: 'notifications/initialized' }, 'session'],
    ['a response', { jsonrpc: '2.0', id: 1, result: {} }, 'session'],
    ['an error response', { jsonrpc: '2.0', id: 'a', error: { code: 1, message: '' } }, 'session'],
    ['a response that is both', { jsonrpc: '2.0', id: 1, result: {}, error: {} }, -32600],
    ['a response to nothing', { jsonrpc: '2.0', result: {} }, -32600],
    ['a batch', [request({})], -32600],
    ['no object', 'tools/list', -32600],
    ['null', null, -32600],
    ['another JSON-RPC', { jsonrpc: '1.0', id: 1, method: 'ping' }, -32600],
    ['a method that is no text', request({ method: 7 }), -32600],
    ['parameters by position', request({ params: [] }), -32600],
  ])('%s', (_, body, expected) => {
    expect(outcome(body, undefined)).toBe(expected)
  })

  it('a notification is of the era its header or claim names', () => {
    const body = { jsonrpc: '2.0', method: 'notifications/cancelled' }
    expect(outcome(body, '2026-07-28')).toBe('stateless')
    expect(outcome({ ...body, params: { _meta: envelope } }, undefined)).toBe('stateless')
    expect(outcome({ ...body, params: { _meta: envelope } }, '2025-11-25')).toBe(-32020)
  })
})

/** What the official classifier says, in the same words. It leaves two things to later steps, which are added here. */
function official(body: object, version: string | undefined): string | number {
  const route = classifyInboundRequest({
    httpMethod: 'POST',
    body,
    ...(version === undefined ? {} : { protocolVersionHeader: version }),
  })
  if (route.kind === 'reject') return route.code
  if (route.kind === 'legacy') return 'session'
  if (route.messageKind === 'request' && version === undefined) return -32020
  return route.classification.revision === '2026-07-28' ? 'stateless' : -32022
}

it('agrees with the official classifier', () => {
  const version = fc.constantFrom('2024-11-05', '2025-06-18', '2025-11-25', '2026-07-28', '2099-12-31')
  const claim = fc.oneof(version, fc.constantFrom(7, null, {}))
  const meta = fc.record(
    {
      [keys.version]: claim,
      [keys.capabilities]: fc.constantFrom({}, { roots: {} }, 7),
      progressToken: fc.nat(),
    },
    { requiredKeys: [] },
  )
  const params = fc.option(fc.record({ _meta: meta, name: fc.string() }, { requiredKeys: [] }), {
    nil: undefined,
  })
  const method = fc.constantFrom(
    'initialize',
    'tools/call',
    'server/discover',
    'ping',
    'notifications/cancelled',
  )
  const id = fc.option(fc.oneof(fc.string({ maxLength: 20 }), fc.integer()), { nil: undefined })
  const message = fc.record({ id, method, params }).map(made => {
    const { id: given, params: with_, ...rest } = made
    return {
      jsonrpc: '2.0',
      ...rest,
      ...(given === undefined ? {} : { id: given }),
      ...(with_ ? { params: with_ } : {}),
    }
  })
  const response = fc
    .record({ id: fc.integer(), result: fc.constant({}) })
    .map(made => ({ jsonrpc: '2.0', ...made }))
  const header = fc.option(version, { nil: undefined })
  fc.assert(
    fc.property(fc.oneof({ weight: 9, arbitrary: message }, response), header, (body, sent) => {
      expect(outcome(body, sent)).toBe(official(body, sent))
    }),
    { numRuns: 2000 },
  )
})

describe('mirrored headers', () => {
  it.each<[string, string | undefined]>([
    ['plain', 'plain'],
    ['', ''],
    ['a b', 'a b'],
    ['=?base64?w6k=?=', 'é'],
    ['=?base64??=', ''],
    ['=?BASE64?w6k=?=', '=?BASE64?w6k=?='],
    ['=?base64?w6k=', '=?base64?w6k='],
    ['=?base64?w6k?=', undefined],
    ['=?base64?w6l=?=', undefined],
    ['=?base64?/w==?=', undefined],
    ['é', undefined],
    ['a\tb', undefined],
  ])('%j stands for %j', (value, expected) => expect(decodeMirrored(value)).toBe(expected))

  it('any text comes back out of its dress', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => {
        const dressed = `=?base64?${Buffer.from(text).toString('base64')}?=`
        expect(decodeMirrored(dressed)).toBe(Buffer.from(text).toString())
        expect(encodeMirrored(text)).toMatch(/^[\x20-\x7e]*$/)
        expect(decodeMirrored(encodeMirrored(text))).toBe(Buffer.from(text).toString())
      }),
    )
  })

  it.each([
    ['task-1', 'task-1'],
    ['a b', 'a b'],
    [' a', '=?base64?IGE=?='],
    ['', '=?base64??='],
    ['=?base64?w6k=?=', '=?base64?PT9iYXNlNjQ/dzZrPT89?='],
  ])('%j is mirrored as %j', (text, header) => expect(encodeMirrored(text)).toBe(header))

  it('must say what the body says', () => {
    const check = (headers: Record<string, string>) => () =>
      checkMirrored(headers, 'tools/call', 'delete_all')
    const wrong = expect.objectContaining({ code: 'mcp.header_mismatch' })
    const method = { ...stateless, 'mcp-method': 'tools/call' }
    expect(check({ ...method, 'mcp-name': 'delete_all' })).not.toThrow()
    expect(check({ ...method, 'mcp-name': 'safe_tool' })).toThrow(wrong)
    expect(check({ ...method, 'mcp-name': 'delete_all, delete_all' })).toThrow(wrong)
    expect(check(method)).toThrow(wrong)
    expect(check({ ...stateless, 'mcp-name': 'delete_all' })).toThrow(wrong)
    expect(check({ ...method, 'mcp-method': 'Tools/Call', 'mcp-name': 'delete_all' })).toThrow(wrong)
  })
})
