/** Opens everything that is sealed, and forgets it at once. */
import { setImmediate as turn } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import type { Tables } from '../../database/index.ts'
import { GatewayError } from '../../foundation/errors.ts'
import type { SealedColumn } from '../../foundation/sealed-column.ts'
import { kekIdOf, type Sealer } from '../seal.ts'
import type { KeyRow } from './keys-table.ts'
import { straysOf } from './rotation.ts'
import { sealsOf, type Unopened, unopened, walk } from './walk.ts'

const batchRows = 200
const mostShown = 100

export type Verified = {
  /** How many values opened, by the id of their key. */
  readonly opened: Readonly<Record<string, number>>
  readonly unopenedCount: number
  /** The first of them. */
  readonly unopened: readonly Unopened[]
  /** Columns that hold seals and should not. */
  readonly strays: readonly string[]
}

type Parts = {
  readonly kysely: Kysely<Tables>
  readonly seals: Sealer
  readonly columns: readonly SealedColumn[]
  readonly rows: readonly KeyRow[]
}

/** Throws `vault.locked`. */
export async function verifyValues({ kysely, seals, columns, rows: keys }: Parts): Promise<Verified> {
  const opened: Record<string, number> = {}
  const failed: Unopened[] = []
  let unopenedCount = 0
  const miss = (each: Unopened) => {
    unopenedCount++
    if (failed.length < mostShown) failed.push(each)
  }
  await walk({
    kysely,
    columns,
    rows: batchRows,
    async step(column, rows) {
      for (const row of rows) {
        const found = sealsOf(column, row)
        if ('where' in found) miss(found)
        else
          for (const { sealed, context } of found) {
            try {
              seals.open(sealed, context)
              const id = kekIdOf(sealed) ?? ''
              opened[id] = (opened[id] ?? 0) + 1
            } catch (error) {
              if (error instanceof GatewayError && error.code === 'vault.locked') throw error
              miss(unopened(column, row.row, error))
            }
          }
      }
      await turn()
      return true
    },
  })
  return { opened, unopenedCount, unopened: failed, strays: await straysOf(kysely, keys, columns) }
}
