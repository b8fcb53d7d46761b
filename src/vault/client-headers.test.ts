import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { HttpTransport, StoredTransport, Upstream } from '../upstreams/index.ts'
import { bringsHeaders, readClientHeaders } from './client-headers.ts'

const ours = 'x-gatehouse-mcp-headers'
const http: HttpTransport = {
  kind: 'streamable-http',
  url: 'https://mcp.example/mcp',
  allowPrivateNetwork: false,
}

function server(name: string, transport: StoredTransport = http, group = 'eng'): Upstream {
  return {
    id: `${group}-${name}`,
    group,
    name,
    description: '',
    transport,
    auth: { kind: 'headers', settings: {}, secrets: { 'headers.X-Region': { sealed: '', text: '' } } },
    policy: { default: 'allow', allow: [], deny: [] },
    version: 1,
  }
}

const one = { servers: [server('db')], isComposed: false, mayAuthenticate: true }
const many = {
  servers: [
    server('db'),
    server('files'),
    server('db', http, 'lab'),
    server('tool', { kind: 'stdio', command: 'x', args: [], env: {}, instance: 'shared', idleSeconds: 1 }),
  ],
  isComposed: true,
  mayAuthenticate: true,
}
const read = (value: unknown, behind = one, more: Record<string, string> = {}) =>
  readClientHeaders({ [ours]: typeof value === 'string' ? value : JSON.stringify(value), ...more }, behind)
const refused = (why: string) =>
  expect.objectContaining({ code: 'vault.header_refused', why: expect.stringContaining(why) })

describe('headers of a client', () => {
  it('are flat for one server, and keyed where several are behind the address', () => {
    expect(read({ Authorization: 'Bearer x', 'X-Team': 'a b' }).get('eng-db')).toMatchObject({
      pairs: ['Authorization', 'Bearer x', 'X-Team', 'a b'],
      names: ['authorization', 'x-team'],
      isAuthentication: true,
    })
    expect(read({ db: { 'X-Team': 'a' } }).get('eng-db')).toMatchObject({ isAuthentication: false })
    const own = read({ 'eng/db': { 'X-A': '1' }, files: { 'X-B': '2' } }, many)
    expect([...own].map(([id, { pairs }]) => [id, pairs])).toEqual([
      ['eng-db', ['X-A', '1']],
      ['eng-files', ['X-B', '2']],
    ])
    expect(readClientHeaders({ 'x-tfy-mcp-headers': '{"X-A":"1"}' }, one).get('eng-db')?.pairs).toEqual([
      'X-A',
      '1',
    ])
    expect([bringsHeaders({}), bringsHeaders({ [ours]: '' })]).toEqual([false, true])
  })

  it('T075: count as authentication where they stand for what is configured', () => {
    expect(read({ 'x-region': 'eu' }).get('eng-db')?.isAuthentication).toBe(true)
    for (const own of [{ 'X-Api-Key': 'k' }, { Cookie: 'a=1' }, { 'X-Any': 'ghp_0123456789abcdef0123' }]) {
      const [name = ''] = Object.keys(own)
      expect(read(own).get('eng-db')?.isAuthentication).toBe(true)
      expect(() => read(own, { ...one, mayAuthenticate: false })).toThrow(refused(name))
      const closed = server('db', { ...http, allowClientAuthOverride: false })
      expect(() => read(own, { ...one, servers: [closed] })).toThrow(refused(name))
    }
    expect(read({ 'X-Team': 'a' }, { ...one, mayAuthenticate: false }).size).toBe(1)
  })

  it('are told apart by what they say, in whatever order', () => {
    const digest = (value: object) => read(value).get('eng-db')?.digest
    expect(digest({ A: '1', B: '2' })).toBe(digest({ b: '2', a: '1' }))
    expect(digest({ A: '1' })).not.toBe(digest({ A: '2' }))
    expect(digest({ A: '1' })).not.toBe(digest({ B: '1' }))
  })

  const secret = 'SECRET-VALUE'
  it.each([
    ...['Host', 'content-length', 'content-type', 'Content-Encoding', 'Transfer-Encoding', 'connection'],
    ...['Keep-Alive', 'Upgrade', 'TE', 'Trailer', 'Expect', 'Proxy-Authorization', 'proxy-connection'],
    ...[
      'Accept',
      'Accept-Encoding',
      'Cookie2',
      'HTTP2-Settings',
      'Forwarded',
      'X-Forwarded-For',
      'x-forwarded-host',
    ],
    ...['X-Real-IP', 'Via', 'Mcp-Session-Id', 'MCP-Method', 'mcp-param-x', 'Last-Event-ID', 'Sec-Fetch-Site'],
    ...[
      'traceparent',
      'tracestate',
      'baggage',
      'x-request-id',
      'x-gatehouse-mcp-headers',
      'x-tfy-mcp-headers',
    ],
    ...[':path', ':authority', '', 'a b', 'a:b', 'X_Key', 'x-k\u00e4y', 'X-Key\r\nHost'],
  ])('T071: may not be %j, and the refusal names no value', name => {
    const shown = /^[\w:-]+$/.test(name) ? name : ''
    expect(() => read({ [name]: secret })).toThrow(refused(shown))
    expect(() => read({ [name]: secret })).not.toThrow(secret)
  })

  it.each([
    ['{', 'json.malformed'],
    ['[]', 'JSON object'],
    ['{}', 'JSON object'],
    ['"a"', 'JSON object'],
    ['{"A":"1","A":"2"}', 'json.duplicate_key'],
    ['{"A":"1","a":"2"}', 'the header a stands twice'.replace('the', 'The')],
    ['{"__proto__":"1"}', 'json.forbidden_key'],
    ['{"A":1}', '"A"'],
    ['{"A":null}', '"A"'],
    ['{"A":"1","db":{"B":"2"}}', '"A"'],
    ['{"other":{"B":"2"}}', '"other" is no server'],
    ['{"db":{"B":"2"},"eng/db":{"B":"2"}}', 'twice'],
    ['{"db":{"B":{"C":"1"}}}', '"B"'],
    ['{"A":"x\\r\\nB: y"}', 'the value of A'.replace('the', 'The')],
    [JSON.stringify({ A: 'x'.repeat(8200) }), 'longer'],
    [
      JSON.stringify(Object.fromEntries(Array.from({ length: 33 }, (_, at) => [`A${at}`, '1']))),
      'more than 32',
    ],
    ['{"A":"1"}, {"B":"2"}', 'json.malformed'],
  ])('T072, T073: refuses %s', (text, why) => {
    expect(() => read(text)).toThrow(refused(why))
  })

  it('T074: say for which server they are where there are several', () => {
    expect(() => read({ A: '1' }, many)).toThrow(refused('Several servers'))
    expect(() => read({ db: { A: '1' } }, many)).toThrow(refused('more than one'))
    expect(() => read({ 'lab/gone': { A: '1' } }, many)).toThrow(refused('no server behind'))
    expect(() => read({ tool: { A: '1' } }, many)).toThrow(refused('a process'))
    expect(() => readClientHeaders({ [ours]: '{"A":"1"}', 'x-tfy-mcp-headers': '{"A":"1"}' }, one)).toThrow(
      refused('Both'),
    )
  })

  it('T076: never carry a token of the gateway, nor the one this request came in with', () => {
    const jwt = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbmEifQ.c2lnbmF0dXJl'
    const came = { authorization: `Bearer ${jwt}` }
    for (const value of [
      jwt,
      `Bearer ${jwt}`,
      `x ${jwt} y`,
      `Basic ${Buffer.from(`ana:${jwt}`).toString('base64')}`,
    ])
      expect(() => read({ 'X-Any': value }, one, came)).toThrow(refused('X-Any'))
    expect(() => read({ 'X-Any': 'gth_pat_0123456789' })).toThrow(refused('X-Any'))
    expect(read({ 'X-Any': 'another' }, one, came).size).toBe(1)
  })

  it('never make the reader fail in another way, nor tell a value', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.json(),
          fc.string(),
          fc.json().map(text => `{"a":${text}}`),
        ),
        text => {
          try {
            expect(read(text).size).toBe(1)
          } catch (error) {
            expect(error).toMatchObject({ code: 'vault.header_refused' })
          }
        },
      ),
      { numRuns: 200 },
    )
  })
})
