/** Servers that are restarted, crash or forget: their clients' sessions go on. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Client } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, oneGroup, startGateway } from '../fixtures/gateway.ts'
import { answerOf, textOf as textOfAnswer } from '../fixtures/mcp-call.ts'
import { freePort, ROOT } from '../fixtures/process.ts'
import { type Caller, callerOf } from '../fixtures/raw-client.ts'
import { connect, textOf } from '../fixtures/sdk-client.ts'
import { type Served, startEverything } from '../fixtures/servers.ts'
import { eventually, openFiles } from '../fixtures/watch.ts'

const kinds = ['streamable-http', 'sse'] as const
const FEATURES = 'demo://resource/static/document/features.md'

let folder: string
let gateway: Gateway
let ports: Record<(typeof kinds)[number], number>
const served = new Map<string, Served>()
const counter = (server: string) => join(folder, server)
const url = (server: string) => `${gateway.url}/mcp/lab/${server}/server`

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-heal-'))
  ports = { 'streamable-http': await freePort(), sse: await freePort() }
  for (const kind of kinds) served.set(kind, await startEverything(kind, ports[kind]))
  const fragile = join(ROOT, 'test', 'fixtures', 'fragile-stdio.ts')
  const program = (name: string) => ({
    kind: 'stdio',
    command: process.execPath,
    args: [fragile, counter(name)],
  })
  const transports = Object.fromEntries([...served].map(([kind, { transport }]) => [kind, transport]))
  const manifest = oneGroup('lab', {
    ...transports,
    stdio: program('stdio'),
    confirmed: program('confirmed'),
  })
  const servers = (manifest.servers as { name: string }[]).map(server =>
    server.name === 'confirmed' ? { ...server, tools: { idempotent: ['cr*'] } } : server,
  )
  gateway = await startGateway({ manifest: { ...manifest, servers } })
})

afterAll(async () => {
  await gateway?.stop()
  await Promise.all([...served.values()].map(one => one.stop()))
  if (folder) rmSync(folder, { recursive: true })
})

describe.each(kinds)('a client of server-everything over %s', kind => {
  const heard: string[] = []
  let client: Client

  beforeAll(async () => {
    client = await connect({
      url: url(kind),
      token: gateway.token,
      mode: 'legacy',
      prepare: one => {
        one.setNotificationHandler('notifications/tools/list_changed', () => void heard.push('tools'))
        one.setNotificationHandler(
          'notifications/resources/updated',
          ({ params }) => void heard.push(params.uri),
        )
      },
    })
    await client.subscribeResource({ uri: FEATURES })
  })
  afterAll(() => client?.close())

  it('goes on in its session when the server was restarted, and is told to look again', async () => {
    const echo = async (message: string) =>
      textOf(await client.callTool({ name: 'echo', arguments: { message } }))
    expect(await echo('before')).toBe('Echo: before')
    await served.get(kind)?.stop()
    heard.length = 0
    served.set(kind, await startEverything(kind, ports[kind]))
    expect(await echo('after')).toBe('Echo: after')
    await eventually(
      'news',
      () => [...heard],
      found => found.includes('tools') && found.includes(FEATURES),
    )
    // What it had subscribed to is subscribed to again.
    heard.length = 0
    await client.callTool({ name: 'toggle-subscriber-updates' })
    await eventually(
      'an update',
      () => [...heard],
      found => found.includes(FEATURES),
    )
    await client.callTool({ name: 'toggle-subscriber-updates' })
  })

  it('hears of a restart without asking for anything', async () => {
    await served.get(kind)?.stop()
    heard.length = 0
    served.set(kind, await startEverything(kind, ports[kind]))
    await eventually(
      'news',
      () => [...heard],
      found => found.includes('tools'),
    )
  })
})

// Until its parent, the gateway, has taken notice: a call before that would have an unknown outcome.
const endOf = (pid: number) =>
  eventually(
    'its end',
    () => existsSync(`/proc/${pid}`),
    isThere => !isThere,
  )

describe('a process that crashes under a session', () => {
  const executed = (server: string): string[] => {
    try {
      return readFileSync(counter(server), 'utf8').trim().split('\n')
    } catch {
      return []
    }
  }
  const session = async (server: string): Promise<Caller> => {
    const caller = callerOf('session', { url: url(server), token: gateway.token })
    await caller.call('pid')
    return caller
  }
  const pidOf = async (caller: Caller) => Number(textOfAnswer(answerOf(await caller.call('pid'))))

  it('is started again for whoever calls next', async () => {
    const caller = await session('stdio')
    const pid = await pidOf(caller)
    process.kill(pid, 'SIGKILL')
    await endOf(pid)
    const next = await pidOf(caller)
    expect(next).toBeGreaterThan(0)
    expect(next).not.toBe(pid)
  })

  it('in the middle of a call leaves its outcome unknown, and does not make it again', async () => {
    const caller = await session('stdio')
    const before = executed('stdio').length
    const { error } = answerOf(await caller.call('crash'))
    expect(error?.data).toMatchObject({ code: 'upstream.outcome_unknown', requestId: expect.any(String) })
    expect(executed('stdio').length - before).toBe(1)
  })

  it('in the middle of a call that was confirmed as harmless is not noticed', async () => {
    const caller = await session('confirmed')
    const before = executed('confirmed').length
    expect(textOfAnswer(answerOf(await caller.call('crash')))).toBe('survived')
    expect(executed('confirmed').length - before).toBe(2)
  })

  it('is started once for all of them', async () => {
    const callers = await Promise.all(Array.from({ length: 8 }, () => session('stdio')))
    const [pid = 0] = await Promise.all(callers.map(pidOf))
    process.kill(pid, 'SIGKILL')
    await endOf(pid)
    const pids = new Set(await Promise.all(callers.map(pidOf)))
    expect([pids.size, pids.has(pid)]).toEqual([1, false])
  })
})

it('nothing of all that is left open', async () => {
  const settled = await eventually(
    'few open files',
    () => openFiles(gateway.process.pid),
    files => files < 60,
  )
  expect(settled).toBeLessThan(60)
})
