/** Every stored thing. Ids are text; times are milliseconds since 1970; `*_json` columns hold JSON text. One row type a table. */
export type Tables = {
  /** One row (id = 1): a counter that every change to identity, access or upstreams raises, so that every process notices. */
  revisions: { id: number; revision: number }
  /** Small facts about this instance: claim hash and its expiry, master key check. */
  instance_facts: { name: string; value: string }
  users: {
    id: string
    email: string
    role: 'admin' | 'member' | 'auditor'
    /** The identity provider that brought them, whose bounds they keep; null for people of the gateway itself. */
    provider_id: string | null
    disabled_at: number | null
    created_at: number
  }
  teams: { id: string; name: string; created_at: number }
  team_members: {
    team_id: string
    user_id: string
    /** `hand`: a person or the manifest. `claims`: groups an identity provider told of; they go when it tells of them no more. */
    given_by: 'hand' | 'claims' | 'scim'
  }
  virtual_accounts: {
    id: string
    name: string
    owner_id: string | null
    disabled_at: number | null
    created_at: number
  }
  tokens: {
    id: string
    kind: 'pat' | 'vat'
    /** HMAC-SHA-256 of the token under the pepper, base64url. */
    hash: string
    /** The last four characters, for people. */
    hint: string
    name: string
    user_id: string | null
    account_id: string | null
    created_at: number
    expires_at: number
    last_used_at: number | null
    revoked_at: number | null
    /** The token that takes its place; it lives on beside it until it expires. */
    replaced_by: string | null
    /** Of the reminders before it expires, the last that was given: so many days before. */
    reminded_days: number | null
  }
  identity_providers: {
    id: string
    name: string
    /** Exactly as its tokens name it. */
    issuer: string
    /** JSON of everything else but the secret. */
    settings_json: string
    /** JSON { sealed, text }: the client secret, sealed, and how a manifest shows it; null for a public client. */
    client_secret_json: string | null
    /** Raised by every change. */
    version: number
    created_at: number
    updated_at: number
    /** Set when it was removed while people of it were known: they stay within its bounds. Its name is its id then. */
    removed_at: number | null
  }
  /** Who somebody is at an identity provider. Never by e-mail: that is no identity. */
  linked_identities: {
    issuer: string
    subject: string
    user_id: string
    /** JSON of the attributes its claims were mapped to. */
    attributes_json: string
    linked_at: number
    seen_at: number
  }
  browser_sessions: {
    id: string
    /** HMAC-SHA-256 of the cookie's value under the pepper, base64url. */
    hash: string
    user_id: string
    method: 'provider' | 'passkey' | 'link' | 'claim'
    provider_id: string | null
    /** `sid` of the identity provider, for signing out from there. */
    provider_session: string | null
    /** The User-Agent, for people. */
    client: string | null
    created_at: number
    /** When they last proved who they are. */
    authenticated_at: number
    seen_at: number
    expires_at: number
  }
  passkeys: {
    /** Credential id, base64url. */
    id: string
    user_id: string
    name: string
    /** COSE key, base64url. */
    public_key: string
    counter: number
    transports_json: string
    created_at: number
    used_at: number | null
  }
  /** What one browser is in the midst of, good once and not for long: a sign-in, a one-time link, a challenge. */
  flows: {
    /** HMAC-SHA-256 of its secret under the pepper, base64url. */
    hash: string
    kind: string
    /** JSON, sealed. */
    sealed: string
    expires_at: number
  }
  /** Of people whom an identity provider provisions, what it says of them. */
  scim_users: {
    user_id: string
    provider_id: string
    /** In lower case: it is the same in any. */
    user_name: string
    external_id: string | null
    /** JSON of the resource as it was given. */
    attributes_json: string
    /** Raised by every change. */
    version: number
    created_at: number
    updated_at: number
  }
  /** Teams that are groups of an identity provider. */
  scim_groups: {
    team_id: string
    provider_id: string
    display_name: string
    external_id: string | null
    /** Raised by every change. */
    version: number
    created_at: number
    updated_at: number
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
  }
}
