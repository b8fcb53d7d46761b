/** The public keys of one provider, kept so that neither its outage nor a flood of invented key ids does harm. */
import { createLocalJWKSet, errors, type JWTVerifyGetKey } from 'jose'
import type { Clock } from '../../../foundation/clock.ts'
import type { Log } from '../../../foundation/log.ts'
import type { IdentityProvider } from '../provider.ts'
import { ProviderTrouble, readJson, readMetadata } from './metadata.ts'
import { usableKeys } from './usable-keys.ts'

/** Between two looks at the keys, whatever tokens come. */
const pauseMilliseconds = 30_000
/** The same while there are no keys at all, so that nobody waits long for a provider that has come back. */
const firstPauseMilliseconds = 5_000
/** Older keys are read again, while they go on to be used. */
const freshMilliseconds = 600_000
/** Keys that could not be read again are used this long. */
const staleMilliseconds = 86_400_000

type Held = { readonly ids: ReadonlySet<string>; readonly find: JWTVerifyGetKey; readonly readAt: number }

export type RingParts = {
  readonly clock: Clock
  readonly log: Log
  /** A key is gone: what it signed may not be trusted any more. */
  gone(): void
}

export class KeyRing {
  readonly #provider: IdentityProvider
  readonly #parts: RingParts
  #held: Held | undefined
  #triedAt: number | undefined
  #reading: Promise<void> | undefined

  constructor(provider: IdentityProvider, parts: RingParts) {
    this.#provider = provider
    this.#parts = parts
  }

  /** The key for a header. Throws errors of jose; `ProviderTrouble` while there are no keys at all. */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    const now = this.#parts.clock.elapsed()
    const held = this.#usable(now)
    if (held === undefined) {
      await this.#read()
      const first = this.#usable(now)
      if (first === undefined) throw new ProviderTrouble(`The keys of ${this.#provider.name} cannot be read.`)
      return first.find(header, token)
    }
    if (now - held.readAt > freshMilliseconds) void this.#read()
    try {
      return await held.find(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
      await this.#read()
      return (this.#usable(now) ?? held).find(header, token)
    }
  }

  #usable(now: number): Held | undefined {
    const held = this.#held
    return held !== undefined && now - held.readAt <= staleMilliseconds ? held : undefined
  }

  /** Never rejects. One reading at a time, and none soon after another. */
  #read(): Promise<void> {
    if (this.#reading !== undefined) return this.#reading
    const now = this.#parts.clock.elapsed()
    const pause = this.#held === undefined ? firstPauseMilliseconds : pauseMilliseconds
    if (this.#triedAt !== undefined && now - this.#triedAt < pause) return Promise.resolve()
    this.#triedAt = now
    this.#reading = this.#readNow()
      .catch((error: unknown) => {
        this.#parts.log.warn(
          { err: error, provider: this.#provider.name },
          'Keys of a provider cannot be read.',
        )
      })
      .finally(() => {
        this.#reading = undefined
      })
    return this.#reading
  }

  async #readNow(): Promise<void> {
    const set = usableKeys(await readJson(await keysUrl(this.#provider), this.#provider))
    const ids = new Set(set.keys.map(({ kid, n, x }) => `${kid} ${n ?? x}`))
    const before = this.#held
    this.#held = { ids, find: createLocalJWKSet(set), readAt: this.#parts.clock.elapsed() }
    if (before !== undefined && [...before.ids].some(id => !ids.has(id))) this.#parts.gone()
  }
}

/** Where its keys are: by hand, or as its metadata say. Throws `ProviderTrouble`. */
export async function keysUrl(provider: IdentityProvider): Promise<string> {
  const { jwksUri = (await readMetadata(provider)).jwks_uri } = provider.endpoints
  if (typeof jwksUri !== 'string' || !URL.canParse(jwksUri))
    throw new ProviderTrouble('Its metadata name no jwks_uri.')
  return jwksUri
}
