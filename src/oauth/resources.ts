/** Protected resources: the addresses of MCP servers, as clients write them in `resource` (RFC 8707). */
import type { Addresses } from '../foundation/addresses.ts'
import { mcpAddressOf } from '../foundation/mcp-address.ts'

export type ResourceParts = {
  readonly addresses: Addresses
  readonly config: {
    readonly host: string
    readonly publicUrl?: string | undefined
    readonly allowedHosts: readonly string[]
  }
}

export type Resource = {
  /** As the client wrote it, and so the audience of its tokens. */
  readonly url: string
  /** `group/name`; undefined for everything a person may use. */
  readonly server: { readonly group: string; readonly name: string } | undefined
  /** The client named none: it is of a revision that knows one authorization for everything at an origin. */
  readonly isWholeGateway: boolean
}

const longest = 500

/** Undefined for what is no address of this gateway, well formed or not. Whether there is such a server is nobody's to learn here. */
export function resourceOf(parts: ResourceParts, url: string): Resource | undefined {
  if (url.length > longest) return undefined
  const parsed = URL.parse(url)
  if (parsed === null || /[?#@\\\s]/.test(url) || !isOurs(parts, parsed.origin)) return undefined
  // `new URL` repairs what others would read differently; only what it leaves alone is taken.
  if (parsed.pathname === '/') {
    const isWholeGateway = url === parts.addresses.origin()
    return isWholeGateway ? { url, server: undefined, isWholeGateway } : undefined
  }
  if (parsed.origin + parsed.pathname !== url) return undefined
  const address = mcpAddressOf(parsed.pathname)
  return address && { url, server: address.server, isWholeGateway: false }
}

/**
 * Is it where clients reach this gateway? With a public URL that is the only one. Without, names of this machine with the very port:
 * at another port is another program, and a token for that must not be good here.
 */
function isOurs({ addresses, config }: ResourceParts, origin: string): boolean {
  const own = addresses.origin()
  if (origin === own) return true
  if (config.publicUrl !== undefined) return false
  const { port } = new URL(own)
  const names = ['localhost', '127.0.0.1', '[::1]', config.host, ...config.allowedHosts]
  return names.some(name => {
    const host =
      name.includes(':') && !name.startsWith('[') && name.split(':').length > 2 ? `[${name}]` : name
    return origin === `http://${host}:${port}` || origin === URL.parse(`http://${host}`)?.origin
  })
}
