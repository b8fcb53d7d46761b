/** Approvals hold in every gateway of a database and after a restart; and servers as they are in the world need none. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { apiOf } from '../fixtures/api.ts'
import { type ChangingServer, startChangingServer } from '../fixtures/changing-server.ts'
import { type Gateway, type Launched, launch, oneGroup, startGateway, USER } from '../fixtures/gateway.ts'
import { call } from '../fixtures/http-call.ts'
import { answerOf, type Era, inEra, openSession } from '../fixtures/mcp-call.ts'
import { type PostgresServer, startPostgres } from '../fixtures/postgres-server.ts'
import { freePort } from '../fixtures/process.ts'
import { type Served, startConformanceServer, startEverything, stdio } from '../fixtures/servers.ts'
import { eventually } from '../fixtures/watch.ts'

type Place = { readonly url: string; readonly token: string }

async function list({ url, token }: Place, server: string, era: Era): Promise<{ name: string }[]> {
  const at = `${url}/mcp/lab/${server}/server`
  const session = era === 'session' ? await openSession(at, token) : undefined
  const { result } = answerOf(
    await call(at, { ...inEra(era, { id: 1, method: 'tools/list', session }), token }),
  )
  if (!Array.isArray(result?.tools)) throw new Error(`${server} lists no tools`)
  return result.tools
}

async function callTool({ url, token }: Place, server: string, name: string) {
  const asked = inEra('stateless', { id: 1, method: 'tools/call', params: { name, arguments: {} } })
  const { error } = answerOf(await call(`${url}/mcp/lab/${server}/server`, { ...asked, token }))
  return (error?.data as { code?: string } | undefined)?.code
}

/** A manifest whose user is an admin, who may use everything of the group. */
function manifestOf(servers: Record<string, Record<string, unknown>>) {
  return { ...oneGroup('lab', servers), users: [{ email: USER, role: 'admin' }] }
}

describe('two gateways of one database', () => {
  const work = { name: 'work', description: 'Works.', inputSchema: { type: 'object' } }
  const evil = { ...work, description: 'Works for somebody else.' }
  let postgres: PostgresServer
  let server: ChangingServer
  let first: Gateway
  let second: Launched
  let folder: string
  let env: Record<string, string>

  beforeAll(async () => {
    ;[postgres, server] = await Promise.all([startPostgres(), startChangingServer('stateless')])
    server.show(work)
    env = { GATEHOUSE_DATABASE_URL: await postgres.createDatabase() }
    first = await startGateway({ manifest: manifestOf({ changing: server.transport }), env })
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-second-'))
    cpSync(join(first.dataDir, 'keys'), join(folder, 'data', 'keys'), { recursive: true })
    second = launch({ dataDir: join(folder, 'data'), port: await freePort(), env })
    await second.ready()
  })

  afterAll(async () => {
    await Promise.all([first?.stop(), second?.process.stop()])
    await Promise.all([server?.stop(), postgres?.stop()])
    if (folder) rmSync(folder, { recursive: true, force: true })
  })

  const both = () => [first, second].map(({ url }) => ({ url, token: first.token }))
  const listed = () => Promise.all(both().map(place => list(place, 'changing', 'stateless')))
  const codes = () => Promise.all(both().map(place => callTool(place, 'changing', 'work')))

  it('hold what one of them saw, and let go what a manager approved at the other', async () => {
    expect(await listed()).toEqual([[work], [work]])
    server.show(evil)
    expect(await listed()).toEqual([[], []])
    server.show(work)
    await eventually('the hold is gone', listed, lists => lists.every(tools => tools.length === 1))
    server.show(evil)
    const [, there] = both()
    if (there === undefined) throw new Error('there are two')
    expect(await list(there, 'changing', 'stateless')).toEqual([])
    // The first was shown nothing, and hears of it from the database.
    await eventually('the hold is known', codes, found => found.every(code => code === 'access.tool_held'))
    await second.cli('tools', 'approve', 'lab/changing', 'work')
    await eventually('the approval is known', codes, found => found.every(code => code === undefined))
    expect(await listed()).toEqual([[evil], [evil]])
  })

  it('know it after a restart', async () => {
    await first.cli('tools', 'hold', 'lab/changing', 'work')
    await second.process.stop()
    second = launch({ dataDir: join(folder, 'data'), port: await freePort(), env })
    await second.ready()
    expect(await codes()).toEqual(['access.tool_held', 'access.tool_held'])
    const { items } = await apiOf(
      second.url,
      first.token,
    )<{ items: unknown[] }>('GET /servers/lab/changing/review')
    expect(items).toMatchObject([{ name: 'work', state: 'held', heldBy: 'operator' }])
  })
})

describe('servers as they are', () => {
  let gateway: Gateway
  let served: Record<string, Served>
  let folder: string

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-real-'))
    served = { remote: await startEverything('streamable-http'), conformant: await startConformanceServer() }
    const remote = Object.fromEntries(
      Object.entries(served).map(([name, { transport }]) => [name, transport]),
    )
    const local = {
      everything: stdio.everything(),
      filesystem: stdio.filesystem(folder),
      memory: stdio.memory(join(folder, 'memory.json')),
      dbhub: stdio.dbhub(),
    }
    gateway = await startGateway({ manifest: manifestOf({ ...remote, ...local }) })
  })

  afterAll(async () => {
    await gateway?.stop()
    await Promise.all(Object.values(served ?? {}).map(({ stop }) => stop()))
    if (folder) rmSync(folder, { recursive: true, force: true })
  })

  it.each(['everything', 'filesystem', 'memory', 'dbhub', 'remote', 'conformant'])(
    'such as %s have nothing held, whichever era asks, and nothing grave said of them',
    async server => {
      const api = apiOf(gateway.url, gateway.token)
      await api(`POST /servers/lab/${server}/test`)
      const { items: known } = await api<{ items: unknown[] }>(`GET /servers/lab/${server}/tools`)
      expect(known.length).toBeGreaterThan(0)
      for (const era of ['session', 'stateless', 'session'] as const)
        expect((await list(gateway, server, era)).length).toBeGreaterThan(0)
      type Reviewed = { name: string; state: string; findings: { severity: string; kind: string }[] }
      const { items } = await api<{ items: Reviewed[] }>(`GET /servers/lab/${server}/review`)
      expect(items.filter(({ state }) => state !== 'approved')).toEqual([])
      const findings = items.flatMap(item => item.findings.map(({ kind }) => `${item.name} ${kind}`))
      // Two of the servers here are the same.
      expect(findings.filter(finding => !finding.endsWith('same-name'))).toEqual([])
    },
  )
})
