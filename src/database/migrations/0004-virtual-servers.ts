import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

/** Virtual servers, every publication of theirs, and the grants that are their own. */
export const virtualServers: Migration = {
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await sql.raw(statement).execute(db)
  },
}

const statements = [
  // The name of the virtual server whose own grant it is; null for a grant of the group.
  'alter table grants add column virtual_server text',
  `create table virtual_servers (
    id text primary key not null,
    group_id text not null references server_groups (id) on delete cascade,
    name text not null,
    description text not null,
    version bigint not null,
    published bigint,
    draft_json text,
    created_at bigint not null,
    updated_at bigint not null,
    unique (group_id, name)
  )`,
  `create table publications (
    server_id text not null references virtual_servers (id) on delete cascade,
    number bigint not null,
    definition_json text not null,
    settled_json text not null,
    published_by text not null,
    published_at bigint not null,
    primary key (server_id, number)
  )`,
]
