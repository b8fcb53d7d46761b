/** Where the keys of the vault come from. */
import type { Kind } from '../../../foundation/family.ts'
import type { MasterKey } from '../../../foundation/master-key.ts'

/** Wraps the vault's keys with a key of its own, which it never gives out. */
export type KeyWrapper = {
  /** Which key this is, for people; no secret. */
  readonly named: string
  /** `about` says what is wrapped, and must be the same to unwrap it. Throws `vault.key_unreachable` and `vault.key_refused`. */
  wrap(key: Buffer, about: string): Promise<string>
  unwrap(wrapped: string, about: string): Promise<Buffer>
}

export type Means = {
  readonly masterKey: MasterKey
  /** Of this process. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Under the egress rule. */
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
  /** Loads a package that need not be installed. Throws `config.invalid` where it is not. */
  load(packageName: string): Promise<unknown>
}

export type KeyProvider<Config = unknown> = Kind<string, Config> & {
  /** Whether the key is on this machine, so that it cannot get out of reach while the gateway runs. */
  readonly isLocal: boolean
  /** Throws `config.invalid` for a key that is not there or not fit. */
  open(config: Config, means: Means): KeyWrapper
}
