/** A session of a session-era client over an upstream that speaks only the stateless era. */
import { fail } from '../../foundation/errors.ts'
import type { Opening } from '../connections.ts'
import type { Equipped } from '../equipped.ts'
import type { SessionLink } from '../link.ts'
import type { CrossingParts } from './crossings.ts'

export async function openSessionOverStateless(
  _parts: CrossingParts,
  _to: Equipped,
  _opening: Opening,
): Promise<SessionLink> {
  return fail('mcp.era_unsupported', {
    why: 'This server speaks only revision 2026-07-28, which has no initialize.',
  })
}
