import type { Secret } from './secret.ts'

/** The very token of an identity provider that somebody came with. It was checked, and is nowhere but with their request. */
export type Presented = {
  readonly token: Secret
  readonly issuer: string
  readonly audiences: readonly string[]
  /** Milliseconds since 1970. */
  readonly issuedAt: number
  readonly expiresAt: number
}
