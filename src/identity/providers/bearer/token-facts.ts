/** What a JWT says of itself, before anybody has checked it. */
import { GatewayError } from '../../../foundation/errors.ts'
import { isObject, type JsonObject, parseBounded } from '../../../foundation/json.ts'

/** All of a token that its checks look at, besides its signature and times. */
export type TokenFacts = {
  readonly issuer: string
  readonly alg: string
  readonly typ: string | undefined
  readonly audiences: readonly string[]
  /** Why it is some other kind of token than one for access; undefined where nothing says so. */
  readonly otherKind: string | undefined
  /** The thumbprint of the key it is bound to (RFC 9449, 6.1). */
  readonly boundTo: string | undefined
  /** Words and numbers, so that it can stand in the audit; undefined where there is none that can. */
  readonly jti: string | undefined
  readonly payload: JsonObject
}

const longestToken = 16_384
const longestHeader = 2048
const longestKid = 256
const mostAudiences = 20
const shape = /^(eyJ[\w-]*)\.(eyJ[\w-]*)\.[\w-]*$/

/** Does it look like a JWT? */
export function isJwt(token: string): boolean {
  return token.length <= longestToken && shape.test(token)
}

/** Or why it is not read. Nothing of the token stands in that. */
export function readToken(token: string): TokenFacts | string {
  const [, first = '', second = ''] = shape.exec(token) ?? []
  const header = first.length > longestHeader ? undefined : objectIn(first)
  const payload = objectIn(second)
  if (header === undefined || payload === undefined) return 'The token is not a well-formed JWT.'
  const { alg, typ, kid, crit } = header
  if (typeof alg !== 'string') return 'The token does not name its algorithm.'
  if (crit !== undefined) return 'The token has critical extensions, of which the gateway knows none.'
  if (typ !== undefined && typeof typ !== 'string') return 'The type of the token is no text.'
  if (kid !== undefined && !(typeof kid === 'string' && isKid(kid)))
    return 'The token names its key in no usable way.'
  const { iss } = payload
  if (typeof iss !== 'string' || iss === '') return 'The token names no issuer.'
  const audiences = audiencesOf(payload)
  if (audiences === undefined) return 'The token does not say whom it is for.'
  return {
    issuer: iss,
    alg,
    typ: typ?.toLowerCase().replace(/^application\//, ''),
    audiences,
    otherKind: otherKindOf(payload),
    boundTo: boundTo(payload),
    jti: jtiOf(payload),
    payload,
  }
}

function objectIn(segment: string): JsonObject | undefined {
  try {
    const value = parseBounded(Buffer.from(segment, 'base64url'))
    return isObject(value) ? value : undefined
  } catch (error) {
    if (error instanceof GatewayError) return undefined
    throw error
  }
}

function isKid(kid: string): boolean {
  return kid.length <= longestKid && /^[\x20-\x7e]*$/.test(kid)
}

function audiencesOf({ aud }: JsonObject): string[] | undefined {
  const all: unknown[] = Array.isArray(aud) ? aud : [aud]
  const isFew = all.length > 0 && all.length <= mostAudiences
  return isFew && all.every(one => typeof one === 'string' && one !== '') ? all.map(String) : undefined
}

/** By `typ` alone many products cannot be told: ID tokens have a nonce or hashes, logout tokens events, others say it in a claim. */
function otherKindOf(payload: JsonObject): string | undefined {
  const says = [payload.typ, payload.token_use, payload.token_type].map(said => String(said).toLowerCase())
  if (payload.events !== undefined || says.includes('logout')) return 'a logout token'
  const isId = ['nonce', 'at_hash', 'c_hash', 's_hash'].some(name => payload[name] !== undefined)
  if (isId || says.includes('id')) return 'an ID token'
  if (says.includes('refresh') || says.includes('offline')) return 'a refresh token'
  return payload.cnf === undefined || boundTo(payload) !== undefined
    ? undefined
    : 'a token bound to something that the gateway cannot check'
}

/** Bound to the key of this thumbprint, and to nothing else. */
function boundTo({ cnf }: JsonObject): string | undefined {
  const { jkt, ...more } = isObject(cnf) ? cnf : {}
  return typeof jkt === 'string' && /^[\w-]{43}$/.test(jkt) && Object.keys(more).length === 0
    ? jkt
    : undefined
}

function jtiOf({ jti, uti }: JsonObject): string | undefined {
  const said = typeof jti === 'string' ? jti : uti
  return typeof said === 'string' && /^[\w.:~-]{1,64}$/.test(said) ? said : undefined
}
