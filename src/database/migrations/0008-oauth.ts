import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const statements = [
  `create table oauth_clients (
    id text primary key,
    registered_by text not null check (registered_by in ('company', 'itself')),
    name text not null,
    metadata_json text not null,
    secret_sealed text,
    version bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    used_at bigint
  )`,
  `create table oauth_grants (
    id text primary key,
    user_id text not null references users (id) on delete cascade,
    client_id text not null,
    client_name text not null,
    resource text not null,
    scope text not null,
    payload_json text not null,
    created_at bigint not null,
    expires_at bigint not null,
    used_at bigint
  )`,
  `create index oauth_grants_of_user on oauth_grants (user_id)`,
  `create index oauth_grants_of_client on oauth_grants (client_id)`,
  `create index oauth_grants_by_expiry on oauth_grants (expires_at)`,
  `create table oauth_artifacts (
    model text not null,
    hash text not null,
    grant_id text references oauth_grants (id) on delete cascade,
    uid_hash text,
    payload text not null,
    consumed_at bigint,
    answer_sealed text,
    expires_at bigint,
    primary key (model, hash)
  )`,
  `create index oauth_artifacts_of_grant on oauth_artifacts (grant_id)`,
  `create index oauth_artifacts_by_uid on oauth_artifacts (uid_hash)`,
  `create index oauth_artifacts_by_expiry on oauth_artifacts (expires_at)`,
  `create table oauth_consents (
    user_id text not null references users (id) on delete cascade,
    hash text not null,
    client_id text not null,
    created_at bigint not null,
    primary key (user_id, hash)
  )`,
  `create table oauth_keys (
    id text primary key,
    algorithm text not null check (algorithm in ('ES256', 'RS256')),
    sealed text not null,
    created_at bigint not null,
    retired_at bigint
  )`,
]

/** The gateway as authorization server for MCP clients. */
export const oauth: Migration = {
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await sql.raw(statement).execute(db)
  },
}
