import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

/** Rotation of tokens, and reminders before they expire. */
export const tokenLifecycle: Migration = {
  async up(db: Kysely<unknown>) {
    await sql.raw('alter table tokens add column replaced_by text').execute(db)
    await sql.raw('alter table tokens add column reminded_days integer').execute(db)
    await sql.raw('create index tokens_by_expiry on tokens (expires_at)').execute(db)
  },
}
