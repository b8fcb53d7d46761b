import { z } from 'zod'
import type { Kind } from '../../foundation/family.ts'
import type { JsonObject } from '../../foundation/json.ts'
import type { Secret } from '../../foundation/secret.ts'
import type { GivenKind } from '../../identity/index.ts'
import type { Asker, Sign, Transport } from '../../upstreams/index.ts'
import type { Content } from '../credentials/credential.ts'
import type { OAuthSettings } from '../oauth/settings.ts'
import type { Tokens } from '../oauth/token-request.ts'
import type { Counter, Counters } from '../on-behalf/counters.ts'

/** What people write about authenticating to one server, taken apart. */
export type Written = {
  /** What is no secret. */
  readonly settings: JsonObject
  /** The texts that are, or may be: with references as people write them, or opened. */
  readonly secrets: Readonly<Record<string, string>>
}

export type Texts = Readonly<Record<string, string>>

/** Something that people are asked for. */
export type Field = {
  readonly name: string
  readonly title: string
  readonly description: string | undefined
}

/** Credentials that are kept apart from the server, each for its owner. */
export type Stored = {
  /** Whose credential this caller uses, the best first. */
  owners(asker: Asker): readonly string[]
  /** What of it goes into every request. Throws `vault.header_refused`. */
  headers(content: Content): Texts
  /** What signs every request by itself. */
  sign?(content: Content): Sign
  /** What of it a process gets, besides the variables of its transport. */
  environment?(content: Content): Texts
  /**
   * How it is got: a person connects it with a browser, the gateway gets it by itself, or with what a person's sign-in at their
   * identity provider left; or it comes with each call.
   */
  readonly by: 'person' | 'gateway' | 'sign-in' | 'call'
  /** Where its tokens come from; without it, it is values that people give. */
  readonly oauth?: OAuthSettings
  /** The values that people give; those of teams are given by whoever manages the group. */
  readonly fields?: readonly Field[]
  readonly isOfTeams?: boolean
  /** What the gateway asks for tokens with, by itself. */
  readonly grant?: Texts
  /** How it is got with the caller's own token of an identity provider. */
  readonly onBehalf?: OnBehalf
  readonly passes?: PassThrough
}

/** What a caller's identity provider gave for them, and what becomes of it. */
export type OnBehalf = {
  /** Name of the identity provider. */
  readonly provider: string
  readonly subject: GivenKind
  /** Everything it depends on: what was got by other settings is not used. */
  readonly boundTo: readonly unknown[]
  /** Throws `RefusedGrant` and `vault.provider_trouble`. */
  obtain(subject: Secret, counters: Counters): Promise<{ readonly tokens: Tokens; readonly at: Counter }>
}

export type PassThrough = {
  readonly provider: string
  /** Whom tokens must be for; the URL of the server unless told. */
  readonly audience: string | undefined
}

/** One way the gateway authenticates to an upstream: the same for everybody, or by credentials that are stored. */
export type AuthType<Config = unknown> = Kind<string, Config> & {
  readonly over: readonly Transport['kind'][]
  /** Every caller has a process of their own. */
  readonly needsOwnProcess?: true
  /** It shows others what an identity provider gave for people: for admins to decide. */
  readonly isForAdmins?: true
  apart(config: Config): Written
  /** The other way, for manifests. */
  together(written: Written): unknown
  /** The headers every request carries, whoever asks. Throws `vault.header_refused` for what no request may carry. */
  headers?(opened: Written): Texts
  /** What signs every request by itself, whoever asks. */
  sign?(opened: Written): Sign
  /** Undefined where it is the same for everybody. */
  stored?(opened: Written): Stored | undefined
}

/** Everything but processes, which are given their secrets in their environment. */
export const overHttp = ['streamable-http', 'sse'] as const

export function bearer({ access }: Content): Texts {
  return access === undefined ? {} : { Authorization: `Bearer ${access}` }
}

export const identityProviderSchema = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/)
  .describe('The identity provider whose tokens are used, by its name. Those of no other are.')

/** People alone: nobody signs in for a virtual account. */
export function peopleOnly({ kind, id }: Asker): readonly string[] {
  return kind === 'user' ? [id] : []
}

export const whoseSchema = z
  .enum(['shared', 'per-user', 'per-team'])
  .describe(
    'Whose values: the same for everybody (unless told), those of each user or virtual account, or those of their team.',
  )

/** Ids of those whose values a caller uses. Of several teams, the first by name that has some. */
export function ownersBy(whose: z.infer<typeof whoseSchema>, asker: Asker): readonly string[] {
  if (whose === 'per-team') return asker.subjects.filter(subject => subject.startsWith('team:')).toSorted()
  return asker.kind === 'user' || asker.kind === 'account' ? [asker.id] : []
}
