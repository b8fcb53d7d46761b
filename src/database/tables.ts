import type { IdentityTables } from './identity-tables.ts'

/** Every stored thing. Ids are text; times are milliseconds since 1970; `*_json` columns hold JSON text. One row type a table. */
export type Tables = IdentityTables & {
  /** One row (id = 1): a counter that every change to identity, access or upstreams raises, so that every process notices. */
  revisions: { id: number; revision: number }
  /** Small facts about this instance: claim hash and its expiry, master key check. */
  instance_facts: { name: string; value: string }
  /** Keys that wrap the keys of sealed values. */
  vault_keys: {
    /** The first 8 bytes of an HMAC under the key, hex; sealed text begins with it. */
    id: string
    /** Its name in the configuration, or `master`. */
    provider: string
    /** The key as its provider wrapped it; null for the one that is derived from the master key. */
    wrapped: string | null
    /** Every process learns of one that is `coming` before it seals; `old` ones still open what is under them. */
    state: 'coming' | 'active' | 'old' | 'retired'
    created_at: number
    retired_at: number | null
    /** HMAC-SHA-256 of the row under a key derived from the master key: who can only write to the database puts no key here. */
    proof: string
  }
  server_groups: { id: string; name: string; description: string; created_at: number }
  group_managers: { group_id: string; subject: string }
  grants: {
    id: string
    group_id: string
    subject: string
    /** JSON array of server names, or null for all of the group. */
    servers_json: string | null
    /** JSON: "readOnly", or an array of names and globs; null for all tools. */
    tools_json: string | null
    /** The virtual server whose own grant it is; null for a grant of the group. */
    virtual_server: string | null
    created_at: number
  }
  servers: {
    id: string
    group_id: string
    name: string
    description: string
    transport_json: string
    /** JSON of the auth kind; secret values are sealed inside. */
    auth_json: string
    /** JSON { default: 'allow' | 'deny', allow: string[], deny: string[] }. */
    tool_policy_json: string
    /** Raised by every change. */
    version: number
    created_at: number
    updated_at: number
  }
  /** What an identity provider gave for somebody when they signed in, where servers are called with it. */
  provider_tokens: {
    user_id: string
    provider_id: string
    /** The session of their browser: with it go the tokens, when they sign out. */
    session_id: string
    /** `sid` of the provider. */
    provider_session: string | null
    /** JSON of the tokens and when each ends, sealed. */
    sealed: string
    /** Raised by every renewal; another after each sign-in. */
    version: number
    /** Who renews them at the moment, and until when at most. */
    lease: string | null
    lease_until: number | null
    signed_in_at: number
    updated_at: number
  }
  /** What somebody has at a server: tokens of an authorization server, or values they gave. */
  upstream_credentials: {
    id: string
    server_id: string
    /** Id of a user or virtual account, `team:<name>`, or `everyone`. */
    owner: string
    kind: 'tokens' | 'values'
    /** Who issued it and what it is for: it goes nowhere else. Null for values. */
    issuer: string | null
    resource: string | null
    client_id: string | null
    /** Everywhere it goes, as the server was set up when it was connected: where that is another now, it is not used. */
    bound_to: string
    /** As granted, separated by spaces. */
    scope: string
    /** Who the owner is there, as far as it says. */
    account: string | null
    /** JSON of the secrets, sealed. */
    sealed: string
    /** Of the access token; null where it is not known to end. */
    expires_at: number | null
    is_refreshable: number
    /** Why it cannot be used until its owner connects again; null while it can. */
    trouble: string | null
    /** Raised by every change: whoever renews it renews what they have seen. */
    version: number
    /** Who renews it at the moment, and until when at most. */
    lease: string | null
    lease_until: number | null
    refreshed_at: number | null
    created_at: number
    updated_at: number
  }
  /** What the gateway registered itself as at authorization servers of upstreams. */
  upstream_clients: {
    server_id: string
    issuer: string
    redirect_uri: string
    client_id: string
    /** JSON of what was registered, with its secrets, sealed. */
    sealed: string
    expires_at: number | null
    created_at: number
    /** To the hour. */
    used_at: number
  }
  /** What the last probe or catalogue sync found. */
  server_facts: {
    server_id: string
    /** JSON array of the eras it answered in: 'session' and/or 'stateless'. */
    eras_json: string
    checked_at: number
    /** JSON of the last problem, or null when it was well. */
    problem_json: string | null
    facts_json: string
  }
  catalogue_items: {
    server_id: string
    kind: 'tool' | 'resource' | 'template' | 'prompt'
    name: string
    position: number
    /** The definition exactly as the server wrote it. */
    definition: string
    /** SHA-256 of its RFC 8785 form, hex. */
    hash: string
    seen_at: number
  }
  virtual_servers: {
    id: string
    group_id: string
    name: string
    description: string
    /** Raised by every change. */
    version: number
    /** The number of the publication that is served; null before the first. */
    published: number | null
    /** What is to be published next, as JSON; null when that is what is published. */
    draft_json: string | null
    created_at: number
    updated_at: number
  }
  publications: {
    server_id: string
    number: number
    definition_json: string
    /** JSON of the names that things got by rule, by what they are: they keep them. */
    settled_json: string
    published_by: string
    published_at: number
  }
  /** Of each tool the definition that was approved, and the one that waits for it. */
  tool_pins: {
    server_id: string
    name: string
    /** SHA-256 of its RFC 8785 form, hex; null for a tool that never was approved. */
    approved_hash: string | null
    /** As the server wrote it. */
    approved_definition: string | null
    /** Name of a person, or why it was accepted without one. */
    approved_by: string | null
    approved_at: number | null
    /** Null when it may be called. */
    held_reason: 'new' | 'changed' | 'finding' | 'hand' | 'lock' | null
    /** The definition that waits; null where the approved one itself is held. */
    held_hash: string | null
    held_definition: string | null
    /** Name of the manager who holds it. */
    held_by: string | null
    held_at: number | null
  }
  policies: {
    id: string
    name: string
    mode: 'enforce' | 'shadow'
    description: string
    /** Statements of Cedar, as they were written. */
    text: string
    /** Raised by every change. */
    version: number
    created_at: number
    updated_at: number
  }
  /** An event as JSON, and of it what is searched by. */
  audit_events: {
    /** Made by the gateway before the event is spooled; inserting it twice is one event. Begins with its time. */
    id: string
    principal: string | null
    target: string | null
    action: string
    outcome: string
    event: string
    /** Of the user or account; null of nobody, and of events before this was kept. */
    principal_id: string | null
    /** The tool, prompt or resource. */
    subject: string | null
  }
}
