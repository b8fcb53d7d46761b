/** The way of stateless-era clients to an upstream that speaks only sessions. */
import { fail } from '../../foundation/errors.ts'
import type { Equipped } from '../equipped.ts'
import type { StatelessLink } from '../link.ts'
import type { CrossingParts } from './crossings.ts'

export class StatelessOverSession {
  readonly #parts: CrossingParts

  constructor(parts: CrossingParts) {
    this.#parts = parts
  }

  link(_to: Equipped): StatelessLink {
    return fail('mcp.era_unsupported', {
      why: 'This server speaks only revisions with sessions (to 2025-11-25): begin with initialize.',
    })
  }

  async close(): Promise<void> {
    void this.#parts
  }
}
