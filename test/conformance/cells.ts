/** The ways a client of one era meets a server of one era, by each kind of address, and what the official suite requires of each. */
import type { Speaks } from '../fixtures/servers.ts'

/** The server's own address; that of a virtual server, of it and another one; or `/mcp`, of someone who may use both. */
export type AddressKind = 'server' | 'virtual' | 'everything'

export type Cell = {
  readonly name: string
  /** The runner is a client of this revision alone. */
  readonly revision: '2025-11-25' | '2026-07-28'
  /** What the server behind the gateway speaks. */
  readonly speaks: Speaks
  readonly at: AddressKind
  /** How many scenarios the set of requirements has. */
  readonly required: number
}

/** What the suite requires of OAuth clients, of the gateway as one: `auth/...`, those of extensions too. */
export type ClientCell = Pick<Cell, 'name' | 'revision' | 'required'>

export const clientCells: readonly ClientCell[] = [
  { name: 'client-session', revision: '2025-11-25', required: 20 },
  { name: 'client-stateless', revision: '2026-07-28', required: 31 },
]

const session = { revision: '2025-11-25', required: 30 } as const
const stateless = { revision: '2026-07-28', required: 37 } as const

export const cells: readonly Cell[] = [
  { name: 'session', ...session, speaks: 'both', at: 'server' },
  { name: 'stateless', ...stateless, speaks: 'both', at: 'server' },
  { name: 'session-over-stateless', ...session, speaks: 'stateless', at: 'server' },
  { name: 'stateless-over-session', ...stateless, speaks: 'session', at: 'server' },
  { name: 'virtual-session', ...session, speaks: 'session', at: 'virtual' },
  { name: 'virtual-stateless', ...stateless, speaks: 'stateless', at: 'virtual' },
  { name: 'everything-session', ...session, speaks: 'both', at: 'everything' },
  { name: 'everything-stateless', ...stateless, speaks: 'both', at: 'everything' },
]
