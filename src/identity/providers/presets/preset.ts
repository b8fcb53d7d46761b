import type { JsonObject } from '../../../foundation/json.ts'
import type { IdentityProvider } from '../provider.ts'

export const algorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const

/** Algorithms whose keys cannot be made of anything that is public. */
export type Algorithm = (typeof algorithms)[number]

/** Which claim says what. */
export type ClaimNames = {
  readonly subject: string
  readonly email: string
  readonly emailVerified: string
  readonly groups: string
}

/** What is known beforehand of one product that people sign in with. */
export type Preset<Name extends string = string> = {
  readonly name: Name
  readonly title: string
  readonly algorithms: readonly Algorithm[]
  readonly claims: ClaimNames
  /** Why this is no issuer of the product, or undefined. */
  objectionTo(issuer: string): string | undefined
  /** Does the claim of this value say that the address was verified? */
  isVerified(value: unknown): boolean
  /** A group as people write it in a mapping. */
  groupName(group: string): string
  /** Were there more groups than fit into the token, so that it does not say which? */
  isOverflowing(claims: JsonObject): boolean
  /** The groups that did not fit, all of them, where there is a way to ask. Throws `ProviderTrouble`. */
  readonly furtherGroups?: (asked: Further) => Promise<readonly string[]>
}

export type Further = {
  readonly provider: IdentityProvider
  readonly claims: JsonObject
  /** Of the gateway as a client of the provider. */
  readonly secret: string
}

/** Plain OpenID Connect, of which every other preset is a variation. */
export const standard = {
  algorithms: ['RS256', 'PS256', 'ES256', 'EdDSA'],
  claims: { subject: 'sub', email: 'email', emailVerified: 'email_verified', groups: 'groups' },
  objectionTo: () => undefined,
  isVerified: value => value === true,
  groupName: group => group,
  isOverflowing: () => false,
} satisfies Omit<Preset, 'name' | 'title'>
