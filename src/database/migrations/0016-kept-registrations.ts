import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const statements = [
  // Without a reference to the server: what is needed to take a registration back has to outlive it.
  `create table upstream_clients_kept (
    server_id text not null,
    issuer text not null,
    redirect_uri text not null,
    client_id text not null,
    sealed text not null,
    expires_at bigint,
    created_at bigint not null,
    used_at bigint not null,
    primary key (server_id, issuer, redirect_uri)
  )`,
  `insert into upstream_clients_kept
    select server_id, issuer, redirect_uri, client_id, sealed, expires_at, created_at, created_at from upstream_clients`,
  'drop table upstream_clients',
  'alter table upstream_clients_kept rename to upstream_clients',
]

/** What the gateway registered itself as is kept until it was taken back, and says when it was last of use. */
export const keptRegistrations: Migration = {
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await sql.raw(statement).execute(db)
  },
}
