/** The addresses of MCP servers, as paths: one server has several. */

const address = /^\/mcp\/([a-z0-9-]{1,63})\/([a-z0-9-]{1,63})(\/server|\/sse)?\/?$/

export type McpAddress = {
  /** Undefined for `/mcp`, which is everything a caller may use. */
  readonly server: { readonly group: string; readonly name: string } | undefined
  /** It is the one for clients that know only HTTP+SSE. */
  readonly isSse: boolean
  /** The same for every address of one server. */
  readonly canonical: string
}

/** What a path addresses, whether it is there or not; undefined for a path that no server can have. */
export function mcpAddressOf(path: string): McpAddress | undefined {
  if (path === '/mcp' || path === '/mcp/') return { server: undefined, isSse: false, canonical: '/mcp' }
  const [, group, name, door] = address.exec(path) ?? []
  if (group === undefined || name === undefined) return undefined
  return { server: { group, name }, isSse: door === '/sse', canonical: `/mcp/${group}/${name}` }
}

const metadataPath = '/.well-known/oauth-protected-resource'

/** Where the metadata of an MCP address is (RFC 9728, 3.1). */
export function resourceMetadataUrl(origin: string, path: string): string {
  return `${origin}${metadataPath}${path}`
}

/** The path of the resource whose metadata is at this path; the one without any is that of `/mcp`. Undefined for all other paths. */
export function describedResource(path: string): string | undefined {
  if (path === metadataPath || path === `${metadataPath}/`) return '/mcp'
  return path.startsWith(`${metadataPath}/`) ? path.slice(metadataPath.length) : undefined
}
