import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const statements = [
  `create table upstream_credentials (
    id text primary key,
    server_id text not null references servers (id) on delete cascade,
    owner text not null,
    kind text not null,
    issuer text,
    resource text,
    client_id text,
    bound_to text not null,
    scope text not null,
    account text,
    sealed text not null,
    expires_at bigint,
    is_refreshable integer not null,
    trouble text,
    version integer not null,
    lease text,
    lease_until bigint,
    refreshed_at bigint,
    created_at bigint not null,
    updated_at bigint not null,
    unique (server_id, owner)
  )`,
  'create index upstream_credentials_owner on upstream_credentials (owner)',
  `create table upstream_clients (
    server_id text not null references servers (id) on delete cascade,
    issuer text not null,
    redirect_uri text not null,
    client_id text not null,
    sealed text not null,
    expires_at bigint,
    created_at bigint not null,
    primary key (server_id, issuer, redirect_uri)
  )`,
]

/** What callers have at the servers behind the gateway, and what the gateway registered itself as there. */
export const upstreamCredentials: Migration = {
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await sql.raw(statement).execute(db)
  },
}
