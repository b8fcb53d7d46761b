/** Whatever is wrong with a message, it gets one clear error and reaches nobody. */
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ErrorCode, errorTable } from '../../src/foundation/errors.ts'
import { type Gateway, oneGroup, startGateway } from '../fixtures/gateway.ts'
import { type HostileUpstream, startHostileUpstream } from '../fixtures/hostile-upstream.ts'
import { answerOf, inEra, textOf } from '../fixtures/mcp-call.ts'
import { callerOf, type Sent, send } from '../fixtures/raw-client.ts'
import { auditOf, eventually } from '../fixtures/watch.ts'

let gateway: Gateway
let upstream: HostileUpstream
let session: Record<string, string>

const url = () => `${gateway.url}/mcp/lab/one/server`

beforeAll(async () => {
  upstream = await startHostileUpstream()
  gateway = await startGateway({ manifest: oneGroup('lab', { one: upstream.transport() }) })
  const target = { url: url(), token: gateway.token }
  await callerOf('stateless', target).call('ok')
  session = await callerOf('session', target).headers('tools/call')
})

afterAll(async () => {
  await gateway?.stop()
  await upstream?.stop()
})

const META = JSON.stringify(
  (inEra('stateless', { method: '' }).body as { params: { _meta: unknown } }).params._meta,
)
const MEGABYTE = 1024 * 1024

type Parts = { id?: string; method?: string; params?: string; args?: string; meta?: string; more?: string }

/** A call of the tool `ok`, with some of its text replaced. */
function message({
  id = '1',
  method = '"tools/call"',
  args = '{}',
  meta = META,
  ...rest
}: Parts = {}): string {
  const { params = `{"name":"ok","arguments":${args},"_meta":${meta}}`, more = '' } = rest
  return `{"jsonrpc":"2.0","id":${id},"method":${method},"params":${params}${more}}`
}

const stateless = (more: Record<string, string | undefined> = {}) => ({
  authorization: `Bearer ${gateway.token}`,
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
  'mcp-protocol-version': '2026-07-28',
  'mcp-method': 'tools/call',
  'mcp-name': 'ok',
  ...more,
})

const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
const keys = (count: number) => `{${Array.from({ length: count }, (_, i) => `"k${i}":0`).join(',')}}`

/** Nothing of it may have reached the server, and one event has to say why. */
async function expectRefused(sent: Sent, status: number, code: ErrorCode, id: unknown): Promise<unknown> {
  const before = upstream.seen.length
  const answer = await send(url(), sent)
  const sentence = expect.stringMatching(/^[A-Z].*\.$/)
  const { error, ...rest } = JSON.parse(answer.text)
  expect(error).toMatchObject({
    code: errorTable[code].rpc,
    message: sentence,
    data: {
      code,
      why: expect.stringMatching(/\w.*\.$/),
      fix: sentence,
      requestId: answer.headers['x-request-id'],
    },
  })
  expect(answer.status).toBe(status)
  expect(rest).toEqual({ jsonrpc: '2.0', id })
  expect(upstream.seen.length).toBe(before)
  const find = async () =>
    (await auditOf(gateway)).filter(({ requestId }) => requestId === error.data.requestId)
  const [event, ...others] = await eventually('the event', find, events => events.length > 0)
  expect(event).toMatchObject({ error: code, outcome: code.startsWith('access.') ? 'denied' : 'rejected' })
  expect(others).toEqual([])
  return error.data
}

describe('a body that is not the JSON we take', () => {
  it.each<[string, string | Buffer, number, ErrorCode]>([
    ['more than 1 MiB', message({ args: `"${'x'.repeat(MEGABYTE)}"` }), 413, 'http.body_too_large'],
    ['an id of 1 MiB', message({ id: `"${'x'.repeat(MEGABYTE)}"` }), 413, 'http.body_too_large'],
    ['300,000 keys', message({ args: keys(300_000) }), 413, 'http.body_too_large'],
    ['10,001 keys', message({ args: keys(10_001) }), 400, 'json.too_many_keys'],
    ['65 levels', message({ args: nested(63) }), 400, 'json.too_deep'],
    ['200,000 levels', message({ args: nested(200_000) }), 400, 'json.too_deep'],
    ['levels without end', '['.repeat(100_000), 400, 'json.too_deep'],
    [
      'a second name',
      message({ params: `{"name":"ok","name":"big","_meta":${META}}` }),
      400,
      'json.duplicate_key',
    ],
    [
      'a first name',
      message({ params: `{"name":"big","name":"ok","_meta":${META}}` }),
      400,
      'json.duplicate_key',
    ],
    [
      'a second name in other letters',
      message({ params: String.raw`{"name":"ok","n\u0061me":"big","_meta":${META}}` }),
      400,
      'json.duplicate_key',
    ],
    ['a second method', message({ more: ',"method":"tools/list"' }), 400, 'json.duplicate_key'],
    ['second params', message({ more: ',"params":{}' }), 400, 'json.duplicate_key'],
    ['a second id', message({ more: ',"id":2' }), 400, 'json.duplicate_key'],
    ['a key twice in an argument', message({ args: '{"a":[{"b":1,"b":1}]}' }), 400, 'json.duplicate_key'],
    ['__proto__', message({ args: '{"__proto__":{"polluted":1}}' }), 400, 'json.forbidden_key'],
    [
      '__proto__ in other letters',
      message({ args: String.raw`{"\u005f_prot\u006f__":{"polluted":1}}` }),
      400,
      'json.forbidden_key',
    ],
    [
      'bytes that are not UTF-8',
      Buffer.from(message({ args: '{"a":"\xff"}' }), 'latin1'),
      400,
      'json.malformed',
    ],
    [
      'half of a surrogate pair',
      Buffer.from(message({ args: '{"a":"\xed\xa0\x80"}' }), 'latin1'),
      400,
      'json.malformed',
    ],
    [
      'an overlong slash',
      Buffer.from(message({ args: '{"a":"\xc0\xaf"}' }), 'latin1'),
      400,
      'json.malformed',
    ],
    ['a byte order mark', `\ufeff${message()}`, 400, 'json.malformed'],
    ['UTF-16', Buffer.from(`\ufeff${message()}`, 'utf16le'), 400, 'json.malformed'],
    ['gzip', gzipSync(message()), 400, 'json.malformed'],
    ['nothing', '', 400, 'json.malformed'],
    ['half a message', message().slice(0, -2), 400, 'json.malformed'],
    ['two messages', message() + message(), 400, 'json.malformed'],
    ['a comma too many', message({ args: '{"a":1,}' }), 400, 'json.malformed'],
    ['NaN', message({ args: '{"a":NaN}' }), 400, 'json.malformed'],
    ['a line break in a string', message({ args: '{"a":"\n"}' }), 400, 'json.malformed'],
    ['a bad escape in a key', message({ args: String.raw`{"\x":1}` }), 400, 'json.malformed'],
  ])('because of %s is refused', async (_, body, status, code) => {
    await expectRefused({ headers: stateless(), body }, status, code, null)
  })

  it('because it goes on past 1 MiB without saying so is refused', async () => {
    const body = message({ args: `"${'x'.repeat(2 * MEGABYTE)}"` })
    const headers = stateless({ 'transfer-encoding': 'chunked' })
    await expectRefused({ headers, body }, 413, 'http.body_too_large', null)
  })
})

describe('a body that is no message', () => {
  const whatIsWrong: [string, string, number, ErrorCode, unknown][] = [
    ['a number', '1', 400, 'mcp.invalid_request', null],
    ['null', 'null', 400, 'mcp.invalid_request', null],
    ['a batch', `[${message()},${message({ id: '2' })}]`, 400, 'mcp.batch_refused', null],
    ['an empty batch', '[]', 400, 'mcp.batch_refused', null],
    ['another JSON-RPC', message().replace('"2.0"', '"1.0"'), 400, 'mcp.invalid_request', 1],
    ['no JSON-RPC', message().replace('"jsonrpc":"2.0",', ''), 400, 'mcp.invalid_request', 1],
    ['a method that is a number', message({ method: '7' }), 400, 'mcp.invalid_request', 1],
    ['a method without end', message({ method: `"${'x'.repeat(1000)}"` }), 400, 'mcp.invalid_request', 1],
    ['neither method nor result', '{"jsonrpc":"2.0","id":1}', 400, 'mcp.invalid_request', 1],
    ['result and error', '{"jsonrpc":"2.0","id":1,"result":{},"error":{}}', 400, 'mcp.invalid_request', 1],
    ['params that are an array', message({ params: '[]' }), 400, 'mcp.invalid_request', 1],
    ['params that are null', message({ params: 'null' }), 400, 'mcp.invalid_request', 1],
    ['params that are a text', message({ params: '"ok"' }), 400, 'mcp.invalid_request', 1],
    ['no id', message().replace('"id":1,', ''), 400, 'mcp.invalid_request', null],
    ...['null', '{}', '[]', 'true', '1.5', '1e999', '-1e999', '9007199254740993', `"${'x'.repeat(129)}"`].map(
      (id): [string, string, number, ErrorCode, unknown] => [
        `the id ${id.slice(0, 20)}`,
        message({ id }),
        400,
        'mcp.invalid_request',
        null,
      ],
    ),
    ['a _meta that is an array', message({ meta: '[]' }), 400, 'mcp.invalid_params', 1],
    ['no _meta', message({ params: '{"name":"ok"}' }), 400, 'mcp.invalid_params', 1],
    ['an empty _meta', message({ meta: '{}' }), 400, 'mcp.invalid_params', 1],
    [
      'a version that is a number',
      message({ meta: META.replace('"2026-07-28"', '20260728') }),
      400,
      'mcp.invalid_params',
      1,
    ],
    [
      'no capabilities',
      message({ meta: '{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}' }),
      400,
      'mcp.invalid_params',
      1,
    ],
    [
      'a progress token that is an object',
      message({ meta: META.replace('{', '{"progressToken":{},') }),
      400,
      'mcp.invalid_params',
      1,
    ],
    ['no name', message({ params: `{"_meta":${META}}` }), 400, 'mcp.invalid_params', 1],
    [
      'a name that is a number',
      message({ params: `{"name":1,"_meta":${META}}` }),
      400,
      'mcp.invalid_params',
      1,
    ],
    [
      'another version than its header',
      message({ meta: META.replace('2026-07-28', '2025-11-25') }),
      400,
      'mcp.header_mismatch',
      1,
    ],
  ]
  it.each(whatIsWrong)('because of %s is refused', async (_, body, status, code, id) => {
    await expectRefused({ headers: stateless(), body }, status, code, id)
  })

  it('of a version we do not speak is told which we do', async () => {
    const body = message({ meta: META.replace('2026-07-28', '2099-01-01') })
    const headers = stateless({ 'mcp-protocol-version': '2099-01-01' })
    const details = await expectRefused({ headers, body }, 400, 'mcp.version_unsupported', 1)
    expect(details).toMatchObject({ supported: ['2026-07-28'], requested: '2099-01-01' })
  })

  it.each([
    ['tools/destroy', 'stateless'],
    ['ping', 'stateless'],
    ['logging/setLevel', 'stateless'],
    ['resources/subscribe', 'stateless'],
    ['notifications/initialized', 'stateless'],
    ['toString', 'stateless'],
    ['tools/destroy', 'session'],
    ['server/discover', 'session'],
    ['subscriptions/listen', 'session'],
    ['notifications/initialized', 'session'],
    ['constructor', 'session'],
  ])('because %s is no method of the %s era is refused', async (method, era) => {
    const isStateless = era === 'stateless'
    const params = isStateless ? `{"uri":"a:b","_meta":${META}}` : '{}'
    const headers = isStateless ? stateless({ 'mcp-method': method, 'mcp-name': undefined }) : session
    const body = message({ method: JSON.stringify(method), params })
    await expectRefused({ headers, body }, 404, 'mcp.method_unknown', 1)
  })
})

describe('headers', () => {
  const encoded = (name: string) => `=?base64?${Buffer.from(name).toString('base64')}?=`
  it.each<[string, Record<string, string | undefined>, number, ErrorCode, unknown]>([
    ['no Content-Type', { 'content-type': undefined }, 415, 'http.bad_content_type', null],
    ['a Content-Type of text', { 'content-type': 'text/plain' }, 415, 'http.bad_content_type', null],
    ['a Content-Type like ours', { 'content-type': 'application/jsonp' }, 415, 'http.bad_content_type', null],
    ['a form', { 'content-type': 'multipart/form-data; boundary=x' }, 415, 'http.bad_content_type', null],
    ['a Content-Encoding', { 'content-encoding': 'gzip' }, 415, 'http.bad_content_type', null],
    ['an Accept of HTML', { accept: 'text/html' }, 406, 'http.bad_accept', null],
    ['an Accept of JSON only', { accept: 'application/json' }, 406, 'http.bad_accept', null],
    ['an Accept of events only', { accept: 'text/event-stream' }, 406, 'http.bad_accept', null],
    ['no MCP-Protocol-Version', { 'mcp-protocol-version': undefined }, 400, 'mcp.header_mismatch', 1],
    ['another MCP-Protocol-Version', { 'mcp-protocol-version': '2025-11-25' }, 400, 'mcp.header_mismatch', 1],
    ['no Mcp-Method', { 'mcp-method': undefined }, 400, 'mcp.header_mismatch', 1],
    ['another Mcp-Method', { 'mcp-method': 'tools/list' }, 400, 'mcp.header_mismatch', 1],
    ['an Mcp-Method in other letters', { 'mcp-method': 'Tools/Call' }, 400, 'mcp.header_mismatch', 1],
    ['no Mcp-Name', { 'mcp-name': undefined }, 400, 'mcp.header_mismatch', 1],
    ['another Mcp-Name', { 'mcp-name': 'big' }, 400, 'mcp.header_mismatch', 1],
    ['an Mcp-Name in other letters', { 'mcp-name': 'OK' }, 400, 'mcp.header_mismatch', 1],
    ['two Mcp-Names', { 'mcp-name': 'ok, ok' }, 400, 'mcp.header_mismatch', 1],
    ['another Mcp-Name as base64', { 'mcp-name': encoded('big') }, 400, 'mcp.header_mismatch', 1],
    ['an Mcp-Name of half base64', { 'mcp-name': '=?base64?b2?' }, 400, 'mcp.header_mismatch', 1],
    ['an Mcp-Name of bytes', { 'mcp-name': 'ok\xe9' }, 400, 'mcp.header_mismatch', 1],
    ['an Mcp-Param of bytes', { 'mcp-param-a': '\xe9' }, 400, 'mcp.header_mismatch', 1],
  ])('with %s are refused', async (_, headers, status, code, id) => {
    await expectRefused({ headers: stateless(headers), body: message() }, status, code, id)
  })

  it('that lie about an unknown method are a lie first', async () => {
    const sent = { headers: stateless(), body: message({ method: '"tools/destroy"' }) }
    await expectRefused(sent, 400, 'mcp.header_mismatch', 1)
  })

  it('may spell a name as base64', async () => {
    const answer = await send(url(), { headers: stateless({ 'mcp-name': encoded('ok') }), body: message() })
    expect(textOf(answerOf(answer))).toBe('fine')
  })
})

describe('a tool by another name', () => {
  it.each(['OK', ' ok', 'ok ', 'lab/ok', 'one_ok', 'ok\u0000', 'o\u200bk', '__proto__', 'toString'])(
    'than its own, %j, is as unknown as any',
    async name => {
      const answers = []
      for (const tried of [name, 'no-such-tool']) {
        const headers = stateless({ 'mcp-name': `=?base64?${Buffer.from(tried).toString('base64')}?=` })
        const body = message({ params: `{"name":${JSON.stringify(tried)},"_meta":${META}}` })
        const before = upstream.calls('ok').length
        const { status, text } = await send(url(), { headers, body })
        expect(upstream.calls('ok').length).toBe(before)
        const { error, ...rest } = JSON.parse(text)
        expect(error.data.code).toBe('access.tool_unknown')
        const why = error.data.why.replace(JSON.stringify(tried), '')
        answers.push({ status, rest, code: error.code, message: error.message, why, fix: error.data.fix })
      }
      expect(answers[0]).toEqual(answers[1])
    },
  )
})

describe('what looks odd and is allowed', () => {
  it.each([
    ['64 levels', message({ args: `{"a":${nested(60)}}` })],
    ['names of what objects inherit', message({ args: '{"constructor":{"prototype":{}},"toString":1}' })],
    ['half of a surrogate pair as an escape', message({ args: String.raw`{"a":"\ud800"}` })],
    ['members nobody knows', message({ more: ',"x-vendor":{}' })],
    ['space around it', ` \r\n\t${message()}\n`],
  ])('%s passes', async (_, body) => {
    expect(textOf(answerOf(await send(url(), { headers: stateless(), body })))).toBe('fine')
  })
})
