import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { ask } from '../../../test/fixtures/ask.ts'
import { directories, onEachDatabase } from '../../../test/fixtures/databases.ts'
import { type HandClock, handClock, memoryAudit, testMasterKey } from '../../../test/fixtures/identity.ts'
import { startTransit, type Transit } from '../../../test/fixtures/transit.ts'
import { type Database, openDatabase } from '../../database/index.ts'
import { silentLog } from '../../foundation/log.ts'
import type { Caller } from '../../foundation/route.ts'
import { derivedKeks, kekIdOf, type Sealer, sealer } from '../seal.ts'
import type { KeySettings } from './configured.ts'
import { openVaultKeys, type VaultKeyParts, type VaultKeys } from './open.ts'
import type { KeysView } from './routes.ts'
import type { Verified } from './verify.ts'

const operator: Caller = {
  id: 'operator',
  kind: 'operator',
  name: 'operator',
  role: 'admin',
  subjects: [],
  tokenId: undefined,
}
const refused = (code: string, why = '') =>
  expect.objectContaining({ code, why: expect.stringContaining(why) })
const settingsOf = (keys: KeySettings['keys'] = {}, key = Object.keys(keys)[0] ?? 'master') => ({ key, keys })

const opened: VaultKeys[] = []
afterEach(async () => {
  for (const keys of opened.splice(0)) await keys.close()
})

type Bench = {
  readonly keys: VaultKeys
  readonly seals: Sealer
  readonly audit: ReturnType<typeof memoryAudit>
  view(): Promise<KeysView>
  verify(): Promise<Verified>
  begin(): Promise<KeysView>
  /** Rotates, and waits until everything has moved or cannot. */
  rotate(): Promise<KeysView>
}

async function bench(database: Database, more: Partial<VaultKeyParts> = {}): Promise<Bench> {
  const audit = memoryAudit()
  const keys = await openVaultKeys({
    database,
    masterKey: testMasterKey,
    audit,
    clock: handClock(),
    log: silentLog,
    environment: {},
    settings: settingsOf(),
    settleMilliseconds: 0,
    ...more,
  })
  opened.push(keys)
  const asked = <Answer>(line: string, body?: unknown) =>
    ask<Answer>(keys.routes, line, { caller: operator, body, query: {} })
  const begin = () => asked<KeysView>('POST /vault/keys/rotate', {})
  const view = () => asked<KeysView>('GET /vault/keys')
  return {
    keys,
    audit,
    seals: sealer(keys.keks),
    view,
    begin,
    verify: () => asked<Verified>('POST /vault/keys/verify', {}),
    async rotate() {
      await begin()
      await vi.waitFor(async () => expect((await view()).rotation?.state).not.toBe('running'))
      return view()
    },
  }
}

const place = (hash: string) => ['flows', 'link', hash]

async function keep(database: Database, seals: Sealer, many: number): Promise<void> {
  const row = (hash: string) => ({
    hash,
    kind: 'link',
    sealed: seals.seal(`secret ${hash}`, place(hash)),
    expires_at: 1,
  })
  await database.kysely
    .insertInto('flows')
    .values(Array.from({ length: many }, (_, at) => row(`hash-${at}`)))
    .execute()
}

async function kept(database: Database): Promise<{ hash: string; sealed: string }[]> {
  return database.kysely.selectFrom('flows').select(['hash', 'sealed']).orderBy('hash').execute()
}

const newDirectory = directories()
const keyFile = (): string => {
  const path = join(newDirectory(), 'kek')
  writeFileSync(path, randomBytes(32).toString('base64'), { mode: 0o600 })
  return path
}

onEachDatabase(open => {
  it('has the key it always had for who configures nothing', async () => {
    const database = await open()
    const { seals, view, keys } = await bench(database)
    const before = sealer(derivedKeks(testMasterKey)).seal('old', ['a'])
    expect(seals.open(before, ['a'])).toBe('old')
    expect(kekIdOf(seals.seal('new', ['a']))).toBe(kekIdOf(before))
    expect((await view()).items).toMatchObject([{ provider: 'master', state: 'active', values: 0 }])
    expect(keys.problem()).toBeUndefined()
  })

  it('T144: moves every value to a new key, and the old one can be removed', async () => {
    const database = await open()
    const first = await bench(database, {
      settings: settingsOf({ one: { kind: 'file', path: keyFile() } as never }),
    })
    expect((await first.view()).items.map(({ provider, state }) => [provider, state]).sort()).toEqual([
      ['master', 'retired'],
      ['one', 'active'],
    ])
    await keep(database, first.seals, 120)
    const before = await kept(database)
    await first.keys.close()
    const two = { kind: 'environment', variable: 'KEK' }
    const environment = { KEK: randomBytes(32).toString('hex') }
    // Without the old key nothing starts that could not open what is stored.
    await expect(bench(database, { settings: settingsOf({ two }), environment })).rejects.toEqual(
      refused('config.invalid', 'vault.keys has no one'),
    )
    const both = await bench(database, {
      settings: { key: 'two', keys: { two, one: { kind: 'file', path: keyFile() } as never } },
      environment,
    }).catch((error: unknown) => error)
    expect(both).toEqual(refused('vault.key_wrong'))
    expect(await kept(database)).toEqual(before)
  })

  it('T144: goes on where a process was stopped in the middle', async () => {
    const database = await open()
    const first = await bench(database)
    await keep(database, first.seals, 400)
    await first.begin()
    await vi.waitFor(async () => expect((await first.view()).rotation?.moved).toBeGreaterThan(0), {
      interval: 1,
    })
    await first.keys.close()
    const rows = (await first.view()).items
    expect(rows.map(({ state }) => state).sort()).toEqual(['active', 'old'])
    const second = await bench(database)
    await vi.waitFor(async () => expect((await second.view()).rotation?.state).toBe('done'))
    const { items } = await second.view()
    expect(items.find(({ state }) => state === 'active')).toMatchObject({ values: 400 })
    expect(items.find(({ state }) => state === 'retired')).toMatchObject({ values: 0 })
    for (const { hash, sealed } of await kept(database))
      expect(second.seals.open(sealed, place(hash))).toBe(`secret ${hash}`)
    expect(await second.verify()).toMatchObject({ unopenedCount: 0, strays: [] })
    const actions = [...first.audit.events, ...second.audit.events].map(({ action }) => action)
    expect(actions).toEqual(['vault.rotate_keys', 'vault.retire_keys'])
  })

  it('keeps the old key while something under it does not open, or stands where nothing should', async () => {
    const database = await open()
    const { seals, rotate, verify, view } = await bench(database)
    await keep(database, seals, 3)
    await database.kysely
      .updateTable('flows')
      .set({ sealed: seals.seal('moved here', place('elsewhere')) })
      .where('hash', '=', 'hash-1')
      .execute()
    const stuck = await rotate()
    expect(stuck.rotation).toMatchObject({
      state: 'stuck',
      moved: 2,
      unopened: [{ where: 'flows.sealed', record: 'hash-1' }],
    })
    expect(stuck.items.map(({ state }) => state)).toContain('old')
    expect(await verify()).toMatchObject({ unopenedCount: 1, unopened: [{ record: 'hash-1' }] })
    await database.kysely.deleteFrom('flows').where('hash', '=', 'hash-1').execute()
    const old = (await kept(database))[0]?.sealed ?? ''
    expect((await rotate()).rotation?.state).toBe('done')
    // Somebody keeps a seal in a column that nobody told of.
    await database.kysely.insertInto('instance_facts').values({ name: 'stray', value: old }).execute()
    expect((await rotate()).rotation).toMatchObject({
      state: 'stuck',
      problem: expect.stringContaining('instance_facts.value'),
    })
    expect((await view()).items.filter(({ state }) => state === 'old')).toHaveLength(1)
  })

  it('T145: does not start with another master key, nor with a key that something else put there', async () => {
    const database = await open()
    await bench(database)
    const other = { derive: (label: string) => Buffer.from(testMasterKey.derive(`other ${label}`)) }
    await expect(bench(database, { masterKey: other })).rejects.toEqual(
      refused('vault.unsealable', 'another master key'),
    )
    await database.kysely.updateTable('vault_keys').set({ state: 'old' }).execute()
    await expect(bench(database)).rejects.toEqual(refused('vault.key_wrong', 'not written by this gateway'))
  })
})

describe('a provider elsewhere', () => {
  let transit: Transit
  beforeAll(async () => {
    transit = await startTransit()
    return async () => void (await transit.stop())
  })
  const environment = () => ({ VAULT_TOKEN: transit.token })
  const inTransit = (key?: string) => ({
    settings: settingsOf(transit.configured('main', key) as never),
    environment: environment(),
  })

  const databases: Database[] = []
  afterEach(async () => {
    for (const database of databases.splice(0)) await database.close()
  })
  const open = async () => {
    const database = await openDatabase({ dataDir: newDirectory() })
    databases.push(database)
    return database
  }

  it('T146: is trusted for five minutes without word; then what is sealed waits for it, and no longer than it must', async () => {
    const clock: HandClock = handClock()
    const { keys, seals, view } = await bench(await open(), { ...inTransit(), clock })
    const sealed = seals.seal('secret', ['a'])
    await transit.stop()
    clock.move(299_000)
    await keys.confirm()
    expect(seals.open(sealed, ['a'])).toBe('secret')
    expect(keys.problem()).toContain('cannot be reached')
    clock.move(2000)
    expect(() => seals.open(sealed, ['a'])).toThrow(refused('vault.locked'))
    expect(() => seals.seal('more', ['a'])).toThrow(refused('vault.locked'))
    expect(() => seals.checkOpen()).toThrow(refused('vault.locked'))
    await keys.confirm()
    expect((await view()).locked).toContain('cannot be reached')
    await transit.startAgain()
    await vi.waitFor(() => expect(seals.open(sealed, ['a'])).toBe('secret'))
  })

  it('T146: starts without it, locked, and opens when it comes', async () => {
    const database = await open()
    const first = await bench(database, inTransit())
    const sealed = first.seals.seal('secret', ['a'])
    await first.keys.close()
    await transit.seal()
    const second = await bench(database, inTransit())
    expect(() => second.seals.open(sealed, ['a'])).toThrow(refused('vault.locked', '503'))
    await transit.unseal()
    await second.keys.confirm()
    expect(second.seals.open(sealed, ['a'])).toBe('secret')
  })

  it('is moved to from the master key, to another of its keys, and back', async () => {
    const database = await open()
    const first = await bench(database)
    await keep(database, first.seals, 5)
    await first.keys.close()
    const away = await bench(database, inTransit())
    expect(away.keys.problem()).toContain('gatehouse keys rotate')
    expect((await away.rotate()).items.map(({ provider, state }) => [provider, state]).sort()).toEqual([
      ['main', 'active'],
      ['master', 'retired'],
    ])
    await transit.rotate('gatehouse')
    await away.keys.confirm()
    expect(away.keys.problem()).toBeUndefined()
    await away.keys.close()
    const keys = { ...transit.configured('main'), ...transit.configured('next', 'other') } as never
    const next = await bench(database, { settings: { key: 'next', keys }, environment: environment() })
    expect((await next.rotate()).rotation).toMatchObject({ state: 'done', moved: 5 })
    await next.keys.close()
    const back = await bench(database, { settings: { key: 'master', keys }, environment: environment() })
    expect((await back.rotate()).rotation).toMatchObject({ state: 'done', moved: 5 })
    await back.keys.close()
    // Nothing of it is configured any more.
    const { seals } = await bench(database)
    for (const { hash, sealed } of await kept(database))
      expect(seals.open(sealed, place(hash))).toBe(`secret ${hash}`)
  })

  it.each([
    ['with a token that is not good', { VAULT_TOKEN: 'wrong' }, 'gatehouse', '403'],
    ['without a token', {}, 'gatehouse', 'VAULT_TOKEN is not set'],
    ['with a key that is not there', undefined, 'nobody', '403'],
  ])('refuses to start %s, and says why', async (_, given, key, why) => {
    const settings = settingsOf(transit.configured('main', key) as never)
    const parts = { settings, environment: given ?? environment() }
    await expect(bench(await open(), parts)).rejects.toEqual(refused('vault.key_refused', why))
  })

  it('takes what another of its keys wrapped for what it is', async () => {
    const database = await open()
    await (await bench(database, inTransit())).keys.close()
    const parts = {
      settings: settingsOf(transit.configured('main', 'other') as never),
      environment: environment(),
    }
    await expect(bench(database, parts)).rejects.toEqual(refused('vault.key_refused', '400 to decrypt'))
  })
})

it('says what is wrong with the configuration, and which package is needed', async () => {
  const [database] = [{} as Database]
  const wrong = (settings: KeySettings) => bench(database, { settings })
  await expect(wrong({ key: 'gone', keys: {} })).rejects.toEqual(
    refused('config.invalid', 'vault.key is gone'),
  )
  await expect(wrong(settingsOf({ a: { kind: 'pigeon' } }))).rejects.toEqual(
    refused('config.invalid', 'vault.keys.a.kind is none of file, environment'),
  )
  await expect(wrong(settingsOf({ a: { kind: 'file' } }))).rejects.toEqual(
    refused('config.invalid', 'vault.keys.a.path'),
  )
  await expect(wrong(settingsOf({ master: { kind: 'file' } }))).rejects.toEqual(
    refused('config.invalid', 'vault.keys.master'),
  )
  await expect(wrong(settingsOf({ a: { kind: 'environment', variable: 'KEK' } as never }))).rejects.toEqual(
    refused('config.invalid', 'KEK is not set'),
  )
})
