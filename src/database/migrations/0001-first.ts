import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

/** The tables of `tables.ts` as first released. `bigint` is an ordinary integer to SQLite. */
export const first: Migration = {
  async up(db: Kysely<unknown>) {
    const statements = [...instance, ...people, ...groups, ...servers, ...audit]
    for (const statement of statements) await sql.raw(statement).execute(db)
  },
}

const instance = [
  `create table revisions (
    id bigint primary key check (id = 1),
    revision bigint not null
  )`,
  'insert into revisions (id, revision) values (1, 0)',
  `create table instance_facts (
    name text primary key not null,
    value text not null
  )`,
]

const people = [
  `create table users (
    id text primary key not null,
    email text not null unique,
    role text not null check (role in ('admin', 'member', 'auditor')),
    disabled_at bigint,
    created_at bigint not null
  )`,
  `create table teams (
    id text primary key not null,
    name text not null unique,
    created_at bigint not null
  )`,
  `create table team_members (
    team_id text not null references teams (id) on delete cascade,
    user_id text not null references users (id) on delete cascade,
    primary key (team_id, user_id)
  )`,
  'create index team_members_by_user on team_members (user_id)',
  // An owner answers for the account, so neither silently outlives the other.
  `create table virtual_accounts (
    id text primary key not null,
    name text not null unique,
    owner_id text references users (id) on delete restrict,
    disabled_at bigint,
    created_at bigint not null
  )`,
  'create index virtual_accounts_by_owner on virtual_accounts (owner_id)',
  `create table tokens (
    id text primary key not null,
    kind text not null check (kind in ('pat', 'vat')),
    hash text not null unique,
    hint text not null,
    name text not null,
    user_id text references users (id) on delete cascade,
    account_id text references virtual_accounts (id) on delete cascade,
    created_at bigint not null,
    expires_at bigint not null,
    last_used_at bigint,
    revoked_at bigint,
    check ((kind = 'pat') = (user_id is not null) and (kind = 'vat') = (account_id is not null))
  )`,
  'create index tokens_by_user on tokens (user_id)',
  'create index tokens_by_account on tokens (account_id)',
]

const groups = [
  `create table server_groups (
    id text primary key not null,
    name text not null unique,
    description text not null,
    created_at bigint not null
  )`,
  `create table group_managers (
    group_id text not null references server_groups (id) on delete cascade,
    subject text not null,
    primary key (group_id, subject)
  )`,
  `create table grants (
    id text primary key not null,
    group_id text not null references server_groups (id) on delete cascade,
    subject text not null,
    servers_json text,
    tools_json text,
    created_at bigint not null
  )`,
  'create index grants_by_group on grants (group_id)',
]

const servers = [
  `create table servers (
    id text primary key not null,
    group_id text not null references server_groups (id) on delete cascade,
    name text not null,
    description text not null,
    transport_json text not null,
    auth_json text not null,
    tool_policy_json text not null,
    version bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    unique (group_id, name)
  )`,
  `create table server_facts (
    server_id text primary key not null references servers (id) on delete cascade,
    eras_json text not null,
    checked_at bigint not null,
    problem_json text,
    facts_json text not null
  )`,
  `create table catalogue_items (
    server_id text not null references servers (id) on delete cascade,
    kind text not null check (kind in ('tool', 'resource', 'template', 'prompt')),
    name text not null,
    position bigint not null,
    definition text not null,
    hash text not null,
    seen_at bigint not null,
    primary key (server_id, kind, name)
  )`,
]

const audit = [
  `create table audit_events (
    id text primary key not null,
    principal text,
    target text,
    action text not null,
    outcome text not null,
    event text not null
  )`,
  // An id begins with its time: its order is the order of events, and it bounds them in time too.
  'create index audit_events_by_principal on audit_events (principal, id)',
  'create index audit_events_by_target on audit_events (target, id)',
]
