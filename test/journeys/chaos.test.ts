/**
 * Fifty clients of both eras at work while their servers are killed, frozen and slowed and the gateway is restarted: every
 * call ends clearly, nothing is done twice, everything is in the audit, and nothing is left behind.
 */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { apiOf, tokenFor } from '../fixtures/api.ts'
import { ChaosClient, type Ending } from '../fixtures/chaos/client.ts'
import { heldBy } from '../fixtures/chaos/leftovers.ts'
import { randomOf } from '../fixtures/chaos/random.ts'
import { Supervisor } from '../fixtures/chaos/supervisor.ts'
import { type Launched, launch } from '../fixtures/gateway.ts'
import { freePort } from '../fixtures/process.ts'
import { auditOf, eventually } from '../fixtures/watch.ts'

const seed = Number(process.env.CHAOS_SEED ?? Date.now() % 1_000_000)
const random = randomOf(seed)
const CLIENTS = 50
const WORK_MS = 40_000
const RESTARTS = 3
const GRACE_MS = 60_000
const limits = {
  GATEHOUSE_LIMITS_CALL_SECONDS: '3',
  GATEHOUSE_LIMITS_CALL_SECONDS_MAX: '5',
  GATEHOUSE_LIMITS_CONNECT_SECONDS: '2',
  GATEHOUSE_LIMITS_SESSION_IDLE_SECONDS: '8',
  GATEHOUSE_LIMITS_SESSIONS_PER_PRINCIPAL: '1000',
}

/** What a call may end with besides its result: the server did not do it, or nobody can know. */
const CLEAN = [
  'ok',
  'upstream.unreachable',
  'upstream.timeout',
  'upstream.outcome_unknown',
  'upstream.process_failed',
]

/** While the gateway itself is away, a connection may break. */
const BROKEN = ['no connection', 'cut off', 'mcp.cancelled']

/** Connections that the questions of this file itself keep for a while. */
const KEPT_BY_FETCH = 4

const ADMIN = 'root@example.com'
const people = ['ana', 'bob', 'cem', 'dia', 'eli'].map(name => `${name}@example.com`)

let folder: string
let port: number
let gateway: Launched
let supervisor: Supervisor
let admin: string
const tokens: string[] = []
const endings: Ending[] = []
const complaints: string[] = []
/** When the gateway was away. */
const absences: { readonly from: number; to: number }[] = []

const place = () => ({ dataDir: join(folder, 'data'), port, env: limits })
const told = () => `seed ${seed}: ${supervisor.deeds.join(', ')}`

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-chaos-'))
  port = await freePort()
  supervisor = await Supervisor.open(folder, `mark-${randomUUID()}`, randomOf(seed + 1))
  gateway = launch(place())
  await gateway.ready()
  const servers = Object.entries(supervisor.transports())
  const manifest = {
    users: [{ email: ADMIN, role: 'admin' }, ...people.map(email => ({ email, role: 'member' }))],
    groups: [{ name: 'lab', access: [{ subject: 'everyone' }] }],
    servers: servers.map(([name, transport]) => ({ group: 'lab', name, transport })),
  }
  const file = join(folder, 'manifest.yaml')
  writeFileSync(file, JSON.stringify(manifest))
  await gateway.cli('apply', '-f', file)
  const printed = await gateway.cli('token', 'create', '--user', ADMIN, '--expires', '1d', '--json')
  admin = JSON.parse(printed).token
  const api = apiOf(gateway.url, admin)
  for (const email of people) tokens.push((await tokenFor(api, `user:${email}`)).token)
  for (const [name] of servers) await api(`POST /servers/lab/${name}/test`)
})

afterAll(async () => {
  await gateway?.process.stop()
  await supervisor?.stop()
  if (folder) rmSync(folder, { recursive: true, force: true })
})

function seatClients(): ChaosClient[] {
  const servers = Object.keys(supervisor.transports())
  return Array.from({ length: CLIENTS }, (_, seat) => {
    const server = servers[seat % servers.length] ?? ''
    return new ChaosClient({
      name: `c${seat}`,
      url: `${gateway.url}/mcp/lab/${server}/server`,
      token: tokens[seat % tokens.length] ?? '',
      server,
      era: Math.floor(seat / servers.length) % 2 === 0 ? 'session' : 'stateless',
      random: randomOf(seed + 100 + seat),
      endings,
      complaints,
    })
  })
}

/** Asks it to end, which it has to do by itself, in the time it gives to what is under way. */
async function endGateway(): Promise<void> {
  process.kill(gateway.process.pid, 'SIGTERM')
  const how = await Promise.race([gateway.process.ended, sleep(GRACE_MS, 'it goes on', { ref: false })])
  expect(how, `${told()}\n${gateway.process.output()}`).toBe(0)
}

async function restartGateway(): Promise<void> {
  supervisor.deeds.push('restart the gateway')
  const absence = { from: Date.now(), to: Number.POSITIVE_INFINITY }
  absences.push(absence)
  // What it has open there cannot be closed properly, and must not keep it.
  await supervisor.whileFrozen('session-http', endGateway)
  await sleep(random.between(0, 300))
  gateway = launch(place())
  await gateway.ready()
  absence.to = Date.now()
}

async function chaos(): Promise<void> {
  const begin = Date.now()
  const restarts = Array.from({ length: RESTARTS }, (_, at) => begin + ((at + 1) * WORK_MS) / (RESTARTS + 1))
  while (Date.now() < begin + WORK_MS) {
    await sleep(random.between(300, 1200))
    if (Date.now() > (restarts[0] ?? Number.POSITIVE_INFINITY)) {
      restarts.shift()
      await restartGateway()
    } else await supervisor.harm()
  }
}

function isAccepted({ end, from, to }: Ending): boolean {
  const wasAway = absences.some(absence => from < absence.to + 500 && to > absence.from)
  return [...CLEAN, ...(wasAway ? BROKEN : [])].includes(end)
}

function counted(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1
  return counts
}

it('every call ends in a result, a clear error, or one that says that nobody knows', {
  timeout: 240_000,
}, async () => {
  const clients = seatClients()
  for (const client of clients) client.live()
  await chaos()
  await sleep(500)
  await Promise.all(clients.map((client, seat) => client.leave({ endsSession: seat % 2 === 0 })))
  const summary = counted(endings.map(({ what, end }) => `${what} ${end}`))
  process.stderr.write(`chaos, ${told()}\n${JSON.stringify(summary)}\n`)
  expect(
    endings.filter(ending => !isAccepted(ending)),
    told(),
  ).toEqual([])
  expect(complaints, told()).toEqual([])
  const worked = new Set(
    endings.filter(({ what, end }) => what === 'call' && end === 'ok').map(({ server }) => server),
  )
  expect([...worked].sort(), told()).toEqual(Object.keys(supervisor.transports()).sort())
})

it('no server did a call twice, and each result stands for one that was done', () => {
  const done = supervisor.executions()
  const twice = [...done].filter(([, { tool, times }]) => tool === 'write' && times > 1)
  expect(twice, told()).toEqual([])
  const claimed = endings.filter(
    ({ what, end, callId }) => what === 'call' && end === 'ok' && !done.has(callId),
  )
  expect(claimed, told()).toEqual([])
})

it('every answer is in the audit, once', async () => {
  const answered = endings.flatMap(({ requestId }) => requestId ?? [])
  const events = await eventually(
    'all events',
    () => auditOf({ url: gateway.url, token: admin }),
    found => {
      const known = new Set(found.map(({ requestId }) => requestId))
      return answered.every(id => known.has(id))
    },
  )
  const times = counted(events.map(({ requestId }) => String(requestId)))
  expect(
    answered.filter(id => times[id] !== 1),
    told(),
  ).toEqual([])
  const inputs = counted(
    events.flatMap(({ action, input }) => (action === 'tools/call' && input ? [String(input.sha256)] : [])),
  )
  expect(
    Object.entries(inputs).filter(([, count]) => count !== 1),
    told(),
  ).toEqual([])
})

it('nothing is left when the clients are gone', async () => {
  const nothing = { sessions: 0, streams: 0, processes: 0, upstreamSockets: 0 }
  const held = () => heldBy({ url: gateway.url, pid: gateway.process.pid }, supervisor.ports())
  // Sessions that nobody ended go when they are idle; then the processes that nobody needs.
  await eventually('the end of everything', held, ({ clientSockets, ...found }) => {
    // What asks here keeps a connection or two; the clients had fifty and more.
    return JSON.stringify(found) === JSON.stringify(nothing) && clientSockets <= KEPT_BY_FETCH
  })
  expect(supervisor.children(), told()).toEqual([])
  await endGateway()
})
