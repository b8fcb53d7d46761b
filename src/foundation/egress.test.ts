import { describe, expect, it } from 'vitest'
import { ipLiteral, mayConnect } from './egress.ts'

const hostOf = (url: string) => new URL(url).hostname

describe('addresses the gateway may connect to', () => {
  it.each([
    '127.0.0.1',
    '127.9.9.9',
    '10.1.2.3',
    '172.31.255.255',
    '192.168.1.1',
    '169.254.1.1',
    '0.0.0.0',
    '100.64.0.1',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::1',
    '::',
    '::ffff:127.0.0.1',
    '::ffff:10.0.0.1',
    '::127.0.0.1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    'fc00::1',
    'fe80::1',
    'fe80::1%eth0',
    'ff02::1',
    '[::1]',
    '2001:db8::1',
  ])('refuses %s without allowPrivateNetwork', address => {
    expect(mayConnect(address, false)).toBe(false)
  })

  it.each([
    'http://2130706433/',
    'http://0x7f000001/',
    'http://0177.0.0.1/',
    'http://127.1/',
    'http://[::ffff:7f00:1]/',
  ])('refuses %s, however it is spelled', url => {
    expect(mayConnect(ipLiteral(hostOf(url)) ?? '', false)).toBe(false)
  })

  it.each(['1.1.1.1', '8.8.8.8', '172.32.0.1', '2606:4700::1111', '[2606:4700::1111]'])(
    'allows %s',
    address => {
      expect(mayConnect(address, false)).toBe(true)
    },
  )

  it('allows private addresses where told, but never cloud metadata', () => {
    expect(mayConnect('127.0.0.1', true)).toBe(true)
    expect(mayConnect('169.254.169.254', true)).toBe(false)
    expect(mayConnect('::ffff:169.254.169.254', true)).toBe(false)
    expect(mayConnect('fd00:ec2::254', true)).toBe(false)
  })

  it('refuses what is not an address', () => {
    expect(mayConnect('localhost', true)).toBe(false)
    expect(mayConnect('', true)).toBe(false)
    expect(ipLiteral('example.com')).toBeUndefined()
  })
})
