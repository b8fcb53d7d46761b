/** The HTTP dress of an error: problem+json (RFC 9457) with the members every dress shares. */
import type { ServerResponse } from 'node:http'
import { errorTable, type GatewayError, publicFace } from '../foundation/errors.ts'
import type { Log } from '../foundation/log.ts'

export type Problem = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What a caller gets to see of an error. */
export function asProblem(error: GatewayError, requestId: string): Problem {
  const headers: Record<string, string> = { 'content-type': 'application/problem+json' }
  const retryAfter = error.data?.retryAfterSeconds
  if (typeof retryAfter === 'number') headers['retry-after'] = String(retryAfter)
  const allow = error.data?.allow
  if (Array.isArray(allow)) headers.allow = allow.join(', ')
  if (error.status === 401) headers['www-authenticate'] = challenge(error)
  const nonce = error.data?.nonce
  if (typeof nonce === 'string') headers['dpop-nonce'] = nonce
  // The rest of the body was not read, so the connection cannot be used again.
  if (error.status === 413) headers.connection = 'close'
  const body = JSON.stringify({
    type: `urn:gatehouse:error:${error.code}`,
    title: errorTable[error.code].sentence,
    status: error.status,
    ...publicFace(error, requestId),
  })
  return { status: error.status, headers, body }
}

/** RFC 6750, 3: without a token no error is named. */
function challenge(error: GatewayError): string {
  if (error.code === 'identity.bad_proof') return `DPoP realm="gatehouse", error="invalid_dpop_proof"`
  if (error.code === 'identity.nonce_wanted') return `DPoP realm="gatehouse", error="use_dpop_nonce"`
  const realm = 'Bearer realm="gatehouse"'
  return error.code === 'identity.no_token' ? realm : `${realm}, error="invalid_token"`
}

/** Answers with a problem where no framework is at hand. */
export function answerProblem(response: ServerResponse, error: GatewayError, requestId: string): void {
  const problem = asProblem(error, requestId)
  response.writeHead(problem.status, { 'x-request-id': requestId, ...problem.headers })
  response.end(problem.body)
}

/** Keeps for the log what the caller is not told. */
export function logError(log: Log, error: GatewayError, requestId: string): void {
  if (error.status < 500) return
  const level = error.code === 'internal.unexpected' ? 'error' : 'warn'
  log[level]({ requestId, code: error.code, internal: error.internal, cause: error.cause }, error.message)
}
