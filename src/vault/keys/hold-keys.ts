/** Brings the keys that the table names into memory, and keeps asking their providers. */
import type { Clock } from '../../foundation/clock.ts'
import { asGatewayError, fail } from '../../foundation/errors.ts'
import type { Log } from '../../foundation/log.ts'
import type { MasterKey } from '../../foundation/master-key.ts'
import { oneAtATime } from '../../foundation/one-at-a-time.ts'
import { derivedKek, kekOf } from '../seal.ts'
import type { ConfiguredKey } from './configured.ts'
import { KeyRing } from './key-ring.ts'
import { type From, type KeyRow, keyRows } from './keys-table.ts'
import type { Prove } from './prove.ts'

export type KeyParts = {
  readonly kysely: From
  readonly masterKey: MasterKey
  readonly prove: Prove
  readonly clock: Clock
  readonly log: Log
  readonly configured: ReadonlyMap<string, ConfiguredKey>
}

export type HeldKeys = {
  readonly ring: KeyRing
  /** The rows as they were last read. */
  rows(): readonly KeyRow[]
  /** Reads the table, and brings what is new into memory. Throws what is wrong with it. */
  read(): Promise<void>
  /** Asks every provider elsewhere whether it still stands by its keys. Never throws. */
  confirm(): Promise<void>
  /** What the last look found wrong. */
  problem(): string | undefined
  stop(): void
}

const everyMilliseconds = 60_000
/** Soon enough that whatever waits for a provider goes on within five seconds of its return. */
const againMilliseconds = 2500

export const aboutKey = (id: string) => `gatehouse vault key ${id}`

export function holdKeys(parts: KeyParts): HeldKeys {
  const { clock, log } = parts
  const ring = new KeyRing(clock)
  let rows: readonly KeyRow[] = []
  let problem: string | undefined
  const bring = async (isAnew: boolean) => {
    const read = await keyRows(parts.kysely)
    for (const row of read) parts.prove.check(row)
    rows = read
    await holdAll(parts, ring, { rows, isAnew })
  }
  const read = oneAtATime(() => bring(false))
  const ask = oneAtATime(async () => {
    try {
      await bring(true)
      ring.confirm()
      if (problem !== undefined) log.info('the providers of the keys of the vault answer again')
      problem = undefined
    } catch (error) {
      problem = wordsOf(error)
      log.warn({ err: error }, 'a key of the vault cannot be confirmed')
      if (ring.lockedBecause() !== undefined) ring.forget()
    }
  })
  const isRemote = ({ provider, state }: KeyRow) =>
    state !== 'retired' && parts.configured.get(provider)?.isLocal === false
  let timer: NodeJS.Timeout | undefined
  let isStopped = false
  const next = () => {
    clearTimeout(timer)
    if (!isStopped)
      timer = setTimeout(tick, problem === undefined ? everyMilliseconds : againMilliseconds).unref()
  }
  const tick = () => {
    if (problem === undefined && !rows.some(isRemote)) return next()
    void ask().finally(next)
  }
  next()
  return {
    ring,
    rows: () => rows,
    async read() {
      try {
        await read()
      } catch (error) {
        problem = wordsOf(error)
        next()
        throw error
      }
    },
    confirm: () => ask().finally(next),
    problem: () => problem,
    stop() {
      isStopped = true
      clearTimeout(timer)
    },
  }
}

async function holdAll(
  parts: KeyParts,
  ring: KeyRing,
  { rows, isAnew }: { rows: readonly KeyRow[]; isAnew: boolean },
): Promise<void> {
  const activeId = rows.find(({ state }) => state === 'active')?.id
  try {
    for (const row of rows)
      if (row.state !== 'retired') await holdOne(parts, ring, { row, isAnew })
      else if (ring.knew(row.id)) await holdRetired(parts, ring, row)
  } catch (error) {
    ring.lacks(activeId, wordsOf(error))
    throw error
  }
  ring.complete(activeId)
}

async function holdOne(
  parts: KeyParts,
  ring: KeyRing,
  { row, isAnew }: { row: KeyRow; isAnew: boolean },
): Promise<void> {
  const { configured, masterKey } = parts
  const provider = configured.get(row.provider) ?? missing(row)
  const isKnown = ring.held(row.id) !== undefined
  if (isKnown && (provider.isLocal || !isAnew)) return
  const kek =
    row.wrapped === null ? derivedKek(masterKey) : kekOf(await provider.unwrap(row.wrapped, aboutKey(row.id)))
  if (kek.id !== row.id)
    fail('vault.key_wrong', { why: `What ${provider.named} unwraps is not the key ${row.id}.` })
  ring.hold({ kek, isRemote: !provider.isLocal })
}

/** What this process has in memory since before may still be under it; if it is gone for good, that is read anew at the next start. */
async function holdRetired(parts: KeyParts, ring: KeyRing, row: KeyRow): Promise<void> {
  await holdOne(parts, ring, { row, isAnew: false }).catch((error: unknown) =>
    parts.log.debug({ err: error }, 'a key that was retired cannot be used any more'),
  )
}

function missing({ id, provider }: KeyRow): never {
  return fail('config.invalid', {
    why: `Stored secrets are under the key ${id} of ${provider}, and vault.keys has no ${provider}.`,
    fix: `Put ${provider} back into vault.keys; gatehouse keys rotate moves the secrets to another key.`,
  })
}

/** As part of a sentence. */
function wordsOf(error: unknown): string {
  return asGatewayError(error).why.replace(/\.$/, '')
}
