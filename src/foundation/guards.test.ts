import { describe, expect, it } from 'vitest'
import { GatewayError } from './errors.ts'
import { checkFraming, checkQuery, compileGuards, isLoopback } from './guards.ts'

function codeOf(work: () => void): string {
  try {
    work()
  } catch (thrown) {
    if (thrown instanceof GatewayError) return thrown.code
    throw thrown
  }
  return 'ok'
}

const plain = { host: '127.0.0.1', allowedHosts: [], allowedOrigins: [] }
const behindProxy = {
  host: '0.0.0.0',
  publicUrl: 'https://tools.example.com/',
  allowedHosts: ['Inner.example.com', 'exact.example.com:8443'],
  allowedOrigins: ['https://app.example.com/'],
}

describe('checkHost', () => {
  it.each([
    [plain, '127.0.0.1:4000', 'ok'],
    [plain, 'localhost:4000', 'ok'],
    [plain, 'LOCALHOST', 'ok'],
    [plain, '[::1]:4000', 'ok'],
    [plain, undefined, 'http.bad_host'],
    [plain, '', 'http.bad_host'],
    [plain, 'evil.example', 'http.bad_host'],
    [plain, 'localhost.evil.example:4000', 'http.bad_host'],
    [plain, '127.0.0.1.evil.example', 'http.bad_host'],
    [plain, 'localhost:4000@evil.example', 'http.bad_host'],
    [plain, 'localhost:', 'http.bad_host'],
    [{ ...plain, host: '::1' }, '[::1]:4000', 'ok'],
    [{ ...plain, host: '10.1.2.3' }, '10.1.2.3:4000', 'ok'],
    [behindProxy, 'tools.example.com', 'ok'],
    [behindProxy, 'tools.example.com:444', 'ok'],
    [behindProxy, 'inner.example.com:4000', 'ok'],
    [behindProxy, 'exact.example.com:8443', 'ok'],
    [behindProxy, 'exact.example.com', 'http.bad_host'],
    [behindProxy, 'other.example.com', 'http.bad_host'],
  ])('%o with Host %s: %s', (settings, host, expected) => {
    expect(codeOf(() => compileGuards(settings).checkHost(host))).toBe(expected)
  })
})

describe('checkOrigin', () => {
  it.each([
    [plain, undefined, '127.0.0.1:4000', 'ok'],
    [plain, 'http://127.0.0.1:4000', '127.0.0.1:4000', 'ok'],
    [plain, 'http://localhost:3000', '127.0.0.1:4000', 'http.bad_origin'],
    [plain, 'http://127.0.0.1:3000', '127.0.0.1:4000', 'http.bad_origin'],
    [plain, 'null', '127.0.0.1:4000', 'http.bad_origin'],
    [plain, '', '127.0.0.1:4000', 'http.bad_origin'],
    [plain, 'https://evil.example', '127.0.0.1:4000', 'http.bad_origin'],
    [behindProxy, 'https://tools.example.com', 'tools.example.com', 'ok'],
    [behindProxy, 'https://app.example.com', 'tools.example.com', 'ok'],
    [behindProxy, 'https://app.example.com.evil.example', 'tools.example.com', 'http.bad_origin'],
  ])('%o with Origin %s at %s: %s', (settings, origin, host, expected) => {
    expect(codeOf(() => compileGuards(settings).checkOrigin(origin, host))).toBe(expected)
  })
})

it.each([
  ['/api/v1/me', 'ok'],
  ['/api/v1/audit?limit=3', 'ok'],
  ['/mcp?access_token=abc', 'http.token_in_query'],
  ['/mcp?a=1&API_KEY=abc', 'http.token_in_query'],
  ['/mcp?x=gth_pat_abc', 'http.token_in_query'],
  ['/mcp/token/x', 'ok'],
])('checkQuery %s: %s', (target, expected) => {
  expect(codeOf(() => checkQuery(target))).toBe(expected)
})

describe('checkFraming', () => {
  it.each([
    [['Host', 'a'], '/', 'ok'],
    [['Host', 'a', 'HOST', 'a'], '/', 'http.bad_request'],
    [['Host', 'a', 'Authorization', 'Bearer x'], '/', 'ok'],
    [['Authorization', 'Bearer x', 'authorization', 'Bearer y'], '/', 'http.bad_request'],
    [['Authorization', 'Bearer x, Bearer y'], '/', 'http.bad_request'],
    [['Host', 'a'], 'http://a/mcp', 'ok'],
    [['Host', 'a'], 'http://b/mcp', 'http.bad_request'],
    [['Host', 'a'], 'a:443', 'http.bad_request'],
    [['Host', 'a'], '*', 'ok'],
    [Array.from({ length: 202 }, () => 'x'), '/', 'http.bad_request'],
  ])('%j %s: %s', (headers, target, expected) => {
    expect(codeOf(() => checkFraming(headers, target, 'a'))).toBe(expected)
  })
})

it('knows the names of the machine itself', () => {
  expect(['127.0.0.1', '127.8.8.8', 'localhost', '::1'].every(isLoopback)).toBe(true)
  expect(['0.0.0.0', '::', '10.0.0.1', 'localhost.example', '127.0.0.1.example'].some(isLoopback)).toBe(false)
})
