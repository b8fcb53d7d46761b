/** What shows that a row of the table of keys was written by a gateway with this master key. */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { fail } from '../../foundation/errors.ts'
import type { MasterKey } from '../../foundation/master-key.ts'
import type { KeyRow } from './keys-table.ts'

type Unproved = Omit<KeyRow, 'proof'>

export type Prove = {
  /** The row with its proof. */
  proved(row: Unproved): KeyRow
  /** Throws `vault.key_wrong` for a row that something else wrote. */
  check(row: KeyRow): void
}

export function openProve(masterKey: MasterKey): Prove {
  const key = masterKey.derive('vault key rows')
  const proofOf = ({ id, provider, wrapped, state, created_at, retired_at }: Unproved) =>
    createHmac('sha256', key)
      .update(JSON.stringify([id, provider, wrapped, state, created_at, retired_at]))
      .digest('base64url')
  return {
    proved: row => ({ ...row, proof: proofOf(row) }),
    check(row) {
      const [expected, found] = [Buffer.from(proofOf(row)), Buffer.from(row.proof)]
      if (expected.length === found.length && timingSafeEqual(expected, found)) return
      fail('vault.key_wrong', {
        why: `The row of the key ${row.id} in the table vault_keys was not written by this gateway.`,
        fix: 'Restore the table from a backup.',
      })
    },
  }
}
