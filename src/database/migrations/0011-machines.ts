import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const statements = [
  `alter table virtual_accounts add column credentials_json text`,
  `create table account_secrets (
    id text primary key,
    account_id text not null references virtual_accounts (id) on delete cascade,
    name text not null,
    hash text not null unique,
    hint text not null,
    created_at bigint not null,
    expires_at bigint not null,
    last_used_at bigint,
    replaced_by text
  )`,
  `create index account_secrets_of_account on account_secrets (account_id)`,
  `alter table oauth_artifacts add column account_id text references virtual_accounts (id) on delete cascade`,
  `create index oauth_artifacts_of_account on oauth_artifacts (account_id)`,
]

/** Virtual accounts as OAuth clients. */
export const machines: Migration = {
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await sql.raw(statement).execute(db)
  },
}
