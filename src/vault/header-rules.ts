/** Which headers may be set on requests to upstreams, by configuration or by a client (RFC 9110, 5.1 and 5.5). */
import { fail } from '../foundation/errors.ts'

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/
const visible = /^[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?$/
const mostValueCharacters = 8192

/** What frames the message, belongs to the connection or the protocol, or says who asks: the gateway's own business. */
const never = new Set([
  'host',
  'content-length',
  'content-type',
  'content-encoding',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'upgrade',
  'te',
  'trailer',
  'expect',
  'accept',
  'accept-encoding',
  'cookie2',
  'http2-settings',
  'forwarded',
  'x-real-ip',
  'via',
  'last-event-id',
  'traceparent',
  'tracestate',
  'baggage',
  'x-request-id',
])
const neverPrefix = /^(?:proxy-|x-forwarded-|mcp-|sec-|x-gatehouse-|x-tfy-)/
const ownToken = /gth_[a-z]{3}_[0-9A-Za-z]/

/** Why the header may not be sent to an upstream, or undefined. Never repeats the value. */
export function headerObjection(name: string, value: string): string | undefined {
  const lower = name.toLowerCase()
  if (!token.test(name)) return `${JSON.stringify(name.slice(0, 64))} is not a header name`
  if (never.has(lower) || neverPrefix.test(lower)) return `nobody may set the header ${name}`
  if (value.length > mostValueCharacters)
    return `the value of ${name} is longer than ${mostValueCharacters} characters`
  if (!visible.test(value))
    return `the value of ${name} is empty, begins or ends with a space, or has characters other than visible ASCII`
  if (ownToken.test(value)) return `the value of ${name} is a token of this gateway, which must not leave it`
  return undefined
}

/** Throws `vault.header_refused` unless every header may be set and none stands twice. */
export function checkHeaders(headers: Readonly<Record<string, string>>): void {
  const seen = new Set<string>()
  for (const [name, value] of Object.entries(headers)) {
    const objection = seen.has(name.toLowerCase())
      ? `the header ${name} stands twice`
      : headerObjection(name, value)
    if (objection !== undefined) fail('vault.header_refused', { why: `${capital(objection)}.` })
    seen.add(name.toLowerCase())
  }
}

function capital(sentence: string): string {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1)
}
