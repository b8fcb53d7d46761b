/** Lists of hosts, addresses and ranges, as people write them: `db.corp.example`, `10.0.0.7`, `10.1.0.0/16`, `fd00::/8`. */
import { BlockList, isIP } from 'node:net'

export type Networks = {
  /** Is the address in a range, or the host one that is named? */
  has(address: string, host?: string): boolean
  /** Is the host named, or below one that is? */
  covers(host: string): boolean
}

const hostName =
  /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/i

/** Can this be an entry of such a list? A number that somebody takes for an address is none: hosts do not end in one. */
export function isNetwork(text: string): boolean {
  return rangeOf(text) !== undefined || (hostName.test(text) && !/(^|\.)[0-9]+$/.test(text))
}

type Range = { readonly net: string; readonly bits: number; readonly type: 'ipv4' | 'ipv6' }

function rangeOf(text: string): Range | undefined {
  const [net = '', bits, ...more] = text.split('/')
  const version = isIP(net)
  if (version === 0 || net.includes('%') || more.length > 0) return undefined
  const most = version === 4 ? 32 : 128
  if (bits !== undefined && !(/^[0-9]{1,3}$/.test(bits) && Number(bits) <= most)) return undefined
  return { net, bits: bits === undefined ? most : Number(bits), type: version === 4 ? 'ipv4' : 'ipv6' }
}

const read = new WeakMap<readonly string[], Networks>()

/** The list, ready to be asked; it is read once. */
export function networksOf(list: readonly string[]): Networks {
  const known = read.get(list)
  if (known !== undefined) return known
  const networks = readNetworks(list)
  read.set(list, networks)
  return networks
}

function readNetworks(list: readonly string[]): Networks {
  const ranges = new BlockList()
  const names = new Set<string>()
  for (const entry of list) {
    const range = rangeOf(entry)
    if (range === undefined) names.add(entry.toLowerCase())
    else ranges.addSubnet(range.net, range.bits, range.type)
  }
  return {
    has: (address, host) =>
      (host !== undefined && names.has(host.toLowerCase())) ||
      ranges.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4'),
    covers(host) {
      const labels = host.toLowerCase().split('.')
      return labels.some((_, at) => names.has(labels.slice(at).join('.')))
    },
  }
}
