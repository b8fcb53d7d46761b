/** Which addresses the gateway may connect to. The one place of this rule; every outbound connection is checked against it at connect time. */
import { BlockList, isIP } from 'node:net'
import { networksOf } from './networks.ts'

const refused = new BlockList()

// Everything that is not global unicast (IANA special-purpose registries, RFC 6890 and successors) and what hides such addresses.
const ranges4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.31.196.0/24',
  '192.52.193.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '192.175.48.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '168.63.129.16/32',
]
const ranges6 = [
  '::/96',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  '3fff::/20',
  '5f00::/16',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
]

function add(ranges: readonly string[], type: 'ipv4' | 'ipv6'): void {
  for (const range of ranges) {
    const [net = '', bits = ''] = range.split('/')
    refused.addSubnet(net, Number(bits), type)
  }
}
add(ranges4, 'ipv4')
add(ranges6, 'ipv6')

// Never an MCP server, even where private networks are allowed: the metadata endpoints of clouds.
const metadata = new BlockList()
metadata.addAddress('169.254.169.254')
metadata.addAddress('169.254.170.2')
metadata.addAddress('168.63.129.16')
metadata.addAddress('100.100.100.200')
metadata.addAddress('169.254.170.23')
metadata.addAddress('fd00:ec2::254', 'ipv6')
metadata.addAddress('fd00:ec2::23', 'ipv6')
metadata.addAddress('fd20:ce::254', 'ipv6')

function bare(address: string): string {
  const plain = address.startsWith('[') && address.endsWith(']') ? address.slice(1, -1) : address
  return plain.split('%')[0] ?? plain
}

/** What of the private networks may be reached: nothing, everything, or these hosts, addresses and ranges alone. */
export type PrivateNetwork = boolean | readonly string[]

/**
 * May the gateway connect to this IP address, which the host is or resolved to? What is not an IP address is refused, and so is the
 * metadata of a cloud, whatever is allowed.
 */
export function mayConnect(address: string, allowed: PrivateNetwork, host?: string): boolean {
  const ip = bare(address)
  const version = isIP(ip)
  if (version === 0) return false
  const type = version === 4 ? 'ipv4' : 'ipv6'
  if (metadata.check(ip, type)) return false
  if (allowed === true || !refused.check(ip, type)) return true
  return allowed !== false && networksOf(allowed).has(ip, host)
}

/** The IP literal a URL host is, or undefined when it is a name. */
export function ipLiteral(hostname: string): string | undefined {
  const ip = bare(hostname)
  return isIP(ip) === 0 ? undefined : ip
}
