import type { Kind } from '../../foundation/family.ts'
import type { SealedValue, StoredAuth } from '../../upstreams/index.ts'

/** Turns the text a person wrote for one named value into what is stored. */
export type SealOne = (name: string, text: string) => SealedValue
/** The other way. */
export type OpenOne = (name: string, value: SealedValue) => string

/** One way the gateway authenticates to an upstream. */
export type AuthType<Config = unknown> = Kind<StoredAuth['kind'], Config> & {
  seal(config: Config, sealOne: SealOne): StoredAuth
  /** The headers every request carries. */
  headers(stored: StoredAuth, openOne: OpenOne): Readonly<Record<string, string>>
}
