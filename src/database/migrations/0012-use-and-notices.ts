import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const statements = [
  // Whose calls they were, by an id that stays when names change, and of what: so that use can be counted.
  'alter table audit_events add column principal_id text',
  'alter table audit_events add column subject text',
  // What people have to be told when they next come.
  `create table notices (
    id text primary key,
    user_id text not null references users (id) on delete cascade,
    kind text not null check (kind in ('stolen_authorization')),
    about text not null,
    created_at bigint not null
  )`,
  'create index notices_of_user on notices (user_id)',
  // Says at the identity provider whose session ends there too.
  'alter table browser_sessions add column id_token_sealed text',
]

export const useAndNotices: Migration = {
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await sql.raw(statement).execute(db)
  },
}
