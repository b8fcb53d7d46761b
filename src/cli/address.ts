/** What commands take for an MCP address: `group/server`, or `/mcp` for everything one may use, as `/mcp?tools=search` with a choice. */
import { path } from './api.ts'
import { splitName } from './server.ts'

export type Address = {
  /** What a client may call it. */
  readonly name: string
  /** Below the URL of the gateway, without a slash before it. */
  readonly path: string
}

/** Throws `cli.usage`. */
export function addressOf(name: string): Address {
  if (/^\/mcp(?:\?tools=[a-z]+)?$/.test(name)) return { name: 'gatehouse', path: name.slice(1) }
  const { group, server } = splitName(name)
  return { name: server, path: path`mcp/${group}/${server}/server` }
}
