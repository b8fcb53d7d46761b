/** From an Authorization header to a principal or a rejection, and to nothing else. */
import { hash } from 'node:crypto'
import type { Clock } from '../foundation/clock.ts'
import type { Log } from '../foundation/log.ts'
import { isRejection, type Principal, type Rejection } from './principal.ts'
import { tokenKind } from './token-format.ts'

/** What the store knows of a good token. */
export type Known = { readonly principal: Principal; readonly tokenId: string; readonly expiresAt: number }

export type Outcome = Principal | Rejection

type Parts = {
  /** Looks a well-formed token up. */
  load(token: string): Promise<Known | Rejection>
  /** Looks at a token again that was good once. */
  reload(tokenId: string): Promise<Known | Rejection>
  /** Notes that a token was used; must be cheap. */
  used(tokenId: string): void
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
const expired: Rejection = { rejected: 'identity.bad_token', why: 'The token has expired.' }
const unavailable: Rejection = {
  rejected: 'identity.unavailable',
  why: 'The store of tokens does not answer.',
}

export class Identifier {
  readonly #parts: Parts
  /** Good tokens by the digest of the header that brought them: memory never holds a token longer than its request. */
  #remembered = new Map<string, Known>()
  #loading = new Map<string, Promise<Outcome>>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Synchronous for remembered tokens. Never throws and never rejects its promise. */
  identify(authorization: string | undefined): Outcome | Promise<Outcome> {
    try {
      return this.#identify(authorization)
    } catch (error) {
      return this.#unavailable(error)
    }
  }

  /** Asks the store about a principal of before. Never rejects its promise. */
  async recheck(principal: Principal): Promise<Outcome> {
    if (principal.kind === 'operator') return principal
    try {
      const known = await inTime(this.#parts.reload(principal.tokenId ?? ''))
      return 'rejected' in known ? known : this.#admit(known)
    } catch (error) {
      return this.#unavailable(error)
    }
  }

  /** Forgets every token, so that the next use of each asks the store. */
  forget(): void {
    this.#remembered = new Map()
    this.#loading = new Map()
  }

  #identify(authorization: string | undefined): Outcome | Promise<Outcome> {
    if (authorization === undefined || authorization === '') return noToken
    const digest = hash('sha256', authorization, 'base64')
    const known = this.#remembered.get(digest)
    if (known !== undefined) return this.#admit(known)
    if (authorization.includes(',')) return several
    const token = bearer.exec(authorization)?.[1]
    if (token === undefined) return noBearer
    return tokenKind(token) === undefined ? malformed : this.#load(token, digest)
  }

  #admit({ principal, tokenId, expiresAt }: Known): Outcome {
    if (expiresAt <= this.#parts.clock.now()) return expired
    this.#parts.used(tokenId)
    return principal
  }

  /** One look into the store for a token, however many requests bring it at the same time. */
  #load(token: string, digest: string): Promise<Outcome> {
    const loading = this.#loading
    const running = loading.get(digest)
    if (running !== undefined) return running
    const outcome = this.#ask(token, digest)
      .catch(error => this.#unavailable(error))
      .finally(() => loading.delete(digest))
    loading.set(digest, outcome)
    return outcome
  }

  async #ask(token: string, digest: string): Promise<Outcome> {
    // The map as it is now: one that was replaced meanwhile must not get what was read before the change.
    const remembered = this.#remembered
    const known = await inTime(this.#parts.load(token))
    if ('rejected' in known) return known
    const outcome = this.#admit(known)
    if (!isRejection(outcome)) remember(remembered, digest, known)
    return outcome
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
