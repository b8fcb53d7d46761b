import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const statements = [
  `create table identity_providers (
    id text primary key,
    name text not null unique,
    issuer text not null unique,
    settings_json text not null,
    client_secret_json text,
    version bigint not null,
    created_at bigint not null,
    updated_at bigint not null
  )`,
  `alter table users add column provider_id text references identity_providers (id)`,
  `create index users_of_provider on users (provider_id)`,
  // Who gave the membership: a person or the manifest (hand), claims of an identity provider, SCIM.
  `alter table team_members add column given_by text not null default 'hand'`,
  `create table linked_identities (
    issuer text not null,
    subject text not null,
    user_id text not null references users (id) on delete cascade,
    attributes_json text not null,
    linked_at bigint not null,
    seen_at bigint not null,
    primary key (issuer, subject)
  )`,
  `create index linked_identities_of_user on linked_identities (user_id)`,
  `create table browser_sessions (
    id text primary key,
    hash text not null unique,
    user_id text not null references users (id) on delete cascade,
    method text not null check (method in ('provider', 'passkey', 'link', 'claim')),
    provider_id text references identity_providers (id) on delete cascade,
    provider_session text,
    client text,
    created_at bigint not null,
    authenticated_at bigint not null,
    seen_at bigint not null,
    expires_at bigint not null
  )`,
  `create index browser_sessions_of_user on browser_sessions (user_id)`,
  `create table passkeys (
    id text primary key,
    user_id text not null references users (id) on delete cascade,
    name text not null,
    public_key text not null,
    counter bigint not null,
    transports_json text not null,
    created_at bigint not null,
    used_at bigint
  )`,
  `create index passkeys_of_user on passkeys (user_id)`,
  `create table flows (
    hash text primary key,
    kind text not null,
    sealed text not null,
    expires_at bigint not null
  )`,
  `create index flows_by_expiry on flows (expires_at)`,
]

/** People who sign in in a browser: with an identity provider of their company, or a passkey. */
export const signIn: Migration = {
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await sql.raw(statement).execute(db)
  },
}
