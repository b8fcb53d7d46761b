import { GatewayError, publicFace } from '../foundation/errors.ts'
import { connectRequest, connectText, isConnectNeeded } from './connect-first.ts'
import type { Exchange } from './exchange.ts'

/** Errors whose JSON-RPC code means the same in both eras but differs in number. */
function codeFor(error: GatewayError, era: Exchange['era']): number {
  return error.code === 'access.resource_unknown' && era === 'session' ? -32002 : error.rpcCode
}

/** The JSON-RPC dress of an error, as text. */
export function errorBody(error: GatewayError, exchange: Exchange): string {
  const asking = isConnectNeeded(error) ? connectRequest(error, exchange) : undefined
  if (asking !== undefined) return asking
  if (isForModel(error, exchange)) return refusalOfTool(error, exchange)
  const data = publicFace(error, exchange.requestId)
  return `{"jsonrpc":"2.0","id":${exchange.clientId},"error":${JSON.stringify({ code: codeFor(error, exchange.era), message: error.message, data })}}`
}

const aboutTheChoice = new Set<string>(['access.tool_unknown', 'access.tool_held', 'access.policy_forbids'])

function isForModel({ code }: GatewayError, { chosenBySearch, action }: Exchange): boolean {
  if (code === 'vault.connect_needed') return action === 'tools/call'
  return code === 'servers.argument_refused' || (chosenBySearch !== undefined && aboutTheChoice.has(code))
}

// What a model can put right is a result of the tool, so that it is shown to it (MCP 2025-11-25, server/tools, "Error Handling").
function refusalOfTool(error: GatewayError, exchange: Exchange): string {
  const { code, why, message } = error
  const { clientId, era, chosenBySearch } = exchange
  const said = isConnectNeeded(error)
    ? connectText(error)
    : code === 'access.tool_held'
      ? `${message} ${why}`
      : why
  const text = code === 'access.tool_unknown' ? `${said}${chosenBySearch?.hint ?? ''}` : said
  const complete = era === 'stateless' ? { resultType: 'complete' } : {}
  const result = { ...complete, content: [{ type: 'text', text }], isError: true }
  return `{"jsonrpc":"2.0","id":${clientId},"result":${JSON.stringify(result)}}`
}

const outcomes: Readonly<Record<string, 'denied' | 'rejected' | 'cancelled'>> = {
  access: 'denied',
  identity: 'rejected',
  http: 'rejected',
  json: 'rejected',
  mcp: 'rejected',
}

function outcomeOf(error: GatewayError): 'denied' | 'rejected' | 'cancelled' | 'error' | 'tool_error' {
  if (error.code === 'servers.argument_refused') return 'tool_error'
  if (error.code === 'mcp.cancelled') return 'cancelled'
  return outcomes[error.code.split('.')[0] ?? ''] ?? 'error'
}

export type ErrorHeaders = Readonly<Record<string, string>>

/** Answers with an error, once it is in the audit. The one place where an error becomes an MCP response. */
export function answerError(exchange: Exchange, error: GatewayError, headers: ErrorHeaders = {}): void {
  exchange.record(outcomeOf(error), error.code, failure => {
    const shown = failure === undefined ? error : new GatewayError('audit.unavailable')
    const retry = shown.data?.retryAfterSeconds
    const all = {
      'x-request-id': exchange.requestId,
      ...(typeof retry === 'number' ? { 'retry-after': String(retry) } : {}),
      ...headers,
    }
    exchange.outlet.answer(Buffer.from(errorBody(shown, exchange)), shown.status, Object.entries(all).flat())
  })
}
