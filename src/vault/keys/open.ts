import type { AuditRecord } from '../../audit/index.ts'
import type { Database } from '../../database/index.ts'
import { guardedFetch } from '../../egress/index.ts'
import type { Clock } from '../../foundation/clock.ts'
import { fail, GatewayError } from '../../foundation/errors.ts'
import type { Log } from '../../foundation/log.ts'
import type { MasterKey } from '../../foundation/master-key.ts'
import type { Route } from '../../foundation/route.ts'
import { derivedKek, type Keks, sealer, sealPrefix } from '../seal.ts'
import {
  type ConfiguredKey,
  configuredKeys,
  type KeySettings,
  loadPackage,
  masterName,
} from './configured.ts'
import { type HeldKeys, holdKeys } from './hold-keys.ts'
import { type KeyRow, keyRows, putKeyRow } from './keys-table.ts'
import { openProve, type Prove } from './prove.ts'
import type { Means } from './providers/provider.ts'
import { newKey, openRotation, type Rotation } from './rotation.ts'
import { type KeysView, keyRoutes, progressView } from './routes.ts'
import { sealedColumns } from './sealed-columns.ts'
import { countSeals } from './sealed-values-table.ts'
import { verifyValues } from './verify.ts'

export type VaultKeys = {
  readonly keks: Keks
  readonly routes: readonly Route[]
  /** To be called whenever the revision moved. */
  refresh(): Promise<void>
  /** Asks the providers now. */
  confirm(): Promise<void>
  /** What people have to look after, or undefined. */
  problem(): string | undefined
  /** What there is, in a line. */
  described(): string
  close(): Promise<void>
}

export type VaultKeyParts = {
  readonly database: Database
  readonly masterKey: MasterKey
  readonly audit: AuditRecord
  readonly clock: Clock
  readonly log: Log
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly settings: KeySettings
  readonly load?: Means['load']
  readonly settleMilliseconds?: number
}

/** A provider is in the inner network, and has little to say. */
const fetchRules = { allowPrivateNetwork: true, totalMilliseconds: 2000, answerBytes: 64 * 1024 }
/** A process learns of a revision within a second; then it has to ask the provider. */
const settleOfMany = 5000

/**
 * The keys of the vault. A provider that does not answer keeps nobody from starting: nothing sealed opens until it does. Throws
 * `config.invalid`, `vault.key_wrong` and `vault.key_refused`.
 */
export async function openVaultKeys(parts: VaultKeyParts): Promise<VaultKeys> {
  const { database, masterKey, environment, settings, clock, log } = parts
  const means = { masterKey, environment, fetch: guardedFetch(fetchRules), load: parts.load ?? loadPackage }
  const configured = configuredKeys(settings, means)
  const target = configured.get(settings.key) ?? lost(settings.key)
  const prove = openProve(masterKey)
  const { kysely } = database
  if ((await keyRows(kysely)).length === 0) await makeFirst(parts, { prove, target })
  checkMasterKey(await keyRows(kysely), masterKey)
  const held = holdKeys({ kysely, masterKey, prove, clock, log, configured })
  await startHolding(held, log)
  const seals = sealer(held.ring)
  const rotation = openRotation({
    ...parts,
    prove,
    held,
    seals,
    columns: sealedColumns,
    target,
    now: clock.now,
    settleMilliseconds: parts.settleMilliseconds ?? (database.dialect === 'sqlite' ? 0 : settleOfMany),
  })
  rotation.resume()
  const verify = () => verifyValues({ kysely, seals, columns: sealedColumns, rows: held.rows() })
  const view = () => viewOf({ database, held, rotation, configured, target })
  return {
    keks: held.ring,
    routes: keyRoutes({ view, rotate: rotation.begin, verify }),
    async refresh() {
      await held
        .read()
        .catch((error: unknown) => log.warn({ err: error }, 'the keys of the vault cannot be read'))
      rotation.resume()
    },
    confirm: held.confirm,
    problem: () => held.ring.lockedBecause() ?? held.problem() ?? unmoved(held.rows(), settings.key),
    described: () => describedIn(held.rows(), configured),
    async close() {
      held.stop()
      await rotation.stop()
    },
  }
}

function lost(name: string): never {
  throw new Error(`the key ${name} was configured a moment ago`)
}

/** First of all, for with another master key nothing in the table would look as if it were ours. */
function checkMasterKey(rows: readonly KeyRow[], masterKey: MasterKey): void {
  const derived = rows.find(({ wrapped }) => wrapped === null)
  if (derived === undefined || derived.id === derivedKek(masterKey).id) return
  fail('vault.unsealable', {
    why: 'This database was used with another master key.',
    fix: 'Put the master key it was used with into keys/master.key of the data directory.',
  })
}

async function startHolding(held: HeldKeys, log: Log): Promise<void> {
  try {
    await held.read()
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code !== 'vault.key_unreachable') throw error
    log.error({ err: error }, 'stored secrets cannot be opened until the provider of their key answers')
  }
}

/** The first keys of a database: the derived one, under which older versions sealed; and another, where nothing is sealed yet. */
async function makeFirst(parts: VaultKeyParts, { prove, target }: { prove: Prove; target: ConfiguredKey }) {
  const { database, masterKey, clock } = parts
  const derived = derivedKek(masterKey).id
  let isUsed = false
  for (const column of sealedColumns)
    isUsed ||= (await countSeals(database.kysely, column, sealPrefix(derived))) > 0
  const isOther = target.name !== masterName && !isUsed
  const made = isOther ? await newKey({ target }) : undefined
  await database.change(async tx => {
    if ((await keyRows(tx)).length > 0) return
    const at = { created_at: clock.now(), retired_at: null }
    const state = made === undefined ? 'active' : 'retired'
    await putKeyRow(tx, prove.proved({ id: derived, provider: masterName, wrapped: null, state, ...at }))
    if (made !== undefined) await putKeyRow(tx, prove.proved({ ...made, state: 'active', ...at }))
  })
}

function unmoved(rows: readonly KeyRow[], target: string): string | undefined {
  const active = rows.find(({ state }) => state === 'active')
  if (active === undefined || active.provider === target) return undefined
  return `vault.key is ${target}, and secrets are still under ${active.provider}; move them with: gatehouse keys rotate`
}

function describedIn(rows: readonly KeyRow[], configured: ReadonlyMap<string, ConfiguredKey>): string {
  const active = rows.find(({ state }) => state === 'active')
  const named = active && configured.get(active.provider)?.named
  return `Secrets are stored under the key ${active?.id ?? '(none)'} of ${named ?? 'nobody'}.`
}

type Viewed = {
  readonly database: Database
  readonly held: HeldKeys
  readonly rotation: Rotation
  readonly configured: ReadonlyMap<string, ConfiguredKey>
  readonly target: ConfiguredKey
}

async function viewOf({ database, held, rotation, configured, target }: Viewed): Promise<KeysView> {
  const items: KeysView['items'] = []
  for (const { id, provider, state, created_at, retired_at } of held.rows()) {
    let values = 0
    for (const column of sealedColumns) values += await countSeals(database.kysely, column, sealPrefix(id))
    const known = configured.get(provider)
    items.push({
      id,
      provider,
      kind: known?.kind ?? null,
      named: known?.named ?? null,
      state,
      values,
      createdAt: new Date(created_at).toISOString(),
      retiredAt: retired_at === null ? null : new Date(retired_at).toISOString(),
    })
  }
  return {
    items,
    target: target.name,
    locked: held.ring.lockedBecause() ?? null,
    problem: held.problem() ?? null,
    rotation: progressView(rotation.progress()),
  }
}
