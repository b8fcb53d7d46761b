/** From an Authorization header to a principal or a rejection, and to nothing else. */
import { hash } from 'node:crypto'
import type { Clock } from '../foundation/clock.ts'
import type { Log } from '../foundation/log.ts'
import type { Presented } from '../foundation/presented.ts'
import { Secret } from '../foundation/secret.ts'
import type { Proofs, Shown } from './dpop/open.ts'
import type { Ground } from './oauth/ground.ts'
import type { Principal, Rejection } from './principal.ts'

/** What is known of a good token. */
export type Known = {
  readonly principal: Principal
  /** Milliseconds since 1970. */
  readonly expiresAt: number
  /** Is it a token for this resource (`api`, or the path of an MCP endpoint)? Absent where it is good for all. */
  admits?(resource: string): boolean
  /** Notes that it was used; must be cheap. */
  used?(): void
  /** Looks at it again: is it still good? */
  again(): Promise<Known | Rejection>
  /** The thumbprint of the key whose holder alone may use it; absent for what anybody may who has it. */
  readonly boundTo?: string
  /** What hangs on it: a token that is given in exchange ends with that. */
  readonly ground?: Ground
  /** Who acts for the principal already (RFC 8693, 4.1). */
  readonly act?: unknown
  /** For a token of an identity provider: what it says of itself. The token itself is with the request that brings it alone. */
  readonly presents?: Omit<Presented, 'token'>
}

export type Outcome = Principal | Rejection

/** One kind of token: tells its own by their form, and knows whom they stand for. */
export type Verifier = {
  /** Does it have the form of one of these? No look anywhere. */
  takes(token: string): boolean
  /** `key` is that of whoever proved to have one. Refuses a token that is bound to another, or to none. */
  verify(token: string, key: string | undefined): Promise<Known | Rejection>
}

/** The refusal of a token that is bound to this key for somebody who proved to have that one; undefined where it is theirs. */
export function otherKey(bound: string | undefined, proven: string | undefined): Rejection | undefined {
  if (bound === proven) return undefined
  if (bound === undefined)
    return { rejected: 'identity.bad_token', why: 'The token is bound to no key: send it as Bearer.' }
  const why =
    proven === undefined
      ? 'The token is bound to a key: send it as Authorization: DPoP, with a proof.'
      : 'The token is bound to another key than the one of the proof.'
  return { rejected: 'identity.bad_proof', why }
}

/** The resource that the management API is; MCP endpoints are named by their path. */
export const apiResource = 'api'

type Parts = {
  /** No two of them take the same token. */
  readonly verifiers: readonly Verifier[]
  readonly proofs: Proofs
  readonly clock: Clock
  readonly log: Log
}

const mostRemembered = 10_000
const loadMilliseconds = 5000
const bearer = /^bearer +(?:bearer +)?(\S+) *$/i
const dpop = /^dpop +(\S+) *$/i

const noToken: Rejection = { rejected: 'identity.no_token', why: 'The request has no Authorization header.' }
const noBearer: Rejection = {
  rejected: 'identity.no_token',
  why: 'Authorization does not say Bearer <token>.',
}
const several: Rejection = {
  rejected: 'identity.bad_token',
  why: 'Authorization lists more than one credential.',
}
const malformed: Rejection = {
  rejected: 'identity.bad_token',
  why: 'It is not a token of this gateway, or was not copied whole.',
}
const elsewhere: Rejection = {
  rejected: 'identity.bad_token',
  why: 'The token is for another resource than this one.',
}
const replayed: Rejection = { rejected: 'identity.bad_proof', why: 'The proof was used before.' }
const expired: Rejection = { rejected: 'identity.bad_token', why: 'The token has expired.' }
const unavailable: Rejection = {
  rejected: 'identity.unavailable',
  why: 'The store of tokens does not answer.',
}

export class Identifier {
  readonly #parts: Parts
  /** Good tokens by the digest of the header that brought them: memory never holds a token longer than its request. */
  #remembered = new Map<string, Known>()
  /** The same for tokens that are bound to a key: nobody gets in by these without a proof. */
  #bound = new Map<string, Known>()
  #loading = new Map<string, Promise<Known | Rejection>>()
  /** What stands behind a principal, for looking again. */
  readonly #behind = new WeakMap<Principal, Known>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Synchronous for remembered tokens. Never throws and never rejects its promise. */
  identify(authorization: string | undefined, resource: string, shown?: Shown): Outcome | Promise<Outcome> {
    try {
      return this.#identify(authorization, resource, shown)
    } catch (error) {
      return this.#unavailable(error)
    }
  }

  /** Looks again at a principal of before. Never rejects its promise. */
  async recheck(principal: Principal, resource?: string): Promise<Outcome> {
    if (principal.kind === 'operator') return principal
    try {
      const before = this.#behind.get(principal)
      const known = before === undefined ? malformed : await inTime(before.again())
      if ('rejected' in known) return known
      // It may be asked for again, as whoever it is now.
      this.#behind.set(known.principal, known)
      return this.#admit(known, resource)
    } catch (error) {
      return this.#unavailable(error)
    }
  }

  /** The token of an identity provider by which somebody came in, for as long as their request; undefined for every other. */
  presented(principal: Principal, authorization: string | undefined): Presented | undefined {
    const presents = this.#behind.get(principal)?.presents
    const token = presents && bearer.exec(authorization ?? '')?.[1]
    return presents === undefined || token === undefined
      ? undefined
      : Object.freeze({ ...presents, token: new Secret(token) })
  }

  /** Forgets every token, so that the next use of each is looked at anew. */
  forget(): void {
    this.#remembered = new Map()
    this.#bound = new Map()
    this.#loading = new Map()
  }

  /** What is known of a token by itself, wherever it could be used. */
  async known(token: string, key: string | undefined): Promise<Known | Rejection> {
    const verifier = this.#parts.verifiers.find(one => one.takes(token))
    if (verifier === undefined) return malformed
    const known = await inTime(verifier.verify(token, key)).catch(error => this.#unavailable(error))
    if ('rejected' in known) return known
    return known.expiresAt <= this.#parts.clock.now() ? expired : known
  }

  #identify(
    authorization: string | undefined,
    resource: string,
    shown: Shown | undefined,
  ): Outcome | Promise<Outcome> {
    if (authorization === undefined || authorization === '') return noToken
    const digest = hash('sha256', authorization, 'base64')
    const known = this.#remembered.get(digest)
    if (known !== undefined) return this.#admit(known, resource)
    if (authorization.includes(',')) return several
    const token = bearer.exec(authorization)?.[1]
    if (token === undefined) {
      const bound = dpop.exec(authorization)?.[1]
      return bound === undefined || shown === undefined ? noBearer : this.#prove(bound, resource, shown)
    }
    const verifier = this.#parts.verifiers.find(one => one.takes(token))
    if (verifier === undefined) return malformed
    return this.#load(verifier, token, digest)
      .then(found => ('rejected' in found ? found : this.#admit(found, resource)))
      .catch(error => this.#unavailable(error))
  }

  /** First the proof, then the token: without it nothing is done for a token. Never rejects its promise. */
  async #prove(token: string, resource: string, shown: Shown): Promise<Outcome> {
    try {
      const verifier = this.#parts.verifiers.find(one => one.takes(token))
      if (verifier === undefined) return malformed
      const proven = await this.#parts.proofs.check(token, shown)
      if ('rejected' in proven) return proven
      const digest = hash('sha256', `${proven.key} ${token}`, 'base64')
      const remembered = this.#bound
      const known = remembered.get(digest) ?? (await inTime(verifier.verify(token, proven.key)))
      if ('rejected' in known) return known
      this.#behind.set(known.principal, known)
      remember(remembered, digest, known)
      return (await proven.isFirstUse()) ? this.#admit(known, resource) : replayed
    } catch (error) {
      return this.#unavailable(error)
    }
  }

  #admit(known: Known, resource?: string): Outcome {
    if (known.expiresAt <= this.#parts.clock.now()) return expired
    if (resource !== undefined && known.admits?.(resource) === false) return elsewhere
    known.used?.()
    return known.principal
  }

  /** One look for a token, however many requests bring it at the same time. Never rejects its promise. */
  #load(verifier: Verifier, token: string, digest: string): Promise<Known | Rejection> {
    const loading = this.#loading
    const running = loading.get(digest)
    if (running !== undefined) return running
    const known = this.#ask(verifier, token, digest)
      .catch(error => this.#unavailable(error))
      .finally(() => loading.delete(digest))
    loading.set(digest, known)
    return known
  }

  async #ask(verifier: Verifier, token: string, digest: string): Promise<Known | Rejection> {
    // The map as it is now: one that was replaced meanwhile must not get what was read before the change.
    const remembered = this.#remembered
    const known = await inTime(verifier.verify(token, undefined))
    if ('rejected' in known) return known
    this.#behind.set(known.principal, known)
    if (known.expiresAt > this.#parts.clock.now()) remember(remembered, digest, known)
    return known
  }

  #unavailable(error: unknown): Rejection {
    this.#parts.log.error({ err: error }, 'A token could not be checked.')
    return unavailable
  }
}

function remember(remembered: Map<string, Known>, digest: string, known: Known): void {
  if (remembered.size >= mostRemembered) {
    const [oldest] = remembered.keys()
    if (oldest !== undefined) remembered.delete(oldest)
  }
  remembered.set(digest, known)
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error('The store of tokens took too long.')), loadMilliseconds)
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
