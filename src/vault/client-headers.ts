/** Headers that a client sends along for servers behind its address: `x-gatehouse-mcp-headers`, or `x-tfy-mcp-headers` for clients that know it by that name. */
import { createHmac, randomBytes } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { isCredentialValue } from '../foundation/credential.ts'
import { fail, GatewayError } from '../foundation/errors.ts'
import { isObject, type JsonObject, parseBounded } from '../foundation/json.ts'
import type { Credentials, OwnCredentials, Upstream } from '../upstreams/index.ts'
import { headerObjection } from './header-rules.ts'

/** The first is ours. */
const carriers = ['x-gatehouse-mcp-headers', 'x-tfy-mcp-headers'] as const
const mostBytes = 8192
const mostHeaders = 32
/** Narrower than what is hidden from people: a key of idempotency authenticates nobody. */
const authenticating =
  /authorization|authentication|token|secret|passw|credential|cookie|(?:api|access|auth|private)-?key|^x-auth|^x-amz-/i

/** Headers of a client for one server. */
export type OwnHeaders = OwnCredentials

/** Whether the request carries any; all there is to do for one that does not. */
export function bringsHeaders(headers: IncomingHttpHeaders): boolean {
  return headers[carriers[0]] !== undefined || headers[carriers[1]] !== undefined
}

export type Behind = {
  readonly servers: readonly Upstream[]
  /** Several may be behind the address, so each is named. */
  readonly isComposed: boolean
  /** May clients bring authentication, as far as the organisation is asked? */
  readonly mayAuthenticate: boolean
}

/** The headers of a request by the id of the server that they are for. Throws `vault.header_refused`, which names headers and no value. */
export function readClientHeaders(
  headers: IncomingHttpHeaders,
  behind: Behind,
): ReadonlyMap<string, OwnHeaders> {
  const inbound = inboundToken(headers.authorization)
  const own = new Map<string, OwnHeaders>()
  for (const [server, wanted] of aimed(parsed(headers), behind)) {
    if (own.has(server.id)) refuse(`Headers for ${server.group}/${server.name} are given twice`)
    own.set(server.id, checked(wanted, server, { inbound, behind }))
  }
  return own
}

function parsed(headers: IncomingHttpHeaders): JsonObject {
  const given = carriers.map(name => headers[name]).filter(value => value !== undefined)
  const [text = ''] = given
  if (given.length > 1 || typeof text !== 'string') return refuse(`Both ${carriers.join(' and ')} are sent`)
  if (text.length > mostBytes) return refuse(`${carriers[0]} is longer than ${mostBytes} characters`)
  try {
    const value = parseBounded(Buffer.from(text, 'latin1'))
    if (isObject(value) && Object.keys(value).length > 0) return value
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    return refuse(`${carriers[0]} is not one JSON object (${error.code})`)
  }
  return refuse(`${carriers[0]} is not a JSON object of headers`)
}

/** For which server what is. Everything flat is for the only one there is. */
function aimed(value: JsonObject, { servers, isComposed }: Behind): [Upstream, JsonObject][] {
  const isKeyed = Object.values(value).some(isObject)
  const [only] = servers
  if (!isKeyed) {
    if (!isComposed && only !== undefined) return [[only, value]]
    return refuse(
      `Several servers are behind this address, so the headers must say for which they are: {"group/server": {"name": "value"}}`,
    )
  }
  return Object.entries(value).map(([key, wanted]) => {
    if (!isObject(wanted)) return refuse(`What is given for ${quoted(key)} is no object of headers`)
    const named = servers.filter(({ group, name }) => key === `${group}/${name}` || key === name)
    const [server, other] = named
    if (server === undefined) return refuse(`${quoted(key)} is no server behind this address`)
    if (other !== undefined) return refuse(`${quoted(key)} is more than one server; write group/server`)
    return [server, wanted]
  })
}

type Rules = { readonly inbound: string | undefined; readonly behind: Behind }

function checked(wanted: JsonObject, server: Upstream, { inbound, behind }: Rules): OwnHeaders {
  const place = `${server.group}/${server.name}`
  const { transport, auth } = server
  if (transport.kind === 'stdio') return refuse(`${place} is a process, which takes no headers`)
  const entries = Object.entries(wanted)
  if (entries.length > mostHeaders) return refuse(`There are more than ${mostHeaders} headers for ${place}`)
  const configured = new Set(
    Object.keys(auth.secrets).map(name => name.replace(/^headers\./, '').toLowerCase()),
  )
  const mayAuthenticate = behind.mayAuthenticate && transport.allowClientAuthOverride !== false
  const seen = new Set<string>()
  const pairs: string[] = []
  let isAuthentication = false
  for (const [name, value] of entries) {
    if (typeof value !== 'string') return refuse(`The value of ${quoted(name)} is not a text`)
    const objection = seen.has(name.toLowerCase())
      ? `the header ${name} stands twice`
      : (headerObjection(name, value) ?? clientObjection(name, value, inbound))
    if (objection !== undefined) return refuse(objection)
    const authenticates =
      authenticating.test(name) || isCredentialValue(value) || configured.has(name.toLowerCase())
    if (authenticates && !mayAuthenticate)
      return refuse(`${name} would replace the authentication of ${place}, which clients may not`)
    isAuthentication ||= authenticates
    seen.add(name.toLowerCase())
    pairs.push(name, value)
  }
  return { pairs, names: [...seen], isAuthentication, digest: digestOf(entries) }
}

/** What holds for clients besides the rules for everybody. */
function clientObjection(name: string, value: string, inbound: string | undefined): string | undefined {
  // Servers behind CGI take it for the one with a hyphen.
  if (name.includes('_')) return `the name ${name} has an underscore`
  if (inbound === undefined) return undefined
  const word = value.slice(value.lastIndexOf(' ') + 1)
  const isInbound = [value, Buffer.from(word, 'base64').toString('latin1')].some(text =>
    text.includes(inbound),
  )
  return isInbound ? `the value of ${name} is the token for the gateway, which must not leave it` : undefined
}

/** The token this request came in with, where it is long enough to be one. */
function inboundToken(authorization: string | undefined): string | undefined {
  const token = authorization?.slice(authorization.indexOf(' ') + 1).trim()
  return token !== undefined && token.length >= 8 ? token : undefined
}

// Only to tell sets of headers apart, in this process.
const digestKey = randomBytes(32)

function digestOf(entries: readonly (readonly [string, unknown])[]): string {
  const sorted = entries.map(([name, value]) => [name.toLowerCase(), value]).sort()
  return createHmac('sha256', digestKey).update(JSON.stringify(sorted)).digest('base64url')
}

const quoted = (text: string) => JSON.stringify(text.slice(0, 128))

function refuse(objection: string): never {
  return fail('vault.header_refused', {
    why: `${objection.charAt(0).toUpperCase()}${objection.slice(1)}.`,
    fix: 'Correct what "why" names, or leave the header out: then the gateway authenticates as it is configured.',
  })
}

/** Theirs alone go up: they authenticate. */
export function alone({ pairs }: OwnHeaders): Credentials {
  return { headers: pairs, environment: () => ({}) }
}

/** Theirs go up beside what is configured, which may be renewed meanwhile. */
export function beside({ pairs }: OwnHeaders, configured: Credentials): Credentials {
  return {
    get headers() {
      return [...configured.headers, ...pairs]
    },
    environment: () => configured.environment(),
    get sign() {
      return configured.sign
    },
    get renew() {
      return configured.renew
    },
  }
}
