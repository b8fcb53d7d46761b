/** One event per MCP exchange and per change. The shape is pinned by a test: exports and dashboards depend on it. */
export type AuditEvent = {
  /** Sortable by time; shipping the same id twice stores it once. */
  readonly id: string
  /** Milliseconds since 1970. */
  readonly at: number
  readonly kind: 'exchange' | 'change' | 'identity'
  /** The request id the caller saw. */
  readonly requestId: string
  readonly who: {
    readonly id: string | null
    readonly kind: 'user' | 'account' | 'operator' | 'nobody'
    readonly name: string | null
    readonly tokenId: string | null
    /** Client address as the socket has it. */
    readonly address: string | null
    /** User-Agent or clientInfo, unverified; at most 200 characters. */
    readonly client: string | null
    /** The client_id of the OAuth client whose token it was. */
    readonly oauthClient?: string
  }
  /** What was asked: an MCP method, or `room.verb` for a change. */
  readonly action: string
  /** `group/server` for exchanges; `user:...`, `team:...`, `group:...` and so on for changes. */
  readonly target: string | null
  /** Tool or prompt name, resource URI: the subject inside the target. */
  readonly subject: string | null
  readonly decision: {
    readonly allowed: boolean
    readonly reason: string
    /** The policies that made it. */
    readonly policies?: readonly string[] | undefined
    /** The policies in shadow mode that would have made it another one. */
    readonly shadow?: readonly string[] | undefined
  } | null
  readonly outcome: 'ok' | 'tool_error' | 'input_required' | 'denied' | 'rejected' | 'error' | 'cancelled'
  /** Error code of ours (`room.reason`) or the JSON-RPC code of the upstream. */
  readonly error: string | null
  /** Arguments by hash and size, or in full where configured. */
  readonly input: {
    readonly bytes: number
    readonly sha256: string | null
    readonly arguments?: unknown
  } | null
  readonly bytes: { readonly in: number; readonly out: number }
  /** Milliseconds. `upstream` is the part spent waiting for the server; `total` is everything. */
  readonly time: { readonly total: number; readonly upstream: number }
  readonly era: 'session' | 'stateless' | null
  /** For changes: what was set, without secrets. */
  readonly detail: unknown
  /** The client brought what authenticated it to the server, or more headers for it. */
  readonly credentialSource?: 'client'
  /** Their names, never a value. */
  readonly clientHeaders?: readonly string[]
}

/** The audit as other rooms and planes see it. */
export type AuditRecord = {
  /**
   * Queues an event for the spool. `written` runs once the event is in the spool file (same turn of the event loop or
   * the next), or with an error when it could not be written: then the answer must not be given.
   */
  record(event: AuditEvent, written: (error?: Error) => void): void
  /** The same for code that can await. Rejects with `audit.unavailable`. */
  recorded(event: AuditEvent): Promise<void>
}
