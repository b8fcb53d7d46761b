import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const statements = [
  `create table vault_keys (
    id text primary key,
    provider text not null,
    wrapped text,
    state text not null,
    created_at bigint not null,
    retired_at bigint,
    proof text not null
  )`,
]

/** The keys of the vault, each wrapped by its provider. */
export const vaultKeys: Migration = {
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await sql.raw(statement).execute(db)
  },
}
