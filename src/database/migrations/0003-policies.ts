import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

export const policies: Migration = {
  async up(db: Kysely<unknown>) {
    await sql
      .raw(`create table policies (
        id text primary key not null,
        name text not null unique,
        mode text not null check (mode in ('enforce', 'shadow')),
        description text not null,
        text text not null,
        version bigint not null,
        created_at bigint not null,
        updated_at bigint not null
      )`)
      .execute(db)
  },
}
