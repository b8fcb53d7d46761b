import type { Kind } from '../../foundation/family.ts'
import type { JsonObject } from '../../foundation/json.ts'
import type { Transport } from '../../upstreams/index.ts'

/** What people write about authenticating to one server, taken apart. */
export type Written = {
  /** What is no secret. */
  readonly settings: JsonObject
  /** The texts that are, or may be: with references as people write them, or opened. */
  readonly secrets: Readonly<Record<string, string>>
}

/** One way the gateway authenticates to an upstream. */
export type AuthType<Config = unknown> = Kind<string, Config> & {
  readonly over: readonly Transport['kind'][]
  apart(config: Config): Written
  /** The other way, for manifests. */
  together(written: Written): unknown
  /** The headers every request carries, whoever asks. Throws `vault.header_refused` for what no request may carry. */
  headers(opened: Written): Readonly<Record<string, string>>
}

/** Everything but processes, which are given their secrets in their environment. */
export const overHttp = ['streamable-http', 'sse'] as const
