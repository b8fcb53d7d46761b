/** Who ids of users and virtual accounts stand for, for rooms that keep things of theirs. */
import { holderRows } from './holders-table.ts'
import type { From } from './table.ts'

export type Holder = {
  /** `user:<email>` or `account:<name>`. */
  readonly subject: string
  /** Neither they nor, of an account, its owner is disabled. */
  readonly isActive: boolean
  /** The user who answers for a virtual account. */
  readonly ownerId: string | null
}

/** By id; who is not in it is not there any more. */
export async function holders(from: From, ids: readonly string[]): Promise<ReadonlyMap<string, Holder>> {
  const { users, accounts } = await holderRows(from, ids)
  return new Map<string, Holder>([
    ...users.map(({ id, email, disabled_at }) => {
      return [id, { subject: `user:${email}`, isActive: disabled_at === null, ownerId: null }] as const
    }),
    ...accounts.map(({ id, name, disabled_at, owner_disabled_at, owner_id }) => {
      const isActive = disabled_at === null && owner_disabled_at === null
      return [id, { subject: `account:${name}`, isActive, ownerId: owner_id }] as const
    }),
  ])
}
