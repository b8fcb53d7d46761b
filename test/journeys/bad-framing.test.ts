/** Requests that two readers could read differently are read by nobody, and who sends slowly holds up only itself. */
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, oneGroup, startGateway } from '../fixtures/gateway.ts'
import { type HostileUpstream, startHostileUpstream } from '../fixtures/hostile-upstream.ts'
import { answerOf, inEra, textOf } from '../fixtures/mcp-call.ts'
import { type Caller, callerOf, sendRaw } from '../fixtures/raw-client.ts'
import { eventually, openFiles } from '../fixtures/watch.ts'

let gateway: Gateway
let upstream: HostileUpstream
let ana: Caller

beforeAll(async () => {
  upstream = await startHostileUpstream()
  gateway = await startGateway({ manifest: oneGroup('lab', { one: upstream.transport() }) })
  ana = callerOf('stateless', { url: `${gateway.url}/mcp/lab/one/server`, token: gateway.token })
  await ana.call('ok')
})

afterAll(async () => {
  await gateway?.stop()
  await upstream?.stop()
})

const PATH = '/mcp/lab/one/server'
const asked = inEra('stateless', { id: 1, method: 'tools/call', params: { name: 'ok', arguments: {} } })
const BODY = JSON.stringify(asked.body)
const host = () => new URL(gateway.url).host

type Written = {
  line?: string
  host?: string[]
  authorization?: string[]
  length?: string[]
  more?: string[]
  body?: string
}

/** A good call, with some of its lines replaced. */
function request({ line = `POST ${PATH} HTTP/1.1`, body = BODY, ...rest }: Written = {}): string {
  const mirrored = Object.entries(asked.headers ?? {}).map(([name, value]) => `${name}: ${value}`)
  const lines = [
    line,
    ...(rest.host ?? [`Host: ${host()}`]),
    ...(rest.authorization ?? [`Authorization: Bearer ${gateway.token}`]),
    'Content-Type: application/json',
    ...mirrored,
    ...(rest.length ?? [`Content-Length: ${Buffer.byteLength(body)}`]),
    ...(rest.more ?? []),
  ]
  return `${lines.join('\r\n')}\r\n\r\n${body}`
}

const statusesOf = (text: string) =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status))

async function untouched<T>(work: () => Promise<T>): Promise<T> {
  const before = upstream.seen.length
  const result = await work()
  expect(upstream.seen.length).toBe(before)
  return result
}

it('a good request in the same words passes', async () => {
  const { text } = await sendRaw(gateway.url, request())
  expect(statusesOf(text)).toEqual([200])
  expect(text).toContain('fine')
})

const chunked = `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`
const length = `Content-Length: ${BODY.length}`

describe('a request whose end is in doubt', () => {
  it.each<[string, Written | (() => string)]>([
    ['both lengths', { length: [length, 'Transfer-Encoding: chunked'], body: chunked }],
    ['both lengths, the other way', { length: ['Transfer-Encoding: chunked', length], body: chunked }],
    ['two lengths', { length: [length, 'Content-Length: 4'] }],
    ['two equal lengths', { length: [length, length] }],
    ['a list of lengths', { length: [`${length}, ${BODY.length}`] }],
    ['a length with a sign', { length: [`Content-Length: +${BODY.length}`] }],
    ['a length in hex', { length: [`Content-Length: 0x${BODY.length.toString(16)}`] }],
    ['an unknown coding', { length: ['Transfer-Encoding: xchunked'], body: chunked }],
    ['a coding after chunked', { length: ['Transfer-Encoding: chunked, identity'], body: chunked }],
    [
      'a bare line feed',
      () => request().replace('Content-Type: application/json\r\n', 'Content-Type: application/json\n'),
    ],
    ['a folded header', { more: ['X-Folded: a', ' b'] }],
    ['space before a colon', { more: ['X-Space : a'] }],
    ['a zero byte', { more: ['X-Zero: a\0b'] }],
    ['a header without a name', { more: [': a'] }],
    [
      'a chunk with a line feed in it',
      { length: ['Transfer-Encoding: chunked'], body: `4;a\nb\r\n${BODY}\r\n0\r\n\r\n` },
    ],
    [
      'a chunk size that is no number',
      { length: ['Transfer-Encoding: chunked'], body: `zz\r\n${BODY}\r\n0\r\n\r\n` },
    ],
    ['a method nobody knows', { line: `STEAL ${PATH} HTTP/1.1` }],
    ['another protocol', { line: 'PRI * HTTP/2.0' }],
    ['no protocol at all', () => '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'],
  ])('because of %s is answered with 400, and the connection closed', async (_, written) => {
    const bytes = typeof written === 'function' ? written() : request(written)
    // What follows must not be taken for a second request.
    const { text, isClosed } = await untouched(() => sendRaw(gateway.url, bytes + request()))
    expect(statusesOf(text)).toEqual([400])
    expect(isClosed).toBe(true)
  })

  it('because of no Host is answered with 400, and the connection closed', async () => {
    const { text, isClosed } = await untouched(() => sendRaw(gateway.url, request({ host: [] })))
    expect(statusesOf(text)).toEqual([400])
    expect(isClosed).toBe(true)
  })

  it('because of 64 KiB of headers is answered with 431', async () => {
    const bytes = request({ more: [`X-Long: ${'x'.repeat(65_536)}`] })
    const { text, isClosed } = await untouched(() => sendRaw(gateway.url, bytes))
    expect(statusesOf(text)).toEqual([431])
    expect(isClosed).toBe(true)
  })
})

describe('a request that is not clearly for us', () => {
  const bearer = () => `Authorization: Bearer ${gateway.token}`
  it.each<[string, () => Written, number, string]>([
    ['two Hosts', () => ({ host: [`Host: ${host()}`, `Host: ${host()}`] }), 400, 'http.bad_request'],
    [
      'two Hosts, one foreign',
      () => ({ host: [`Host: ${host()}`, 'Host: evil.example'] }),
      400,
      'http.bad_request',
    ],
    ['another Host', () => ({ host: ['Host: evil.example'] }), 421, 'http.bad_host'],
    [
      'a Host that begins like ours',
      () => ({ host: ['Host: 127.0.0.1.evil.example'] }),
      421,
      'http.bad_host',
    ],
    ['a Host with a user', () => ({ host: [`Host: a@${host()}`] }), 421, 'http.bad_host'],
    ['an empty Host', () => ({ host: ['Host:'] }), 421, 'http.bad_host'],
    [
      'another authority',
      () => ({ line: `POST http://evil.example${PATH} HTTP/1.1` }),
      400,
      'http.bad_request',
    ],
    ['a foreign Origin', () => ({ more: ['Origin: https://evil.example'] }), 403, 'http.bad_origin'],
    ['the Origin null', () => ({ more: ['Origin: null'] }), 403, 'http.bad_origin'],
    [
      'two Origins',
      () => ({ more: [`Origin: ${gateway.url}`, 'Origin: https://evil.example'] }),
      403,
      'http.bad_origin',
    ],
    ['two Authorizations', () => ({ authorization: [bearer(), bearer()] }), 400, 'http.bad_request'],
    [
      'two Authorizations, one bad',
      () => ({ authorization: ['Authorization: Bearer a', bearer()] }),
      400,
      'http.bad_request',
    ],
    ['a list of tokens', () => ({ authorization: [`${bearer()}, Bearer a`] }), 400, 'http.bad_request'],
    [
      '101 headers',
      () => ({ more: Array.from({ length: 101 }, (_, i) => `X-${i}: a`) }),
      400,
      'http.bad_request',
    ],
    [
      'a token in the query',
      () => ({ line: `POST ${PATH}?access_token=${gateway.token} HTTP/1.1` }),
      401,
      'http.token_in_query',
    ],
    [
      'a token under another name',
      () => ({ line: `POST ${PATH}?x=${gateway.token} HTTP/1.1`, authorization: [] }),
      401,
      'http.token_in_query',
    ],
  ])('because of %s is refused', async (_, written, status, code) => {
    for (const path of [PATH, '/api/v1/me']) {
      const bytes = request(written()).replace(PATH, path)
      const { text } = await untouched(() => sendRaw(gateway.url, bytes))
      expect(statusesOf(text)).toEqual([status])
      const face = JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1))
      expect(face.error?.data ?? face).toMatchObject({ code, why: expect.any(String) })
      expect(text).not.toContain(gateway.token)
    }
  })

  it('passes when it names us in full', async () => {
    const { text } = await sendRaw(gateway.url, request({ line: `POST ${gateway.url}${PATH} HTTP/1.1` }))
    expect(statusesOf(text)).toEqual([200])
  })
})

it('clients that send byte by byte are cut off, and nobody waits for them', {
  timeout: 120_000,
}, async () => {
  const before = openFiles(gateway.process.pid)
  const drips = [
    ...Array.from({ length: 100 }, () => request().slice(0, 200)),
    ...Array.from({ length: 20 }, () => request().slice(0, -BODY.length + 1)),
    ...Array.from({ length: 20 }, () => ''),
  ].map(start => {
    const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1')
    socket.on('error', () => undefined).write(start)
    const timer = setInterval(() => socket.write('x'), 500)
    socket.once('close', () => clearInterval(timer))
    return socket
  })
  await untouched(() => new Promise(resolve => setTimeout(resolve, 1000)))
  for (let i = 0; i < 50; i++) expect(textOf(answerOf(await ana.call('ok')))).toBe('fine')
  await eventually(
    'closed connections',
    () => drips.filter(socket => !socket.destroyed).length,
    open => open === 0,
  )
  await eventually(
    'closed files',
    () => openFiles(gateway.process.pid),
    open => open <= before + 5,
  )
})
