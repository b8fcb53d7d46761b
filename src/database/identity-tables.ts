/** What the identity room stores. Ids are text; times are milliseconds since 1970; `*_json` columns hold JSON text. */
export type IdentityTables = {
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
    /** JSON of its public keys, of the workloads that may be it, and whether its tokens are bound to keys; null for none. */
    credentials_json: string | null
  }
  /** Client secrets of virtual accounts. */
  account_secrets: {
    id: string
    account_id: string
    name: string
    /** HMAC-SHA-256 of the secret under the pepper, base64url. */
    hash: string
    /** The last four characters, for people. */
    hint: string
    created_at: number
    expires_at: number
    last_used_at: number | null
    /** The secret that takes its place; it lives on beside it until it expires. */
    replaced_by: string | null
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
    /** Of the identity provider, sealed: who signs out here shows it there. */
    id_token_sealed: string | null
  }
  /** What people have to be told when they next come. */
  notices: {
    id: string
    user_id: string
    kind: 'stolen_authorization'
    /** Whom it was stolen from, as the person knows them. */
    about: string
    created_at: number
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
  oauth_clients: {
    /** The client_id. */
    id: string
    /** `company`: an admin. `itself`: dynamic registration. */
    registered_by: 'company' | 'itself'
    name: string
    /** JSON of the metadata of RFC 7591, without secrets. */
    metadata_json: string
    /** The client secret, sealed; null for a client without. */
    secret_sealed: string | null
    /** Raised by every change. */
    version: number
    created_at: number
    updated_at: number
    /** When it first got a token; a client that registered itself and never did goes after a while. */
    used_at: number | null
  }
  /** What a person allowed a client: all its tokens hang on it and go with it. */
  oauth_grants: {
    id: string
    user_id: string
    client_id: string
    /** As it was shown to the person. */
    client_name: string
    resource: string
    scope: string
    payload_json: string
    created_at: number
    expires_at: number
    used_at: number | null
  }
  /** Tokens, codes, interactions and sessions of the authorization server. */
  oauth_artifacts: {
    model: string
    /** HMAC-SHA-256 of the token or id under the pepper, base64url. */
    hash: string
    grant_id: string | null
    /** The virtual account a token stands for; null for those of people. */
    account_id: string | null
    uid_hash: string | null
    /** JSON without the token; sealed where the rest of it is secret too. */
    payload: string
    consumed_at: number | null
    /** What was answered to a refresh, sealed: for its repetition. */
    answer_sealed: string | null
    expires_at: number | null
  }
  /** What a person need not be asked again. */
  oauth_consents: {
    user_id: string
    /** HMAC of everything that was agreed to. */
    hash: string
    client_id: string
    created_at: number
  }
  /** Keys that sign ID tokens. */
  oauth_keys: {
    id: string
    algorithm: 'ES256' | 'RS256'
    /** The private JWK, sealed. */
    sealed: string
    created_at: number
    /** From then on it signs nothing more; it stays published for a while. */
    retired_at: number | null
  }
}
