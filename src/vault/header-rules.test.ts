import { expect, it } from 'vitest'
import { checkHeaders, headerObjection } from './header-rules.ts'

it.each([
  'Host',
  'Content-Length',
  'content-type',
  'Transfer-Encoding',
  'Connection',
  'Keep-Alive',
  'Upgrade',
  'TE',
  'Trailer',
  'Expect',
  'Proxy-Authorization',
  'Accept-Encoding',
  'Cookie2',
  'HTTP2-Settings',
  'Forwarded',
  'X-Forwarded-For',
  'X-Real-IP',
  'Via',
  'MCP-Session-Id',
  'Mcp-Method',
  'Last-Event-ID',
  'traceparent',
  'Sec-Fetch-Site',
  'x-gatehouse-mcp-headers',
  'x-tfy-mcp-headers',
])('lets nobody set %s', name => {
  expect(headerObjection(name, 'x')).toContain(name)
})

it.each(['', ':path', 'a b', 'a:', 'ä', 'a\r\nb', 'a\0'])('knows that %j is no header name', name => {
  expect(headerObjection(name, 'x')).toContain('not a header name')
})

it.each(['', ' x', 'x ', 'a\r\nb', 'a\nb', 'a\0', 'ä', '\u2028', 'a\x7f'])('refuses the value %j', value => {
  expect(headerObjection('X-Key', value)).toContain('the value of X-Key')
})

it('lets credentials and plain headers pass', () => {
  for (const name of ['Authorization', 'X-Api-Key', 'Cookie', 'DD_API_KEY', 'User-Agent'])
    expect(headerObjection(name, 'Bearer a b\tc')).toBeUndefined()
})

it('lets no token of this gateway out, and never repeats a value', () => {
  const objection = headerObjection('Authorization', 'Bearer gth_pat_topsecret')
  expect(objection).toContain('token of this gateway')
  expect(objection).not.toContain('topsecret')
  expect(headerObjection('X-Key', 'topsecret\n')).not.toContain('topsecret')
})

it('refuses the same header in two spellings', () => {
  expect(() => checkHeaders({ 'X-Key': 'a', 'x-key': 'b' })).toThrow(
    expect.objectContaining({ code: 'vault.header_refused', why: 'The header x-key stands twice.' }),
  )
})
