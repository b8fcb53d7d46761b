/**
 * What the vault costs a call by itself: `equip` for a server that wants nothing, one with a key for everybody, and one at which each of
 * two hundred callers has an account, whose credentials are remembered. In this process, and so to the nanosecond.
 */
import { openDatabase } from '../src/database/index.ts'
import { systemClock } from '../src/foundation/clock.ts'
import type { Asker, Upstream } from '../src/upstreams/index.ts'
import { type Credential, placeOf } from '../src/vault/credentials/credential.ts'
import { putCredential } from '../src/vault/credentials/credential-table.ts'
import { openCustody } from '../src/vault/credentials/custody.ts'
import { boundTo } from '../src/vault/credentials/fits.ts'
import { openEquip } from '../src/vault/vault.ts'
import { openRooms } from '../test/fixtures/rooms.ts'
import { temporaryDirectory } from './processes.ts'
import { median } from './statistics.ts'

const callers = 200
const timesEach = 1000
const rounds = 15

export type EquipReport = {
  /** Nanoseconds of CPU for one `equip`, by what the server wants. */
  readonly nanoseconds: Readonly<Record<string, number>>
  /** What an account costs more than nothing, in microseconds; the goal is at most 10. */
  readonly addedMicros: number
}

export async function measureEquip(): Promise<EquipReport> {
  const database = await openDatabase({ dataDir: temporaryDirectory() })
  const { ask, register, vault, audit } = await openRooms(database)
  const nobody = async (): Promise<never> => {
    throw new Error('nothing is asked of an authorization server here')
  }
  const oauth = { authority: nobody, client: nobody, tokens: nobody, forget: nobody }
  const { seals } = vault
  const custody = openCustody({ database, audit, seals, clock: systemClock, oauth, withLink: error => error })
  const { equip, opened } = openEquip(seals, custody, error => error)
  await ask('POST /groups', { name: 'bench' })
  const transport = { kind: 'streamable-http', url: 'https://mcp.example/mcp' }
  const auths = {
    none: { kind: 'none' },
    headers: { kind: 'headers', headers: { Authorization: `Bearer ${'a'.repeat(40)}` } },
    accounts: { kind: 'oauth2' },
  }
  for (const [name, auth] of Object.entries(auths))
    await ask('POST /servers', { group: 'bench', name, transport, auth })
  const servers = Object.keys(auths).map(name => register.find('bench', name) ?? never(name))
  const askers = Array.from(
    { length: callers },
    (_, at): Asker => ({ id: `u${at}`, kind: 'user', subjects: [] }),
  )
  for (const upstream of servers) {
    for (const asker of askers) {
      const needed = opened(upstream)
      if (needed !== undefined)
        await putCredential(
          database.kysely,
          accountOf(seals, upstream, { owner: asker.id, place: boundTo(needed) }),
        )
      await equip(upstream, asker)
    }
  }
  const work = (upstream: Upstream) => {
    let length = 0
    for (let time = 0; time < timesEach; time++)
      for (const asker of askers) {
        const equipped = equip(upstream, asker)
        if (equipped instanceof Promise) throw new Error('it was not remembered')
        length += equipped.headers.length
      }
    return length
  }
  const measured = Array.from({ length: rounds + 2 }, () =>
    servers.map(upstream => nanosecondsOf(() => work(upstream))),
  )
  await database.close()
  // The first two compile.
  const medians = servers.map((_, at) => median(measured.slice(2).map(round => round[at] ?? Number.NaN)))
  const nanoseconds = Object.fromEntries(
    Object.keys(auths).map((name, at) => [name, Math.round(medians[at] ?? 0)]),
  )
  const added = median(measured.slice(2).map(([none = 0, , accounts = 0]) => accounts - none))
  return { nanoseconds, addedMicros: Number((added / 1000).toFixed(3)) }
}

function nanosecondsOf(work: () => unknown): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return ((user + system) * 1000) / (callers * timesEach)
}

function accountOf(
  seals: { seal(text: string, place: readonly string[]): string },
  upstream: Upstream,
  { owner, place }: { owner: string; place: string },
) {
  const now = Date.now()
  const credential: Credential = {
    id: `c-${owner}`,
    serverId: upstream.id,
    owner,
    kind: 'tokens',
    issuer: 'https://login.example',
    resource: null,
    clientId: 'bench',
    boundTo: place,
    scopes: [],
    account: null,
    expiresAt: now + 86_400_000,
    isRefreshable: true,
    trouble: null,
    version: 1,
    refreshedAt: null,
    createdAt: now,
    updatedAt: now,
  }
  const content = { access: 'a'.repeat(40), refresh: 'r'.repeat(40) }
  return { credential, sealed: seals.seal(JSON.stringify(content), placeOf(credential)) }
}

function never(name: string): never {
  throw new Error(`there is no server ${name}`)
}

export function equipTable({ nanoseconds, addedMicros }: EquipReport): string {
  const each = Object.entries(nanoseconds).map(([name, of]) => `${name} ${of} ns`)
  return `equip alone: ${each.join(', ')}; an account costs ${addedMicros} us more than nothing (goal: at most 10)`
}
