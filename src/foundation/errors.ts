/** The closed table of everything that can go wrong, and the one error that carries a row of it. */

type Row = {
  /** HTTP status of the problem+json dress. */
  readonly status: number
  /** JSON-RPC code of the MCP dress. */
  readonly rpc: number
  /** One plain sentence for the person who sees it. */
  readonly sentence: string
  /** What that person can do: a command, a link, or a change. */
  readonly fix: string
}

const row = (status: number, rpc: number, sentence: string, fix: string): Row => ({
  status,
  rpc,
  sentence,
  fix,
})

/** JSON-RPC codes of the protocol itself (JSON-RPC 2.0, 5.1; MCP 2026-07-28, basic/index). */
export const rpcCodes = {
  parse: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
  resourceNotFound: -32002,
  headerMismatch: -32020,
  missingCapability: -32021,
  unsupportedVersion: -32022,
} as const

// Our own codes live outside -32768..-32000, which JSON-RPC and MCP reserve.
const gateway = 31_000

// biome-ignore format: a table is read row by row
export const errorTable = {
  'internal.unexpected': row(500, rpcCodes.internal, 'Something went wrong inside the gateway.', 'Try again; if it stays, look for the requestId in the gateway log.'),
  'http.not_found': row(404, gateway + 4, 'There is nothing at this address.', 'Check the URL; GET /api/v1/openapi.json lists every route.'),
  'http.method_not_allowed': row(405, gateway + 5, 'This address does not take that method.', 'Use one of the methods named in the Allow header.'),
  'http.body_too_large': row(413, rpcCodes.invalidRequest, 'The request body is too large.', 'Send less, or raise limits.requestBytes.'),
  'http.bad_content_type': row(415, rpcCodes.invalidRequest, 'The body must be JSON.', 'Send Content-Type: application/json.'),
  'http.bad_accept': row(406, rpcCodes.invalidRequest, 'The Accept header rules out every answer this endpoint can give.', 'Send Accept: application/json, text/event-stream.'),
  'http.bad_origin': row(403, rpcCodes.invalidRequest, 'This Origin may not call the gateway.', 'Add the origin to allowedOrigins in the configuration.'),
  'http.bad_host': row(421, rpcCodes.invalidRequest, 'This Host is not one the gateway answers for.', 'Set publicUrl, or add the host to allowedHosts.'),
  'http.bad_request': row(400, rpcCodes.invalidRequest, 'The request is not well formed.', 'Correct what "why" names and send it again.'),
  'http.conflict': row(409, gateway + 9, 'This is already there, or changed meanwhile.', 'Read the current state and try again.'),
  'http.token_in_query': row(401, gateway + 1, 'A token in the query string is refused, because URLs end up in logs.', 'Send it as Authorization: Bearer <token>, and revoke the one you sent.'),
  'http.overloaded': row(503, gateway + 3, 'The gateway is at its limit.', 'Try again after the time in Retry-After.'),
  'json.malformed': row(400, rpcCodes.parse, 'The body is not valid JSON.', 'Send one JSON value in UTF-8.'),
  'json.too_deep': row(400, rpcCodes.parse, 'The JSON is nested too deeply.', 'Nest at most 64 levels.'),
  'json.too_many_keys': row(400, rpcCodes.parse, 'The JSON has too many keys.', 'Send at most 10000 keys in one body.'),
  'json.duplicate_key': row(400, rpcCodes.parse, 'An object in the JSON has the same key twice.', 'Send every key once.'),
  'json.forbidden_key': row(400, rpcCodes.parse, 'The JSON has a key that is never accepted.', 'Remove the key __proto__.'),
  'identity.no_token': row(401, gateway + 1, 'A token is needed.', 'Send Authorization: Bearer <token>; make one with: gatehouse token create.'),
  'identity.bad_token': row(401, gateway + 1, 'This token is not valid.', 'Make a new one with: gatehouse token create.'),
  'identity.bad_proof': row(401, gateway + 1, 'This token is bound to a key, and the request does not prove that it is yours.', 'Send a new DPoP proof for this request and this token, made with that key.'),
  'identity.nonce_wanted': row(401, gateway + 1, 'The proof of possession must have a nonce of the gateway.', 'Put the DPoP-Nonce of the answer into the proof and send the request again.'),
  'identity.unavailable': row(503, gateway + 3, 'The gateway cannot check tokens at the moment.', 'Try again shortly; gatehouse doctor says what is wrong.'),
  'identity.too_many_failures': row(429, gateway + 8, 'Too many failed authentications came from this address.', 'Wait for the time in Retry-After, then send a valid token.'),
  'identity.forbidden': row(403, gateway + 2, 'Your role does not allow this.', 'Ask an admin, or a manager of the group.'),
  'identity.unknown': row(404, gateway + 4, 'There is no such user, team, account or token.', 'List them with: gatehouse user list (or team, account, token).'),
  'identity.claim_refused': row(403, gateway + 2, 'This claim link is not valid any more.', 'Restart the gateway to print a new link, or run: gatehouse user add <email> --role admin.'),
  'identity.cross_site': row(403, gateway + 2, 'This request was not made by a page of this gateway.', 'Open the page of the gateway anew and try again there; programs send Authorization: Bearer <token>.'),
  'identity.form_refused': row(403, gateway + 2, 'This form was not made for this browser, or is too old.', 'Open the page anew, in a browser that takes cookies, and send the form from there.'),
  'identity.other_browser': row(403, gateway + 2, 'This was begun in another browser.', 'Go on in the browser in which you began, or begin anew in this one.'),
  'identity.flow_over': row(400, rpcCodes.invalidRequest, 'This is over: it was finished before, or took longer than it may.', 'Begin anew.'),
  'identity.too_many_beginnings': row(429, gateway + 8, 'Too many sign-ins were begun from this address.', 'Wait for the time in Retry-After, then begin anew.'),
  'identity.link_refused': row(403, gateway + 2, 'This sign-in link is not valid any more.', 'Ask an admin for another one: gatehouse user link <email>.'),
  'identity.passkey_refused': row(403, gateway + 2, 'This passkey does not open anything here.', 'Use another passkey, or another way to sign in.'),
  'identity.passkey_unavailable': row(400, gateway + 6, 'A passkey cannot be used here.', 'Correct what "why" names, or use another way to sign in.'),
  'identity.signed_out': row(401, gateway + 1, 'You are not signed in any more.', 'Sign in again at /sign-in.'),
  'identity.sign_in_refused': row(403, gateway + 2, 'The identity provider did not sign you in.', 'Try again, or choose another way to sign in.'),
  'identity.provider_trouble': row(502, gateway + 10, 'The identity provider cannot be used at the moment.', 'Try again shortly; an admin finds out more with: gatehouse identity-provider test <name>.'),
  'identity.logout_refused': row(400, rpcCodes.invalidRequest, 'This is not a logout token for the gateway.', 'Send a logout_token as OpenID Connect Back-Channel Logout 1.0 has it, once.'),
  'identity.step_up_required': row(403, gateway + 2, 'For this you have to show once more that it is you.', 'Sign in again at the address in "signIn", then repeat it within 10 minutes.'),
  'identity.not_admitted': row(403, gateway + 2, 'The identity provider knows this person, and the gateway does not let them in.', 'Ask an admin; the audit says why: gatehouse audit.'),
  'identity.provider_unknown': row(404, gateway + 4, 'There is no such identity provider.', 'List them with: gatehouse identity-provider list.'),
  'oauth.unknown': row(404, gateway + 4, 'There is no such OAuth client or authorization.', 'List them with: gatehouse oauth-client list, or GET /api/v1/oauth/authorizations.'),
  'oauth.too_many_clients': row(503, gateway + 3, 'Too many clients registered themselves and were never used.', 'Try again later, or have an admin register the client: gatehouse oauth-client add.'),
  'oauth.too_many_registrations': row(429, gateway + 3, 'This address registered too many clients.', 'Wait for the time in Retry-After; a client registers once and keeps what it got.'),
  'oauth.forbidden': row(403, gateway + 2, 'This page was not sent from where it was shown.', 'Start again in the application that brought you here.'),
  'oauth.not_here': row(400, gateway + 4, 'This request of an application cannot go on.', 'Start again in the application that brought you here.'),
  'access.scope_missing': row(403, gateway + 2, 'The access token does not cover this.', 'Authorize again with the scopes that the challenge names.'),
  'access.not_found': row(404, gateway + 4, 'There is no such group or server, or you have no access to it.', 'Check the name, or ask a manager of the group for access.'),
  'access.tool_unknown': row(200, rpcCodes.invalidParams, 'Unknown tool.', 'List the tools you may use with tools/list.'),
  'access.tool_held': row(200, gateway + 25, 'This tool is held until a manager has looked at its definition.', 'Ask a manager of the group to review it: gatehouse tools review <group/server>.'),
  'access.policy_forbids': row(200, gateway + 26, 'A policy forbids this call.', 'Change what "why" names, or ask an admin.'),
  'access.policy_invalid': row(400, gateway + 27, 'The policy is not valid.', 'Correct the mistakes listed in "problems".'),
  'access.policy_unknown': row(404, gateway + 4, 'There is no such policy.', 'List them with: gatehouse policy list.'),
  'access.prompt_unknown': row(200, rpcCodes.invalidParams, 'Unknown prompt.', 'List the prompts you may use with prompts/list.'),
  'access.resource_unknown': row(200, rpcCodes.invalidParams, 'Resource not found.', 'List the resources you may read with resources/list.'),
  'access.task_unknown': row(200, rpcCodes.invalidParams, 'Unknown task.', 'Send the taskId exactly as it was given to you, to the same server.'),
  'mcp.invalid_request': row(400, rpcCodes.invalidRequest, 'This is not a valid JSON-RPC request.', 'Correct what "why" names and send it again.'),
  'mcp.invalid_params': row(400, rpcCodes.invalidParams, 'The parameters are not valid.', 'Correct what "why" names and send it again.'),
  'mcp.batch_refused': row(400, rpcCodes.invalidRequest, 'Batches are only part of revision 2025-03-26.', 'Send one message in each POST.'),
  'mcp.method_unknown': row(404, rpcCodes.methodNotFound, 'Method not found.', 'Use a method of the revision you speak.'),
  'mcp.header_mismatch': row(400, rpcCodes.headerMismatch, 'A header and the body say different things.', 'Send the MCP headers that mirror the body.'),
  'mcp.version_unsupported': row(400, rpcCodes.unsupportedVersion, 'Unsupported protocol version.', 'Use one of the versions in data.supported.'),
  'mcp.capability_required': row(400, rpcCodes.missingCapability, 'The request needs a capability that its client does not declare.', 'Declare what data.requiredCapabilities names in the capabilities of the request.'),
  'mcp.session_required': row(400, rpcCodes.invalidRequest, 'A session is needed for this request.', 'Send initialize first, then its Mcp-Session-Id with every request.'),
  'mcp.session_unknown': row(404, gateway + 4, 'Session not found.', 'Send initialize again to open a new session.'),
  'mcp.era_unsupported': row(400, gateway + 6, 'This server speaks no revision of the protocol that the gateway speaks.', 'Run: gatehouse server test <group/server>; it shows what the server answers.'),
  'mcp.method_not_allowed': row(405, gateway + 5, 'This endpoint does not take that method here.', 'POST to it; GET and DELETE need an Mcp-Session-Id.'),
  'mcp.too_many_sessions': row(503, gateway + 3, 'You have too many open sessions.', 'Close some with DELETE, or wait until idle ones end.'),
  'mcp.input_declined': row(200, gateway + 23, 'The MCP server needs an answer that was not given.', 'Make the call again and agree to what it asks for.'),
  'mcp.answer_gone': row(410, gateway + 13, 'The answer to this request is not kept any more; whether the server acted is unknown.', 'Check the effect before you send it again.'),
  'mcp.input_impossible': row(200, gateway + 24, 'The MCP server needs something of the client that it cannot do.', 'Use a client that can do what "why" names.'),
  'mcp.too_many_streams': row(503, gateway + 3, 'You have too many open streams.', 'Close some, or raise limits.streamsPerPrincipal.'),
  'mcp.cancelled': row(499, gateway + 7, 'The request was cancelled.', 'Send it again if you still need the answer.'),
  'upstream.unreachable': row(502, gateway + 10, 'The MCP server behind this address cannot be reached.', 'Run: gatehouse server test <group/server>.'),
  'upstream.timeout': row(504, gateway + 11, 'The MCP server behind this address did not answer in time.', 'Try again, or raise limits.callSeconds.'),
  'upstream.bad_answer': row(502, gateway + 12, 'The MCP server behind this address gave an answer that is not MCP.', 'Run: gatehouse server test <group/server>.'),
  'upstream.outcome_unknown': row(502, gateway + 13, 'The connection to the MCP server broke after it took the request; whether it acted is unknown.', 'Check the effect before you send it again.'),
  'upstream.too_large': row(502, gateway + 14, 'The answer of the MCP server is larger than allowed.', 'Ask for less, or raise limits.resultBytes.'),
  'upstream.not_subscribed': row(200, rpcCodes.invalidParams, 'The MCP server does not tell of changes of this resource.', 'Read the resource again when you need it.'),
  'upstream.unauthorized': row(502, gateway + 15, 'The MCP server does not accept the credentials the gateway has for it.', 'Ask a manager of the group to renew the credentials of this server.'),
  'upstream.address_refused': row(400, gateway + 16, 'The address of this server may not be reached from the gateway.', 'Use a public address, or have an admin name the host or range under allowPrivateNetwork in its transport.'),
  'upstream.process_failed': row(502, gateway + 17, 'The process of this MCP server does not run.', 'Run: gatehouse server test <group/server>; its last stderr lines say why.'),
  'upstream.too_many_processes': row(503, gateway + 18, 'The gateway runs as many MCP server processes as it may.', 'Wait until idle ones stop, or raise limits.processes.'),
  'upstream.command_refused': row(400, gateway + 19, 'This command may not be started.', 'Correct what "why" names.'),
  'vault.secret_missing': row(400, gateway + 20, 'A referenced secret cannot be resolved.', 'Set the environment variable or file that "why" names, then apply again.'),
  'vault.unsealable': row(500, gateway + 21, 'A stored secret cannot be opened with the present master key.', 'Restore the master key that sealed it, or set the secret again.'),
  'vault.locked': row(503, gateway + 70, 'Stored secrets cannot be opened at the moment: the provider of their key does not answer.', 'Try again shortly; gatehouse keys says which provider, and what is wrong.'),
  'vault.key_unreachable': row(503, gateway + 71, 'The provider of an encryption key does not answer.', 'Check that it runs and can be reached, then try again.'),
  'vault.key_refused': row(500, gateway + 72, 'The provider of an encryption key refuses to use it.', 'Correct what "why" names: the key, its name, or what the gateway may do with it.'),
  'vault.key_wrong': row(500, gateway + 73, 'An encryption key is not the one that the database was used with.', 'Put back the key that "why" names, or restore the database that belongs to this one.'),
  'vault.header_refused': row(400, gateway + 22, 'This header may not be sent to a server.', 'Correct what "why" names.'),
  'vault.connect_needed': row(200, gateway + 31, 'You have to connect your account at this MCP server first.', 'Open the link in a browser, sign in there, and make the call again.'),
  'vault.connect_refused': row(403, gateway + 32, 'This account cannot be connected.', 'Open the link anew, in the browser in which you are signed in to the gateway.'),
  'vault.provider_trouble': row(502, gateway + 33, 'The authorization server of this MCP server cannot be used at the moment.', 'Try again shortly; if it stays, ask a manager of the group: gatehouse server test <group/server>.'),
  'vault.person_needed': row(403, gateway + 34, 'This MCP server is called as a person of an identity provider.', 'Call it as a person who signs in there: with a token of the identity provider, or of somebody who came in by it.'),
  'vault.pass_through_refused': row(403, gateway + 35, 'This MCP server is called with the caller\'s own token, and this call has none that is for it.', 'Call the gateway with a token of the identity provider whose audience names the server.'),
  'vault.connection_unknown': row(404, gateway + 4, 'There is no such connection.', 'List them with: gatehouse connections.'),
  'servers.name_clash': row(409, gateway + 27, 'Two things of this virtual server would have the same name.', 'Give one of them another name with "as", or leave it out.'),
  'servers.argument_refused': row(200, rpcCodes.invalidParams, 'An argument of this tool is not as it must be.', 'Correct what "why" names and call it again.'),
  'servers.bad_choice': row(400, gateway + 28, 'The virtual server names something that is not there.', 'Correct what "why" names.'),
  'audit.unavailable': row(503, gateway + 30, 'The gateway cannot write its audit record, so it refuses the call.', 'Free disk space or repair the data directory; gatehouse doctor says what is wrong.'),
  'config.invalid': row(400, gateway + 40, 'The configuration is not valid.', 'Correct the values listed in "why".'),
  'config.no_admin': row(503, gateway + 44, 'The gateway does not listen beyond this machine before it has an admin.', 'Run: gatehouse user add <email> --role admin, or claim it once on 127.0.0.1.'),
  'config.in_use': row(503, gateway + 45, 'Another gateway uses this data directory.', 'Stop the other one, or give this one its own with --data-dir.'),
  'config.cannot_listen': row(503, gateway + 46, 'The gateway cannot listen at this address.', 'Choose another with --host and --port.'),
  'cli.usage': row(400, gateway + 47, 'The command line is not right.', 'See: gatehouse --help.'),
  'cli.unreachable': row(503, gateway + 48, 'The gateway cannot be reached.', 'Check GATEHOUSE_URL, or start one with: gatehouse start.'),
  'cli.bad_answer': row(502, gateway + 49, 'What answered is not a gateway this command understands.', 'Check GATEHOUSE_URL, and that both sides run the same version.'),
  'manifest.invalid': row(400, gateway + 41, 'The manifest is not valid.', 'Correct the lines listed in "problems".'),
  'database.newer': row(500, gateway + 42, 'The database was written by a newer Gatehouse.', 'Start the newer version, or restore a backup made by this one.'),
  'database.unavailable': row(503, gateway + 43, 'The database cannot be reached.', 'Check DATABASE_URL and that the server runs; gatehouse doctor says what is wrong.'),
} as const satisfies Record<string, Row>

export type ErrorCode = keyof typeof errorTable

type Details = {
  /** Why it happened here, for the caller's eyes. Never holds secrets or upstream text. */
  why?: string
  /** A better fix than the table's, when this place knows one. */
  fix?: string
  /** For the log only. */
  internal?: string
  cause?: unknown
  /** Further public members, such as `supported` or `problems`. */
  data?: Readonly<Record<string, unknown>>
  /** Nothing was done: the request did not arrive, or was refused as a whole. */
  noEffect?: boolean
}

/** The only error that is shown to a caller; anything else becomes `internal.unexpected`. */
export class GatewayError extends Error {
  readonly code: ErrorCode
  readonly why: string
  readonly fix: string
  readonly internal: string | undefined
  readonly data: Readonly<Record<string, unknown>> | undefined
  /** It is certain that the request had no effect, so that sending it again cannot do anything twice. */
  readonly noEffect: boolean

  constructor(code: ErrorCode, details: Details = {}) {
    super(errorTable[code].sentence, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'GatewayError'
    this.code = code
    this.why = details.why ?? errorTable[code].sentence
    this.fix = details.fix ?? errorTable[code].fix
    this.internal = details.internal
    this.data = details.data
    this.noEffect = details.noEffect === true
  }

  get status(): number {
    return errorTable[this.code].status
  }

  get rpcCode(): number {
    return errorTable[this.code].rpc
  }
}

/** Throws a row of the table. */
export function fail(code: ErrorCode, details?: Details): never {
  throw new GatewayError(code, details)
}

/** Any thrown thing as a `GatewayError`; what is not one of ours is kept as the hidden cause. */
export function asGatewayError(thrown: unknown): GatewayError {
  if (thrown instanceof GatewayError) return thrown
  const internal = thrown instanceof Error ? thrown.message : String(thrown)
  return new GatewayError('internal.unexpected', { internal, cause: thrown })
}

/** The public members every dress shares. */
export function publicFace(error: GatewayError, requestId: string): Record<string, unknown> {
  return { code: error.code, why: error.why, fix: error.fix, requestId, ...error.data }
}
