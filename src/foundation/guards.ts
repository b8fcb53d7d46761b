/** What is checked of every HTTP request before anything else reads it. Both doors, MCP and the management API, use the same. */
import { isIP } from 'node:net'
import { fail } from './errors.ts'

export type Guards = {
  /** The Host header must name this gateway (against DNS rebinding). Throws `http.bad_host`. */
  checkHost(host: string | undefined): void
  /** An Origin must be the gateway's own, or allowed. Requests without one do not come from web pages. Throws `http.bad_origin`. */
  checkOrigin(origin: string | undefined, host: string | undefined): void
}

export type GuardSettings = {
  readonly host: string
  readonly publicUrl?: string | undefined
  readonly allowedHosts: readonly string[]
  readonly allowedOrigins: readonly string[]
}

/** A name of the machine itself, which no foreign DNS record can take. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host)
}

/**
 * Loopback names pass with any port, for tunnels and containers map ports and cannot be rebound by an attacker's DNS.
 * The Host of `publicUrl` passes as it stands there; an entry of `allowedHosts` with a port passes with that port only.
 */
export function compileGuards(settings: GuardSettings): Guards {
  const publicUrl = settings.publicUrl === undefined ? undefined : new URL(settings.publicUrl)
  const hosts = new Set(['localhost', '127.0.0.1', '[::1]', written(settings.host)])
  for (const host of settings.allowedHosts) hosts.add(host.toLowerCase())
  if (publicUrl !== undefined) hosts.add(publicUrl.host)
  const origins = new Set(settings.allowedOrigins.map(origin => origin.toLowerCase().replace(/\/$/, '')))
  if (publicUrl !== undefined) origins.add(publicUrl.origin)
  return {
    checkHost(host) {
      if (host === undefined) fail('http.bad_host', { why: 'The request has no Host header.' })
      const asked = host.toLowerCase()
      if (hosts.has(asked) || hosts.has(withoutPort(asked))) return
      fail('http.bad_host', { why: `The gateway does not answer for the host ${shown(host)}.` })
    },
    checkOrigin(origin, host) {
      if (origin === undefined) return
      const asked = origin.toLowerCase()
      if (origins.has(asked)) return
      if (host !== undefined && asked === `http://${host.toLowerCase()}`) return
      fail('http.bad_origin', { why: `The origin ${shown(origin)} is not allowed.` })
    },
  }
}

function written(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host.toLowerCase()
}

function withoutPort(host: string): string {
  const colon = host.lastIndexOf(':')
  return colon > host.lastIndexOf(']') && /^\d+$/.test(host.slice(colon + 1)) ? host.slice(0, colon) : host
}

function shown(value: string): string {
  return JSON.stringify(value.slice(0, 100))
}

const tokenInQuery =
  /[?&](?:access_?token|token|api[-_]?key|authorization|bearer)=|gth_(?:pat|vat|oat|ort|ses)_/i

/** Throws `http.token_in_query` when the query string of a request target carries a token. */
export function checkQuery(target: string): void {
  const query = target.indexOf('?')
  if (query >= 0 && tokenInQuery.test(target.slice(query))) fail('http.token_in_query')
}

const mostHeaders = 100

/**
 * Refuses what two readers of one request could read differently: a second Host or Authorization, a list of credentials,
 * more headers than are looked at, a target of another authority. Throws `http.bad_request`.
 */
export function checkFraming(rawHeaders: readonly string[], target: string, host: string | undefined): void {
  if (rawHeaders.length > 2 * mostHeaders)
    fail('http.bad_request', { why: `The request has more than ${mostHeaders} headers.` })
  let hosts = 0
  let authorizations = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? ''
    if (name.length === 4 && name.toLowerCase() === 'host') hosts++
    else if (name.length === 13 && name.toLowerCase() === 'authorization') {
      authorizations++
      if (rawHeaders[i + 1]?.includes(','))
        fail('http.bad_request', { why: 'The Authorization header lists more than one credential.' })
    }
  }
  if (hosts > 1) fail('http.bad_request', { why: 'The request has two Host headers.' })
  if (authorizations > 1) fail('http.bad_request', { why: 'The request has two Authorization headers.' })
  if (!target.startsWith('/') && target !== '*') checkAuthority(target, host)
}

function checkAuthority(target: string, host: string | undefined): void {
  const url = URL.parse(target)
  if (url === null || url.host !== host?.toLowerCase())
    fail('http.bad_request', { why: 'The request target names another authority than the Host header.' })
}
