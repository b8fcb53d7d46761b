import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { headerOf, parseMessage } from './http-message.ts'

const plain = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Kind: a\r\n\r\nhello')
const chunked = Buffer.from(
  'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2;note=1\r\nlo\r\n0\r\n\r\n',
)

describe('parseMessage', () => {
  it('reads a message by its length', () => {
    const message = parseMessage(plain)
    expect(message?.startLine).toBe('HTTP/1.1 200 OK')
    expect(message?.body.toString()).toBe('hello')
    expect(message && headerOf(message.head, 'x-kind')).toBe('a')
    expect(message && headerOf(message.head, 'kind')).toBeUndefined()
  })
  it('reads chunks', () => {
    expect(parseMessage(chunked)?.body.toString()).toBe('hello')
  })
  it('takes no body when none is announced', () => {
    expect(parseMessage(Buffer.from('HTTP/1.1 202 Accepted\r\nA: b\r\n\r\n'))?.body.length).toBe(0)
  })
  it('waits for the rest, wherever the cut falls, and leaves what follows', () => {
    fc.assert(
      fc.property(fc.constantFrom(plain, chunked), fc.nat(200), fc.uint8Array(), (whole, cut, following) => {
        const part = Math.min(cut, whole.length - 1)
        expect(parseMessage(whole.subarray(0, part))).toBeUndefined()
        expect(parseMessage(Buffer.concat([whole, following]))?.bytes).toBe(whole.length)
      }),
    )
  })
  it('refuses what is not HTTP', () => {
    expect(() => parseMessage(Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n'))).toThrow(
      'no number',
    )
    expect(() =>
      parseMessage(Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n')),
    ).toThrow('without a size')
    expect(() => parseMessage(Buffer.alloc(70_000))).toThrow('64 KiB')
  })
})
