import type { Database } from '../database/index.ts'
import type { Clock } from '../foundation/clock.ts'
import type { Log } from '../foundation/log.ts'
import { LastUse } from './last-use.ts'
import { markGrantsUsed } from './oauth/table.ts'
import { markUsed } from './table.ts'

type Parts = { readonly database: Database; readonly clock: Clock; readonly log: Log }

/** Notes of when tokens and grants of clients were last used. */
export function openUses({ database: { kysely }, clock, log }: Parts) {
  const tokens = new LastUse(ids => markUsed(kysely, ids, clock.now()), log)
  const grants = new LastUse(ids => markGrantsUsed(kysely, ids, clock.now()), log)
  return {
    token: (id: string) => tokens.note(id),
    grant: (id: string) => grants.note(id),
    async close() {
      await tokens.close()
      await grants.close()
    },
  }
}
