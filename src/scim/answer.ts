/** Answers as SCIM has them (RFC 7644, 3.12). */
import type { ServerResponse } from 'node:http'
import SCIMMY from 'scimmy'
import { z } from 'zod'
import { asGatewayError, GatewayError } from '../foundation/errors.ts'

export type Answer = {
  readonly status: number
  /** Anything that JSON can hold; no body for undefined. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

const errorSchema = 'urn:ietf:params:scim:api:messages:2.0:Error'

export function send(response: ServerResponse, { status, body, headers }: Answer, requestId: string): void {
  const text = body === undefined ? '' : JSON.stringify(body)
  response.writeHead(status, {
    'x-request-id': requestId,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(text === '' ? {} : { 'content-type': 'application/scim+json; charset=utf-8' }),
    ...headers,
  })
  response.end(text)
}

/** What anything thrown is to the provider; the library's own errors speak of the request alone, and are told as they are. */
export function refusalOf(thrown: unknown, requestId: string): { error: GatewayError; answer: Answer } {
  if (thrown instanceof SCIMMY.Types.Error) {
    const error = new GatewayError('http.bad_request', { why: thrown.message })
    return { error, answer: errorAnswer(thrown.status, thrown.scimType, `${thrown.message} (${requestId})`) }
  }
  const error = thrown instanceof z.ZodError ? unfit(thrown) : asGatewayError(thrown)
  const detail = `${error.message} ${error.why} ${error.fix} (${requestId})`
  const given = errorAnswer(error.status, keywordOf(error), detail)
  const challenge =
    error.status === 401 ? { headers: { 'www-authenticate': 'Bearer realm="gatehouse"' } } : {}
  return { error, answer: { ...given, ...challenge } }
}

function unfit({ issues }: z.ZodError): GatewayError {
  const why = issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')
  return new GatewayError('http.bad_request', { why })
}

function keywordOf({ code }: GatewayError): string | undefined {
  if (code === 'http.conflict') return 'uniqueness'
  if (code === 'http.bad_request') return 'invalidValue'
  return code.startsWith('json.') ? 'invalidSyntax' : undefined
}

function errorAnswer(status: number, scimType: string | undefined, detail: string): Answer {
  const keyword = scimType ? { scimType } : {}
  return { status, body: { schemas: [errorSchema], status: String(status), ...keyword, detail } }
}
