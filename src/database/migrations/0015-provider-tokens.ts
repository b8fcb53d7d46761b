import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const statements = [
  `create table provider_tokens (
    user_id text not null references users (id) on delete cascade,
    provider_id text not null references identity_providers (id) on delete cascade,
    session_id text not null,
    provider_session text,
    sealed text not null,
    version bigint not null,
    lease text,
    lease_until bigint,
    signed_in_at bigint not null,
    updated_at bigint not null,
    primary key (user_id, provider_id)
  )`,
  'create index provider_tokens_session on provider_tokens (session_id)',
]

/** What identity providers gave for people when they signed in, where servers are called with it. */
export const providerTokens: Migration = {
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await sql.raw(statement).execute(db)
  },
}
