import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

/** Whose calls they were, by an id that stays when names change, and of what: so that use can be counted. */
export const usage: Migration = {
  async up(db: Kysely<unknown>) {
    await sql.raw('alter table audit_events add column principal_id text').execute(db)
    await sql.raw('alter table audit_events add column subject text').execute(db)
  },
}
