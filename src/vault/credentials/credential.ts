/** What an owner has at a server, without its secrets. */
import { z } from 'zod'

export type Credential = {
  readonly id: string
  readonly serverId: string
  /** Id of a user or virtual account, `team:<name>`, or `everyone`. */
  readonly owner: string
  readonly kind: 'tokens' | 'values'
  readonly issuer: string | null
  readonly resource: string | null
  readonly clientId: string | null
  /** Everywhere it goes, as `boundTo` writes it. */
  readonly boundTo: string
  readonly scopes: readonly string[]
  /** Who the owner is there, as far as it says. */
  readonly account: string | null
  readonly expiresAt: number | null
  readonly isRefreshable: boolean
  readonly trouble: Trouble | null
  readonly version: number
  readonly refreshedAt: number | null
  readonly createdAt: number
  readonly updatedAt: number
}

/** Why its owner has to connect again. */
export const troubles = ['refused', 'rejected', 'client', 'sign-in'] as const
export type Trouble = (typeof troubles)[number]

/** The secrets of one. */
export const contentSchema = z.object({
  access: z.string().optional(),
  refresh: z.string().optional(),
  values: z.record(z.string(), z.string()).optional(),
  /** When they signed in at the identity provider, where it was got with what that left: of no use once that is over. */
  signedInAt: z.number().optional(),
})
export type Content = z.infer<typeof contentSchema>

export const everyone = 'everyone'

/** Where its secrets are sealed for. */
export function placeOf({
  id,
  owner,
  serverId,
}: Pick<Credential, 'id' | 'owner' | 'serverId'>): readonly string[] {
  return ['upstream_credentials', id, 'sealed', owner, serverId, '1']
}
