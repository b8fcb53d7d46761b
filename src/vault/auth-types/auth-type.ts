import type { Kind } from '../../foundation/family.ts'
import type { JsonObject } from '../../foundation/json.ts'
import type { Asker, Transport } from '../../upstreams/index.ts'
import type { Content } from '../credentials/credential.ts'
import type { OAuthSettings } from '../oauth/settings.ts'

/** What people write about authenticating to one server, taken apart. */
export type Written = {
  /** What is no secret. */
  readonly settings: JsonObject
  /** The texts that are, or may be: with references as people write them, or opened. */
  readonly secrets: Readonly<Record<string, string>>
}

export type HeaderValues = Readonly<Record<string, string>>

/** Credentials that are kept apart from the server, each for its owner. */
export type Stored = {
  /** Whose credential this caller uses, the best first. */
  owners(opened: Written, asker: Asker): readonly string[]
  /** What of it goes into every request. Throws `vault.header_refused`. */
  headers(opened: Written, content: Content): HeaderValues
  /** How it is got: a person connects it with a browser, or the gateway gets it by itself. */
  readonly by: 'person' | 'gateway'
  /** Where its tokens come from; without it, it is values that people give. */
  oauth?(opened: Written): OAuthSettings
  /** What the gateway asks for tokens with, by itself. */
  readonly grant?: Readonly<Record<string, string>>
}

/** One way the gateway authenticates to an upstream: the same for everybody, or by credentials that are stored. */
export type AuthType<Config = unknown> = Kind<string, Config> & {
  readonly over: readonly Transport['kind'][]
  apart(config: Config): Written
  /** The other way, for manifests. */
  together(written: Written): unknown
  /** The headers every request carries, whoever asks. Throws `vault.header_refused` for what no request may carry. */
  headers?(opened: Written): HeaderValues
  readonly stored?: Stored
}

/** Everything but processes, which are given their secrets in their environment. */
export const overHttp = ['streamable-http', 'sse'] as const

export function bearer(_: Written, { access }: Content): HeaderValues {
  return access === undefined ? {} : { Authorization: `Bearer ${access}` }
}
