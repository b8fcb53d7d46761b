/** From one key to the next while the gateway serves: announced, made active, everything moved, the old one retired. */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type AuditRecord, changeEvent, ownEvent } from '../../audit/index.ts'
import type { Database } from '../../database/index.ts'
import { asGatewayError, fail } from '../../foundation/errors.ts'
import type { Log } from '../../foundation/log.ts'
import { oneAtATime } from '../../foundation/one-at-a-time.ts'
import type { Caller } from '../../foundation/route.ts'
import type { SealedColumn } from '../../foundation/sealed-column.ts'
import { kekOf, type Sealer, sealPrefix } from '../seal.ts'
import type { ConfiguredKey } from './configured.ts'
import { aboutKey, type HeldKeys } from './hold-keys.ts'
import { type From, type KeyRow, keyRows, putKeyRow } from './keys-table.ts'
import { moveValues } from './move-values.ts'
import type { Prove } from './prove.ts'
import { countSeals, strayColumns } from './sealed-values-table.ts'
import type { Unopened } from './walk.ts'

export type Progress = {
  readonly state: 'running' | 'stuck' | 'done'
  /** Values that were under old keys when it began, or went on. */
  readonly total: number
  readonly moved: number
  /** Those that do not open, the first of them. */
  readonly unopened: readonly Unopened[]
  readonly problem: string | undefined
}

export type RotationParts = {
  readonly database: Database
  readonly audit: AuditRecord
  readonly log: Log
  readonly prove: Prove
  readonly held: HeldKeys
  readonly seals: Sealer
  readonly columns: readonly SealedColumn[]
  /** By which the next key is wrapped. */
  readonly target: ConfiguredKey
  readonly now: () => number
  /** How long every process of the database may take to learn of a new key, and to write what it read before. */
  readonly settleMilliseconds: number
}

export type Rotation = {
  /** Makes a new key; while one is being moved to, goes on with that. Throws what its provider throws. */
  begin(by: { caller: Caller; requestId: string }): Promise<void>
  /** Goes on with what was begun in another process, or before this one. */
  resume(): void
  /** Of the one since this process started, or undefined. */
  progress(): Progress | undefined
  stop(): Promise<void>
}

const againMilliseconds = 3000
const mostShown = 100
const mostPasses = 5

export const isUnfinished = (rows: readonly KeyRow[]) =>
  rows.some(({ state }) => state === 'coming' || state === 'old')

export function openRotation(parts: RotationParts): Rotation {
  const { database, held, log } = parts
  let progress: Progress | undefined
  const ended = new AbortController()
  // Whoever waited looks at whether it is over.
  const pause = (milliseconds: number) =>
    sleep(milliseconds, undefined, { signal: ended.signal }).catch(() => undefined)
  const isStopped = () => ended.signal.aborted
  let timer: NodeJS.Timeout | undefined
  const say = (more: Partial<Progress>) => {
    const before = progress ?? { state: 'running', total: 0, moved: 0, unopened: [], problem: undefined }
    progress = { ...before, ...more }
  }
  const work = oneAtATime(async () => {
    if (isStopped() || !isUnfinished(held.rows())) return
    say({ state: 'running', problem: undefined })
    try {
      const course = { say, progress: () => progress, isStopped, pause }
      await activate(parts, course)
      const unopened = await moveAll(parts, course)
      if (isStopped()) return
      const why = unopened.length > 0 ? 'Some values do not open.' : await retire(parts)
      say({
        state: why === undefined ? 'done' : 'stuck',
        problem: why,
        unopened: unopened.slice(0, mostShown),
      })
    } catch (error) {
      say({ state: 'stuck', problem: asGatewayError(error).why })
      log.warn({ err: error }, 'moving secrets to another key is interrupted')
      if (!isStopped()) timer = setTimeout(() => void work(), againMilliseconds).unref()
    }
  })
  return {
    async begin(by) {
      if (!isUnfinished(await keyRows(database.kysely))) {
        progress = undefined
        await announce(parts, by)
      }
      await held.read()
      say({ state: 'running', problem: undefined })
      void work()
    },
    resume: () => void work(),
    progress: () => progress,
    async stop() {
      ended.abort()
      clearTimeout(timer)
      await work()
    },
  }
}

async function announce(parts: RotationParts, by: { caller: Caller; requestId: string }): Promise<void> {
  const { database, audit, prove, now } = parts
  const row = await newKey(parts)
  await database.change(async tx => {
    if (isUnfinished(await keyRows(tx))) return
    await putKeyRow(tx, prove.proved({ ...row, state: 'coming', created_at: now(), retired_at: null }))
    const detail = { id: row.id, provider: row.provider }
    await audit.recorded(
      changeEvent(by.caller, by.requestId, { action: 'vault.rotate_keys', target: null, detail }),
    )
  })
}

/** A key of 256 random bits, wrapped, and unwrapped once to see that it can be. */
export async function newKey({ target }: Pick<RotationParts, 'target'>) {
  const { id, key } = kekOf(randomBytes(32))
  const wrapped = await target.wrap(key, aboutKey(id))
  if (!(await target.unwrap(wrapped, aboutKey(id))).equals(key))
    fail('vault.key_refused', { why: `${target.named} does not give back what it wrapped.` })
  key.fill(0)
  return { id, provider: target.name, wrapped }
}

/** Once every process had time to learn of it, what is sealed from now on is under the new key. */
async function activate(parts: RotationParts, { pause, isStopped }: Course): Promise<void> {
  const { database, held, prove, settleMilliseconds } = parts
  if (!held.rows().some(({ state }) => state === 'coming')) return
  await pause(settleMilliseconds)
  if (isStopped()) return
  await database.change(async tx => {
    const rows = await keyRows(tx)
    if (!rows.some(({ state }) => state === 'coming')) return
    for (const row of rows) {
      const state = row.state === 'coming' ? 'active' : row.state === 'active' ? 'old' : row.state
      if (state !== row.state) await putKeyRow(tx, prove.proved({ ...row, state }))
    }
  })
  await held.read()
}

type Course = {
  pause(milliseconds: number): Promise<void>
  say(more: Partial<Progress>): void
  progress(): Progress | undefined
  isStopped(): boolean
}

/** Again and again until nothing is found: others may write what they read before the key was another. */
async function moveAll(
  parts: RotationParts,
  { say, progress, isStopped, pause }: Course,
): Promise<Unopened[]> {
  const { database, held, seals, columns, settleMilliseconds } = parts
  const old = () => held.rows().filter(({ state }) => state === 'old')
  say({ total: (progress()?.moved ?? 0) + (await countUnder(parts, old())) })
  for (let pass = 0; pass < mostPasses && !isStopped(); pass++) {
    const unopened: Unopened[] = []
    const moved = (values: number) => say({ moved: (progress()?.moved ?? 0) + values })
    for (const { id: kekId } of old())
      unopened.push(
        ...(await moveValues({ kysely: database.kysely, seals, columns, kekId, isStopped, moved })),
      )
    if (isStopped() || unopened.length > 0) return unopened
    await pause(settleMilliseconds)
    if ((await countUnder(parts, old())) === 0) return []
  }
  return isStopped()
    ? []
    : fail('http.conflict', { why: 'Values are written under an old key again and again.' })
}

async function countUnder({ database, columns }: RotationParts, rows: readonly KeyRow[]): Promise<number> {
  let values = 0
  for (const { id } of rows)
    for (const column of columns) values += await countSeals(database.kysely, column, sealPrefix(id))
  return values
}

/** Nothing is under them any more. Says why not, where something is. */
async function retire({
  database,
  audit,
  prove,
  held,
  columns,
  now,
}: RotationParts): Promise<string | undefined> {
  const old = held.rows().filter(({ state }) => state === 'old')
  const strays = await straysOf(database.kysely, old, columns)
  if (strays.length > 0) return `Values that nothing knows of are in ${strays.join(', ')}.`
  await database.change(async tx => {
    const rows = (await keyRows(tx)).filter(({ state }) => state === 'old')
    for (const row of rows) await putKeyRow(tx, prove.proved({ ...row, state: 'retired', retired_at: now() }))
    const detail = { ids: rows.map(({ id }) => id) }
    if (rows.length > 0) await audit.recorded(ownEvent({ action: 'vault.retire_keys', target: null, detail }))
  })
  await held.read()
  return undefined
}

export async function straysOf(
  from: From,
  rows: readonly KeyRow[],
  columns: readonly SealedColumn[],
): Promise<string[]> {
  const strays = new Set<string>()
  for (const { id } of rows)
    for (const place of await strayColumns(from, columns, sealPrefix(id))) strays.add(place)
  return [...strays].sort()
}
