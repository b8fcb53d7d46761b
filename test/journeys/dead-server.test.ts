/** Servers that hang or are dead trouble nobody but those who call them, and say what is wrong with them. */
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, apiOf } from '../fixtures/api.ts'
import { type EchoServer, startEcho } from '../fixtures/echo-http.ts'
import { type Gateway, startGateway } from '../fixtures/gateway.ts'
import { type Answered, call } from '../fixtures/http-call.ts'
import { answerOf, type Era, inEra, openSession, textOf } from '../fixtures/mcp-call.ts'
import { freePort, ROOT } from '../fixtures/process.ts'

const limits = {
  GATEHOUSE_LIMITS_CALL_SECONDS: '10',
  GATEHOUSE_LIMITS_CONNECT_SECONDS: '2',
}

let folder: string
let gateway: Gateway
let api: Api
let healthy: EchoServer
let stalling: EchoServer
let silent: Server
const silenced = new Set<Socket>()

/** Accepts whoever comes, and says nothing. */
async function startSilent(): Promise<Server> {
  const server = createServer(socket => {
    silenced.add(socket.on('error', () => socket.destroy()))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

function scriptOf(name: string, source: string): string {
  const path = join(folder, `${name}.mjs`)
  writeFileSync(path, source)
  return path
}

const node = (...args: string[]) => ({ kind: 'stdio', command: process.execPath, args })
const http = (port: number) => ({
  kind: 'streamable-http',
  url: `http://127.0.0.1:${port}/mcp`,
  allowPrivateNetwork: true,
})

let transports: Record<string, unknown>
const well = ['healthy', 'healthy-stdio']

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-dead-'))
  ;[healthy, stalling, silent] = await Promise.all([startEcho(), startEcho(), startSilent()])
  const address = silent.address()
  transports = {
    healthy: healthy.transport,
    'healthy-stdio': node(join(ROOT, 'test', 'fixtures', 'echo-stdio.ts')),
    stalling: stalling.transport,
    silent: http(typeof address === 'object' && address ? address.port : 0),
    dead: http(await freePort()),
    'silent-stdio': node(scriptOf('silent', 'process.stdin.resume()')),
    'dead-stdio': node(scriptOf('dead', `console.error('the key is missing'); process.exit(3)`)),
    'no-such-host': { kind: 'streamable-http', url: 'http://mcp.invalid/mcp', allowPrivateNetwork: true },
  }
  const users = [{ email: 'root@example.com', role: 'admin' }]
  const manifest = { users, groups: [{ name: 'lab', access: [{ subject: 'everyone' }] }] }
  gateway = await startGateway({ user: 'root@example.com', manifest, env: limits })
  api = apiOf(gateway.url, gateway.token)
})

afterAll(async () => {
  await gateway?.stop()
  for (const socket of silenced) socket.destroy()
  silent?.close()
  await Promise.all([healthy?.stop(), stalling?.stop()])
  if (folder) rmSync(folder, { recursive: true })
})

const urlOf = (server: string) => `${gateway.url}/mcp/lab/${server}/server`

function callTool(server: string, era: Era, asked: { delay?: number; session?: string }): Promise<Answered> {
  const { delay = 0, session } = asked
  const params = { name: 'echo', arguments: { secret: 'done', delay } }
  return call(urlOf(server), {
    ...inEra(era, { id: 1, method: 'tools/call', params, session }),
    token: gateway.token,
  })
}

type Step = { name: string; ok: boolean; milliseconds: number; why?: string; fix?: string }
type Report = { ok: boolean; steps: Step[] }

it('servers are registered whether they live or not', async () => {
  for (const [name, transport] of Object.entries(transports))
    await api('POST /servers', { group: 'lab', name, transport })
  const { items } = await api<{ items: { name: string }[] }>('GET /servers')
  expect(items.map(({ name }) => name)).toEqual(Object.keys(transports).sort())
})

describe('a probe says what is wrong and how to put it right', () => {
  const reports: Record<string, Report> = {}
  beforeAll(async () => {
    const probe = async (server: string) => {
      reports[server] = await api<Report>(`POST /servers/lab/${server}/test`)
    }
    await Promise.all(Object.keys(transports).map(probe))
  })

  it.each([
    ['dead', 'connect', /refuses connections/],
    ['no-such-host', 'resolve', /resolve|host/i],
    ['silent', 'era', /time|within/],
    ['silent-stdio', 'era', /time|within/],
    ['dead-stdio', 'era', /the key is missing/],
  ])('%s fails at the step %s', (server, failing, why) => {
    const { ok, steps = [] } = reports[server] ?? {}
    expect(ok).toBe(false)
    const step = steps.at(-1)
    expect(step).toMatchObject({ name: failing, ok: false, milliseconds: expect.any(Number) })
    expect(step?.why).toMatch(why)
    expect(step?.fix).toMatch(/^[A-Z].{10,}/)
    expect(steps.slice(0, -1).every(({ ok }) => ok)).toBe(true)
  })

  it.each(well)('%s passes every step', server => {
    expect(reports[server]).toMatchObject({ ok: true })
    expect(reports[server]?.steps.map(({ name }) => name)).toEqual(expect.arrayContaining(['era', 'tools']))
  })
})

/** What is under way at servers that do not answer. */
function trouble(): { readonly answers: Promise<Answered[]>; settled(): number } {
  const silentCalls = ['silent', 'silent-stdio'].flatMap(server =>
    Array.from({ length: 20 }, () => callTool(server, 'stateless', {})),
  )
  // More than the gateway opens connections to one server.
  const stalled = Array.from({ length: 300 }, () => callTool('stalling', 'stateless', { delay: 600_000 }))
  const all = [...silentCalls, ...stalled]
  let settled = 0
  for (const one of all) one.finally(() => settled++).catch(() => undefined)
  return { answers: Promise.all(all), settled: () => settled }
}

it('while some hang, the others list and answer as ever', async () => {
  const sessions = await Promise.all(well.map(server => openSession(urlOf(server), gateway.token)))
  // Callers of a server that is being read wait for that reading: let the one since its registration come to its end first.
  await Promise.all(['silent', 'silent-stdio'].map(server => callTool(server, 'stateless', {})))
  const { answers, settled } = trouble()
  // On a slow machine fewer rounds end before the first of those that hang is given up.
  let rounds = 0
  while (rounds < 10 && settled() === 0) {
    for (const [index, server] of well.entries()) {
      const session = sessions[index] ?? ''
      const got = await Promise.all([
        callTool(server, 'stateless', {}),
        callTool(server, 'session', { session }),
        callTool('dead', 'stateless', {}),
      ])
      expect(got.map(answered => textOf(answerOf(answered)))).toEqual(['done', 'done', undefined])
      const list = inEra('stateless', { id: 2, method: 'tools/list' })
      const { result } = answerOf(await call(urlOf(server), { ...list, token: gateway.token }))
      expect(result?.tools).toHaveLength(3)
    }
    const { items } = await api<{ items: { server: string }[] }>('GET /tools')
    expect(items.filter(({ server }) => server === 'lab/healthy')).toHaveLength(3)
    if (settled() === 0) rounds++
  }
  // All of that happened while not one of the others had come to an end.
  expect(rounds).toBeGreaterThan(0)
  for (const answered of await answers) {
    expect(answerOf(answered).error).toMatchObject({ data: { code: expect.stringMatching(/^upstream\./) } })
  }
})

it('a dead server answers at once, with what to do', async () => {
  const answered = await callTool('dead', 'stateless', {})
  expect(answered.status).toBe(502)
  expect(answerOf(answered).error?.data).toMatchObject({
    code: 'upstream.unreachable',
    fix: expect.stringContaining('gatehouse server test'),
  })
})
