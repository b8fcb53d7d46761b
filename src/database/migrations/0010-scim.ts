import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const statements = [
  `create table scim_users (
    user_id text primary key references users (id) on delete cascade,
    provider_id text not null references identity_providers (id) on delete cascade,
    user_name text not null,
    external_id text,
    attributes_json text not null,
    version bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    unique (provider_id, user_name)
  )`,
  `create table scim_groups (
    team_id text primary key references teams (id) on delete cascade,
    provider_id text not null references identity_providers (id) on delete cascade,
    display_name text not null,
    external_id text,
    version bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    unique (provider_id, display_name)
  )`,
]

/** People and teams that an identity provider provisions (SCIM 2.0). */
export const scim: Migration = {
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await sql.raw(statement).execute(db)
  },
}
