/** What an MCP address stands for: one server behind the gateway, a virtual server, or everything a caller may use. */
import type { Upstream } from '../upstreams/index.ts'
import type { Composition } from './composition.ts'

/** What all have in common, and all that access, sessions and the audit need to know of one. */
export type Served = Pick<Upstream, 'id' | 'group' | 'name' | 'description' | 'policy' | 'version'>

/** One that the gateway itself serves, out of others. */
export type ComposedServer = Served & {
  readonly instructions: string | undefined
  /** What is behind it at this moment. The same object until something of it changes. */
  composition(): Composition
  /** Its sources that were never read; waiting for them may make the list whole. */
  unread(): readonly Upstream[]
}

/** What an address can stand for. */
export type Addressed = Upstream | ComposedServer

export function isComposed(server: Addressed): server is ComposedServer {
  return 'composition' in server
}

/** The id of what `/mcp` stands for. */
export const everythingId = 'everything'

export const anyTool: Upstream['policy'] = { default: 'allow', allow: [], deny: [] }
