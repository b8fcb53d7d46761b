/** Fifty clients of both eras at one virtual server made of servers of both eras and a process: all get their answers, and nothing is left behind. */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Api, apiOf, tokenFor } from '../fixtures/api.ts'
import { ChaosClient, type Ending } from '../fixtures/chaos/client.ts'
import { heldBy } from '../fixtures/chaos/leftovers.ts'
import { randomOf } from '../fixtures/chaos/random.ts'
import { Supervisor } from '../fixtures/chaos/supervisor.ts'
import { type Launched, launch } from '../fixtures/gateway.ts'
import { freePort } from '../fixtures/process.ts'
import { auditOf, eventually } from '../fixtures/watch.ts'

const CLIENTS = 50
const WORK_MS = 10_000
const KEPT_BY_FETCH = 4
const limits = {
  GATEHOUSE_LIMITS_SESSION_IDLE_SECONDS: '5',
  GATEHOUSE_LIMITS_SESSIONS_PER_PRINCIPAL: '1000',
}

const ADMIN = 'root@example.com'
const people = ['ana', 'bob', 'cem', 'dia', 'eli'].map(name => `${name}@example.com`)
/** Which tool of the virtual server each source has. */
const parts = { 'stateless-http': 'write', 'session-stdio': 'echo', 'session-http': 'erase' }

let folder: string
let gateway: Launched
let supervisor: Supervisor
let admin: string
let api: Api
const tokens: string[] = []
const endings: Ending[] = []
const complaints: string[] = []

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-crowd-'))
  supervisor = await Supervisor.open(folder, `mark-${randomUUID()}`, randomOf(1))
  gateway = launch({ dataDir: join(folder, 'data'), port: await freePort(), env: limits })
  await gateway.ready()
  const transports = supervisor.transports()
  const file = join(folder, 'manifest.yaml')
  const manifest = {
    users: [{ email: ADMIN, role: 'admin' }, ...people.map(email => ({ email, role: 'member' }))],
    groups: [{ name: 'lab' }, { name: 'desk', access: [{ subject: 'everyone' }] }],
    servers: Object.keys(parts).map(name => ({ group: 'lab', name, transport: transports[name] })),
  }
  writeFileSync(file, JSON.stringify(manifest))
  await gateway.cli('apply', '-f', file)
  const printed = await gateway.cli('token', 'create', '--user', ADMIN, '--expires', '1d', '--json')
  admin = JSON.parse(printed).token
  api = apiOf(gateway.url, admin)
  for (const email of people) tokens.push((await tokenFor(api, `user:${email}`)).token)
  for (const name of Object.keys(parts)) await api(`POST /servers/lab/${name}/test`)
  const sources = Object.entries(parts).map(([name, tool]) => ({ server: `lab/${name}`, tools: [tool] }))
  await api('PUT /virtual-servers/desk/mixed/draft', { sources })
  await api('POST /virtual-servers/desk/mixed/publish')
})

afterAll(async () => {
  await gateway?.process.stop()
  await supervisor?.stop()
  if (folder) rmSync(folder, { recursive: true, force: true })
})

function seatClients(): ChaosClient[] {
  return Array.from({ length: CLIENTS }, (_, seat) => {
    return new ChaosClient({
      name: `c${seat}`,
      url: `${gateway.url}/mcp/desk/mixed/server`,
      token: tokens[seat % tokens.length] ?? '',
      server: 'mixed',
      era: seat % 2 === 0 ? 'session' : 'stateless',
      random: randomOf(100 + seat),
      endings,
      complaints,
    })
  })
}

it('every one of them gets an answer to each call, and hears nothing of the others', async () => {
  const clients = seatClients()
  for (const client of clients) client.live()
  await sleep(WORK_MS)
  await Promise.all(clients.map((client, seat) => client.leave({ endsSession: seat % 4 === 0 })))
  expect(endings.filter(({ end }) => end !== 'ok')).toEqual([])
  expect(complaints).toEqual([])
  const calls = endings.filter(({ what }) => what === 'call')
  for (const era of ['session', 'stateless'])
    expect(calls.filter(call => call.era === era).length).toBeGreaterThan(50)
})

it('each call was done once, by the source that has its tool', async () => {
  const calls = endings.filter(({ what }) => what === 'call').map(({ callId }) => callId)
  const done = supervisor.executions()
  expect(calls.filter(callId => done.get(callId)?.times !== 1)).toEqual([])
  expect(done.size).toBe(calls.length)
})

it('each call is in the audit once, with the source that did it', async () => {
  const calls = endings.filter(({ what }) => what === 'call')
  const events = await eventually(
    'all events',
    () => auditOf({ url: gateway.url, token: admin }, { action: 'tools/call', target: 'desk/mixed' }),
    found => found.length >= calls.length,
  )
  // No two calls have the same arguments.
  expect(new Set(events.map(({ input }) => input?.sha256)).size).toBe(calls.length)
  expect(events).toHaveLength(calls.length)
  for (const { subject, detail } of events) {
    const source = Object.entries(parts).find(([, tool]) => tool === subject)?.[0]
    expect(detail).toEqual({ source: `lab/${source}`, name: subject })
  }
})

it('nothing is left when they are gone: no session, no stream, no process, no connection to a source', async () => {
  const nothing = { sessions: 0, streams: 0, processes: 0, upstreamSockets: 0 }
  const held = () => heldBy({ url: gateway.url, pid: gateway.process.pid }, supervisor.ports())
  await eventually('the end of everything', held, ({ clientSockets, ...found }) => {
    return JSON.stringify(found) === JSON.stringify(nothing) && clientSockets <= KEPT_BY_FETCH
  })
  expect(supervisor.children()).toEqual([])
})
