import { describe, expect, it } from 'vitest'
import { ipLiteral, mayConnect } from './egress.ts'
import { isNetwork } from './networks.ts'

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

describe('private networks, host by host', () => {
  const allowed = ['10.1.0.0/16', 'fd00:1::/32', '192.168.7.7', 'Db.corp.example', '169.254.0.0/16']

  it.each([
    ['10.1.2.3', undefined, true],
    ['10.2.0.1', undefined, false],
    ['::ffff:10.1.2.3', undefined, true],
    ['fd00:1::9', undefined, true],
    ['fd00:2::9', undefined, false],
    ['192.168.7.7', undefined, true],
    ['192.168.7.8', undefined, false],
    ['10.2.0.1', 'db.corp.example', true],
    ['10.2.0.1', 'evil.db.corp.example', false],
    ['8.8.8.8', 'elsewhere.example', true],
    ['169.254.1.1', undefined, true],
    ['169.254.169.254', 'db.corp.example', false],
  ])('%s of %s: %s', (address, host, may) => {
    expect(mayConnect(address, allowed, host)).toBe(may)
  })

  it.each(['10.0.0.0/8', '10.0.0.7', 'fd00::/8', '::1', 'db', 'db.corp.example', 'under_score.example'])(
    'takes %s',
    text => expect(isNetwork(text)).toBe(true),
  )

  it.each([
    '',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '10.0.0',
    '10.0.0.256',
    'fe80::1%eth0',
    'fd00::/129',
    'db.corp.example:5432',
    'https://db.corp.example',
    '*.corp.example',
    '-x.example',
    'a b',
    'x'.repeat(64),
  ])('does not take %s', text => expect(isNetwork(text)).toBe(false))
})
