/** The four ways a client of one era meets a server of one era, and what the official suite requires of each. */
import type { Speaks } from '../fixtures/servers.ts'

export type Cell = {
  readonly name: string
  /** The runner is a client of this revision alone. */
  readonly revision: '2025-11-25' | '2026-07-28'
  /** What the server behind the gateway speaks. */
  readonly speaks: Speaks
  /** How many scenarios the set of requirements has. */
  readonly required: number
}

const session = { revision: '2025-11-25', required: 30 } as const
const stateless = { revision: '2026-07-28', required: 37 } as const

export const cells: readonly Cell[] = [
  { name: 'session', ...session, speaks: 'both' },
  { name: 'stateless', ...stateless, speaks: 'both' },
  { name: 'session-over-stateless', ...session, speaks: 'stateless' },
  { name: 'stateless-over-session', ...stateless, speaks: 'session' },
]
