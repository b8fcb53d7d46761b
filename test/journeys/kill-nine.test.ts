/** The gateway is killed in the middle of its work, again and again: every call it acknowledged is in the audit, once. */
import { createHash, randomUUID } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { apiOf } from '../fixtures/api.ts'
import { openDatabaseFile } from '../fixtures/database-file.ts'
import { type EchoServer, startEcho } from '../fixtures/echo-http.ts'
import { type Launched, launch } from '../fixtures/gateway.ts'
import { call } from '../fixtures/http-call.ts'
import { answerOf, inEra, textOf } from '../fixtures/mcp-call.ts'
import { freePort, ROOT } from '../fixtures/process.ts'

/** A third of what a release is held to; GATEHOUSE_TEST_KILLS=200 runs all of them. */
const rounds = Number(process.env.GATEHOUSE_TEST_KILLS ?? 70)
/** Data directories that are worked on side by side. */
const lanes = 2
const callsAtOnce = 8
const longestWorkMilliseconds = 300

/** What is left from round to round: the data directory, and what its gateways have acknowledged. */
type Lane = {
  readonly folder: string
  readonly port: number
  readonly token: string
  /** In the command line of every stdio server of this lane. */
  readonly mark: string
  /** SHA-256 of the arguments of every call that was answered. */
  readonly acknowledged: string[]
}

let echo: EchoServer

beforeAll(async () => {
  echo = await startEcho()
})

afterAll(() => echo?.stop())

const root = 'root@example.com'
const placeOf = ({ folder, port }: Pick<Lane, 'folder' | 'port'>) => ({ dataDir: join(folder, 'data'), port })

async function openLane(): Promise<Lane> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-kill-'))
  const port = await freePort()
  const mark = `mark-${randomUUID()}`
  const args = [join(ROOT, 'test', 'fixtures', 'echo-stdio.ts'), mark]
  const gateway = launch(placeOf({ folder, port }))
  await gateway.ready()
  const manifest = join(folder, 'manifest.json')
  const transports = { http: echo.transport, stdio: { kind: 'stdio', command: process.execPath, args } }
  writeFileSync(
    manifest,
    JSON.stringify({
      users: [{ email: root, role: 'admin' }],
      groups: [{ name: 'lab', access: [{ subject: 'everyone' }] }],
      servers: Object.entries(transports).map(([name, transport]) => ({ group: 'lab', name, transport })),
    }),
  )
  await gateway.cli('apply', '-f', manifest)
  const made = await gateway.cli('token', 'create', '--user', root, '--expires', '1d', '--json')
  await gateway.process.stop()
  return { folder, port, mark, token: JSON.parse(made).token, acknowledged: [] }
}

/** Calls one after the other until the gateway is gone; gives the number of answers through `answered`. */
async function callOn(lane: Lane, server: string, answered: () => void): Promise<void> {
  for (;;) {
    const args = { secret: randomUUID(), delay: Math.random() < 0.3 ? Math.random() * 10 : 0 }
    const asked = inEra('stateless', {
      id: 1,
      method: 'tools/call',
      params: { name: 'echo', arguments: args },
    })
    const url = `http://127.0.0.1:${lane.port}/mcp/lab/${server}/server`
    const [answer] = await Promise.allSettled([call(url, { ...asked, token: lane.token })])
    if (answer.status === 'rejected') return
    // Only a whole answer is an acknowledgement.
    expect(textOf(answerOf(answer.value))).toBe(args.secret)
    lane.acknowledged.push(createHash('sha256').update(JSON.stringify(args)).digest('hex'))
    answered()
  }
}

/** Lets it work for a while at full load; both servers have answered when this is over. */
async function work(lane: Lane, gateway: Launched): Promise<void> {
  await gateway.ready()
  const load = ['http', 'stdio'].flatMap(server => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const callers = Array.from({ length: callsAtOnce / 2 }, () => callOn(lane, server, resolve))
    return [{ first: promise, over: Promise.all(callers) }]
  })
  await Promise.all(load.map(({ first, over }) => Promise.race([first, over])))
  await sleep(Math.random() * longestWorkMilliseconds)
  await kill(gateway)
  await Promise.all(load.map(({ over }) => over))
}

async function kill(gateway: Launched): Promise<void> {
  process.kill(gateway.process.pid, 'SIGKILL')
  expect(await gateway.process.ended).toBe('SIGKILL')
}

/** Command lines that hold the text. */
function running(text: string): string[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(commandOf)
    .filter(command => command.includes(text))
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}

async function expectNothingLeft({ mark }: Lane): Promise<void> {
  const deadline = performance.now() + 60_000
  while (running(mark).length > 0) {
    if (performance.now() > deadline) throw new Error(`left running: ${running(mark).join('; ')}`)
    await sleep(20)
  }
}

async function round(lane: Lane, number: number): Promise<void> {
  const gateway = launch(placeOf(lane))
  // Now and then it does not even come to work.
  if (number % 8 === 7) {
    await sleep(Math.random() * 700)
    await kill(gateway)
  } else await work(lane, gateway)
  await expectNothingLeft(lane)
}

type Page = { items: { input: { sha256: string } | null; outcome: string }[]; next?: string }

/** How often each call is in the audit, by the hash of its arguments. */
async function recorded({ token }: Lane, { url }: Launched): Promise<Map<string, number>> {
  const api = apiOf(url, token)
  const times = new Map<string, number>()
  for (let before: string | undefined = ''; before !== undefined; ) {
    const older: string = before === '' ? '' : `&before=${before}`
    const { items, next }: Page = await api(`GET /audit?limit=500&action=tools/call${older}`)
    for (const { input } of items) if (input) times.set(input.sha256, (times.get(input.sha256) ?? 0) + 1)
    before = next
  }
  return times
}

async function closeLane(lane: Lane): Promise<void> {
  const gateway = launch(placeOf(lane))
  await gateway.ready()
  // What the last one left is taken up while the gateway already works.
  let times = await recorded(lane, gateway)
  for (let tries = 0; tries < 20 && lane.acknowledged.some(hash => !times.has(hash)); tries++) {
    await sleep(500)
    times = await recorded(lane, gateway)
  }
  expect(await gateway.process.stop()).toBe('ended')
  expect(lane.acknowledged.filter(hash => times.get(hash) !== 1)).toEqual([])
  expect([...times.values()].filter(count => count !== 1)).toEqual([])
  const database = openDatabaseFile(join(lane.folder, 'data'))
  expect(database.prepare('pragma integrity_check').all()).toEqual([{ integrity_check: 'ok' }])
  database.close()
  await expectNothingLeft(lane)
  rmSync(lane.folder, { recursive: true })
}

it(`no acknowledged call is lost in ${rounds} kills`, { timeout: 600_000 }, async () => {
  const all = await Promise.all(Array.from({ length: lanes }, openLane))
  let done = 0
  await Promise.all(
    all.map(async lane => {
      for (let number = 0; number < rounds / lanes; number++) {
        await round(lane, number)
        if (++done % 20 === 0) process.stderr.write(`${done} of ${rounds} kills\n`)
      }
    }),
  )
  for (const lane of all) {
    expect(lane.acknowledged.length).toBeGreaterThan(rounds / lanes)
    await closeLane(lane)
  }
})
