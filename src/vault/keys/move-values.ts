/** Wraps the keys of values anew: the values stay as they are, and readable all the time. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import type { Tables } from '../../database/index.ts'
import { GatewayError } from '../../foundation/errors.ts'
import type { SealedColumn } from '../../foundation/sealed-column.ts'
import { kekIdOf, type Sealer, sealPrefix } from '../seal.ts'
import { replaceText, type SealedRow } from './sealed-values-table.ts'
import { sealsOf, type Unopened, unopened, walk } from './walk.ts'

const batchRows = 50
/** Between batches, so that whoever else writes gets between. */
const pauseMilliseconds = 2

export type Moving = {
  readonly kysely: Kysely<Tables>
  readonly seals: Sealer
  readonly columns: readonly SealedColumn[]
  /** The key that they are to leave. */
  readonly kekId: string
  isStopped(): boolean
  moved(values: number): void
}

/** Those that could not be moved. Throws `vault.locked`. */
export async function moveValues(moving: Moving): Promise<Unopened[]> {
  const left: Unopened[] = []
  const prefix = sealPrefix(moving.kekId)
  await walk({
    ...moving,
    prefix,
    rows: batchRows,
    async step(column, rows) {
      await moving.kysely.transaction().execute(async tx => {
        for (const row of rows) {
          const { text, count } = rewrapped(moving, column, { row, left })
          if (count > 0 && (await replaceText(tx, column, { was: row, text }))) moving.moved(count)
        }
      })
      await sleep(pauseMilliseconds)
      return !moving.isStopped()
    },
  })
  return left
}

function rewrapped(
  { seals, kekId }: Moving,
  column: SealedColumn,
  { row, left }: { row: SealedRow; left: Unopened[] },
): { text: string; count: number } {
  const found = sealsOf(column, row)
  if ('where' in found) {
    left.push(found)
    return { text: row.text, count: 0 }
  }
  let { text } = row
  let count = 0
  for (const { sealed, context } of found) {
    if (kekIdOf(sealed) !== kekId) continue
    try {
      text = text.replaceAll(sealed, seals.rewrap(sealed, context))
      count++
    } catch (error) {
      if (error instanceof GatewayError && error.code === 'vault.locked') throw error
      left.push(unopened(column, row.row, error))
    }
  }
  return { text, count }
}
