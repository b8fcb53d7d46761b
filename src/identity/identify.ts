/** From an Authorization header to a principal or a rejection, and to nothing else. */
import { hash } from 'node:crypto'
import type { Clock } from '../foundation/clock.ts'
import type { Log } from '../foundation/log.ts'
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
}

export type Outcome = Principal | Rejection

/** One kind of token: tells its own by their form, and knows whom they stand for. */
export type Verifier = {
  /** Does it have the form of one of these? No look anywhere. */
  takes(token: string): boolean
  verify(token: string): Promise<Known | Rejection>
}

/** The resource that the management API is; MCP endpoints are named by their path. */
export const apiResource = 'api'

type Parts = {
  /** No two of them take the same token. */
  readonly verifiers: readonly Verifier[]
  readonly clock: Clock
  readonly log: Log
}

const mostRemembered = 10_000
const loadMilliseconds = 5000
const bearer = /^bearer +(?:bearer +)?(\S+) *$/i

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
const expired: Rejection = { rejected: 'identity.bad_token', why: 'The token has expired.' }
const unavailable: Rejection = {
  rejected: 'identity.unavailable',
  why: 'The store of tokens does not answer.',
}

export class Identifier {
  readonly #parts: Parts
  /** Good tokens by the digest of the header that brought them: memory never holds a token longer than its request. */
  #remembered = new Map<string, Known>()
  #loading = new Map<string, Promise<Known | Rejection>>()
  /** What stands behind a principal, for looking again. */
  readonly #behind = new WeakMap<Principal, Known>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Synchronous for remembered tokens. Never throws and never rejects its promise. */
  identify(authorization: string | undefined, resource: string): Outcome | Promise<Outcome> {
    try {
      return this.#identify(authorization, resource)
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

  /** Forgets every token, so that the next use of each is looked at anew. */
  forget(): void {
    this.#remembered = new Map()
    this.#loading = new Map()
  }

  #identify(authorization: string | undefined, resource: string): Outcome | Promise<Outcome> {
    if (authorization === undefined || authorization === '') return noToken
    const digest = hash('sha256', authorization, 'base64')
    const known = this.#remembered.get(digest)
    if (known !== undefined) return this.#admit(known, resource)
    if (authorization.includes(',')) return several
    const token = bearer.exec(authorization)?.[1]
    if (token === undefined) return noBearer
    const verifier = this.#parts.verifiers.find(one => one.takes(token))
    if (verifier === undefined) return malformed
    return this.#load(verifier, token, digest)
      .then(found => ('rejected' in found ? found : this.#admit(found, resource)))
      .catch(error => this.#unavailable(error))
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
    const known = await inTime(verifier.verify(token))
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
