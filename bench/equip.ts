/**
 * What the vault costs a call by itself: `equip` for a server that wants nothing, one with a key for everybody, and one at which each of
 * fifty callers has an account, whose credentials are remembered. In this process, and so to the nanosecond.
 */
import { openDatabase } from '../src/database/index.ts'
import { openAddresses } from '../src/foundation/addresses.ts'
import { systemClock } from '../src/foundation/clock.ts'
import { openHandles } from '../src/foundation/handles.ts'
import { silentLog } from '../src/foundation/log.ts'
import type { Upstream } from '../src/upstreams/index.ts'
import { openVault, type Vault } from '../src/vault/index.ts'
import { testMasterKey } from '../test/fixtures/identity.ts'
import { openRooms, person } from '../test/fixtures/rooms.ts'
import { authsWith, startTokenServer } from './accounts.ts'
import { temporaryDirectory } from './processes.ts'
import { median } from './statistics.ts'

const callers = Array.from({ length: 50 }, (_, at) => person(`u${at}@bench.example`))
const timesEach = 4000
const rounds = 15
/** Until everything is compiled. */
const warmUps = 2

export type EquipReport = {
  /** Nanoseconds of CPU for one `equip`, by what the server wants. */
  readonly nanoseconds: Readonly<Record<string, number>>
  /** What an account costs more than nothing, in microseconds; the goal is at most 10. */
  readonly addedMicros: number
}

export async function measureEquip(): Promise<EquipReport> {
  const database = await openDatabase({ dataDir: temporaryDirectory() })
  const rooms = await openRooms(database)
  const vault = openVault({
    ...rooms,
    database,
    addresses: openAddresses({ host: '127.0.0.1', port: 1 }),
    clock: systemClock,
    log: silentLog,
    masterKey: testMasterKey,
    seals: rooms.vault.seals,
    handles: openHandles(testMasterKey, systemClock),
  })
  await rooms.ask('POST /groups', { name: 'bench' })
  const transport = { kind: 'streamable-http', url: 'https://mcp.example/mcp', allowPrivateNetwork: true }
  const auths = { none: { kind: 'none' }, ...authsWith(await startTokenServer()) }
  const servers: Upstream[] = []
  for (const [name, auth] of Object.entries(auths)) {
    await rooms.ask('POST /servers', { group: 'bench', name, transport, auth })
    const server = rooms.register.find('bench', name)
    if (server !== undefined) servers.push(server)
  }
  await connectAll(vault, servers.at(-1))
  const measured: number[][] = []
  for (let round = 0; round < warmUps + rounds; round++)
    measured.push(servers.map(server => nanosecondsOf(vault, server)))
  await database.close()
  return reportOf(Object.keys(auths), measured.slice(warmUps))
}

/** Everybody has an account, and it is remembered. */
async function connectAll({ connect, equip }: Vault, server: Upstream | undefined): Promise<void> {
  if (server === undefined) throw new Error('there is no server')
  for (const caller of callers) {
    const asked = { caller, mark: 'bench', requestId: 'bench' }
    const url = new URL(await connect.begin(server, asked, { owner: caller.id, onTo: '' }))
    await connect.finish(asked, new Map([...url.searchParams, ['code', 'bench']]))
  }
  for (const caller of callers) await equip(server, caller)
}

function nanosecondsOf({ equip }: Vault, server: Upstream): number {
  const before = process.cpuUsage()
  for (let time = 0; time < timesEach; time++)
    for (const caller of callers) {
      const equipped = equip(server, caller)
      if (equipped instanceof Promise || equipped.headers === undefined) throw new Error('not remembered')
    }
  const { user, system } = process.cpuUsage(before)
  return ((user + system) * 1000) / (callers.length * timesEach)
}

function reportOf(names: readonly string[], measured: readonly number[][]): EquipReport {
  const medians = names.map((name, at) => {
    const of = measured.map(round => round[at] ?? Number.NaN)
    return [name, Math.round(median(of))] as const
  })
  const added = median(measured.map(round => (round.at(-1) ?? Number.NaN) - (round[0] ?? Number.NaN)))
  return { nanoseconds: Object.fromEntries(medians), addedMicros: Number((added / 1000).toFixed(3)) }
}

export function equipTable({ nanoseconds, addedMicros }: EquipReport): string {
  const each = Object.entries(nanoseconds).map(([name, of]) => `${name} ${of} ns`)
  return `equip alone: ${each.join(', ')}; an account costs ${addedMicros} us more than nothing (goal: at most 10)`
}
