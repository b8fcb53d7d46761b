import type { z } from 'zod'
import type { SealedValues, StoredAuth, Transport } from './upstream.ts'

/** Where sealed values will stand, and what their references mean. */
export type SealPlace = {
  readonly group: string
  readonly server: string
  readonly serverId: string
  /** Values of references by `env:NAME` or `file:/path`, as the one who asks resolved them. */
  readonly secrets: Readonly<Record<string, string>>
}

/** What it authenticates over: not every kind goes with every transport. */
export type AuthPlace = {
  readonly transport: Transport['kind']
  /** Every caller has a process of their own. */
  readonly isOwnProcess?: boolean
}

/**
 * What the register needs of the vault, which stands to its right and is handed to it. A value that did not change keeps
 * its previous seal, so that comparing what is stored tells whether anything changed.
 */
export type Sealing = {
  /** How people write an auth kind. */
  readonly authSchema: z.ZodType
  /** Throws `vault.secret_missing`, `vault.header_refused`, or `http.bad_request` for what `authSchema` does not know. */
  sealAuth(auth: unknown, place: SealPlace & AuthPlace, previous?: StoredAuth): StoredAuth
  /** As people would write it: references, placeholders and plain texts, never a secret. */
  showAuth(stored: StoredAuth): unknown
  /** Does it show others what an identity provider gave for people? Then it is for admins to decide. */
  isForAdmins(kind: string): boolean
  /** The addresses that its settings name, to which the gateway makes requests of its own. */
  leadsTo(auth: StoredAuth): readonly string[]
  /** Throws `vault.secret_missing`. */
  sealEnvironment(
    environment: Readonly<Record<string, string>>,
    place: SealPlace,
    previous?: SealedValues,
  ): SealedValues
}
