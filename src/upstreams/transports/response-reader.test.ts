import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ResponseReader, type WireHeaders } from './response-reader.ts'

type Read = { status: number; headers: WireHeaders; body: string; ended: boolean; mayReuse: boolean }

function read(text: string | Buffer, cuts: readonly number[] = [], endOfConnection = false): Read {
  const got: Read = { status: 0, headers: {}, body: '', ended: false, mayReuse: false }
  const reader = new ResponseReader({
    head: (status, headers) => Object.assign(got, { status, headers: { ...headers } }),
    chunk: bytes => {
      got.body += bytes.toString('latin1')
    },
    end: mayReuse => Object.assign(got, { ended: true, mayReuse }),
  })
  reader.expect()
  const bytes = Buffer.isBuffer(text) ? text : Buffer.from(text, 'latin1')
  const points = [
    0,
    ...[...new Set(cuts.map(cut => cut % (bytes.length + 1)))].sort((a, b) => a - b),
    bytes.length,
  ]
  for (let i = 1; i < points.length; i++) reader.push(bytes.subarray(points[i - 1], points[i]))
  if (endOfConnection) reader.ended()
  return got
}

const body = fc
  .string({ unit: fc.constantFrom('a', '\r', '\n', '0', ';', 'é'), maxLength: 60 })
  .map(text => Buffer.from(text).toString('latin1'))
const cuts = fc.array(fc.nat(), { maxLength: 12 })

describe('a response', () => {
  it('is the same however the network cuts it, by length or in chunks', () => {
    fc.assert(
      fc.property(fc.array(body, { maxLength: 5 }), cuts, fc.boolean(), (parts, where, isChunked) => {
        const whole = parts.join('')
        const pieces = parts
          .filter(part => part !== '')
          .map(part => `${part.length.toString(16)};x=y\r\n${part}\r\n`)
        const framed = isChunked
          ? `transfer-encoding: chunked\r\n\r\n${pieces.join('')}0\r\ntrailer: 1\r\n\r\n`
          : `content-length: ${whole.length}\r\n\r\n${whole}`
        const got = read(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n${framed}`, where)
        expect(got).toMatchObject({ status: 200, body: whole, ended: true, mayReuse: true })
        expect(got.headers['content-type']).toBe('application/json')
      }),
      { numRuns: 1000 },
    )
  })

  it('may end with the connection, and is then not reused', () => {
    expect(read('HTTP/1.0 200 OK\r\n\r\nabc', [5, 20], true)).toMatchObject({
      body: 'abc',
      ended: true,
      mayReuse: false,
    })
  })

  it('comes after interim ones', () => {
    expect(read('HTTP/1.1 103 Early\r\nlink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n')).toMatchObject({
      status: 204,
      ended: true,
      mayReuse: true,
    })
  })

  it('closes what says close', () => {
    expect(read('HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n').mayReuse).toBe(false)
  })

  it.each([
    ['garbage', 'hello\r\n\r\n'],
    ['HTTP/2', 'HTTP/2 200 OK\r\n\r\n'],
    ['a length and a coding', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n'],
    ['another coding', 'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n'],
    ['a negative length', 'HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n'],
    ['a folded header', 'HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n'],
    ['a space before the colon', 'HTTP/1.1 200 OK\r\na : b\r\n\r\n'],
    ['a bare line feed', 'HTTP/1.1 200 OK\na: b\r\n\r\n'],
    ['a bad chunk size', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n'],
    [
      'a chunk that is too long for its size',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n',
    ],
    ['bytes after the end', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab'],
    ['an endless head', `HTTP/1.1 200 OK\r\na: ${'b'.repeat(40_000)}`],
    ['a switch of protocols', 'HTTP/1.1 101 Switching\r\n\r\n'],
    ['a control character in a header', 'HTTP/1.1 200 OK\r\na: b\x00c\r\n\r\n'],
  ])('with %s is refused', (_, text) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ code: 'upstream.bad_answer' }))
  })
})
