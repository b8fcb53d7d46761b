import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

/** The definitions of tools that were approved, and those that wait for it. */
export const toolPins: Migration = {
  async up(db: Kysely<unknown>) {
    await sql
      .raw(`create table tool_pins (
        server_id text not null references servers (id) on delete cascade,
        name text not null,
        approved_hash text,
        approved_definition text,
        approved_by text,
        approved_at bigint,
        held_reason text check (held_reason in ('new', 'changed', 'finding', 'hand', 'lock')),
        held_hash text,
        held_definition text,
        held_by text,
        held_at bigint,
        primary key (server_id, name),
        check ((approved_hash is null) = (approved_definition is null)),
        check ((held_hash is null) = (held_definition is null)),
        check (approved_hash is not null or held_reason is not null)
      )`)
      .execute(db)
  },
}
