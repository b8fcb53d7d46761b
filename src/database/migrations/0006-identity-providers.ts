import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

/** A provider that was removed while people of it are known: the row stays, so that they keep its bounds. */
export const identityProviders: Migration = {
  async up(db: Kysely<unknown>) {
    await sql.raw('alter table identity_providers add column removed_at bigint').execute(db)
  },
}
