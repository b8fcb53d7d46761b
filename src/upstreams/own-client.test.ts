import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { upstreamAt } from '../../test/fixtures/mcp-plane.ts'
import {
  type Script,
  type Scripted,
  type ScriptedUpstream,
  startScripted,
} from '../../test/fixtures/scripted-upstream.ts'
import { openAnnouncements } from '../foundation/announcements.ts'
import { systemClock } from '../foundation/clock.ts'
import { silentLog } from '../foundation/log.ts'
import { Connections } from './connections.ts'
import { markEquipped } from './equipped.ts'
import { findEras } from './find-eras.ts'
import { openOwnClient } from './own-client.ts'
import { probe } from './probe.ts'
import { openProcesses } from './transports/process.ts'
import type { Era } from './upstream.ts'

const limits = {
  messageBytes: 1e6,
  resultBytes: 1e6,
  callSeconds: 5,
  callSecondsMax: 5,
  connectSeconds: 2,
  cataloguePages: 5,
  catalogueItems: 50,
}
let upstream: ScriptedUpstream
let connections: Connections

async function begin(script: Script = {}) {
  upstream = await startScripted(script)
  const dataDir = mkdtempSync(join(tmpdir(), 'gatehouse-own-'))
  const around = { maximum: 1, dataDir, lineBytes: 1e6, environment: {}, log: silentLog }
  connections = new Connections({
    announcements: openAnnouncements(),
    clock: systemClock,
    processes: openProcesses(around),
    limits,
    searchPath: '',
  })
  return to(upstream.url)
}

const to = (url: string) =>
  markEquipped({
    upstream: upstreamAt(url),
    credentials: { headers: ['x-own', '1'], environment: () => ({}) },
    principalId: 'gateway',
  })

afterEach(async () => {
  await connections.close()
  await upstream.stop()
})

const status =
  (code: number, type = 'text/plain') =>
  ({ response }: Scripted) =>
    void response.writeHead(code, { 'content-type': type }).end('secret words')
const rpcError =
  (code: number) =>
  ({ id, response }: Scripted) =>
    void response
      .writeHead(400, { 'content-type': 'application/json' })
      .end(JSON.stringify({ jsonrpc: '2.0', id, error: { code, message: 'secret words' } }))

describe('the eras of a server', () => {
  it.each<[string, Script, string[]]>([
    ['that speaks both', {}, ['session', 'stateless']],
    ['that knows no discovery', { 'server/discover': rpcError(-32601) }, ['session']],
    ['that is silent about it', { 'server/discover': status(404) }, ['session']],
    ['that speaks only the later', { initialize: rpcError(-32022) }, ['stateless']],
    [
      'that has an objection only the later has',
      { initialize: status(400), 'server/discover': rpcError(-32021) },
      ['stateless'],
    ],
    [
      'that discovers something else',
      { 'server/discover': ({ result }) => result({ hello: 1 }) },
      ['session'],
    ],
  ])('%s', async (_, script, expected) => {
    const equipped = await begin(script)
    expect((await findEras(connections, equipped, { seconds: 5 })).eras).toEqual(expected)
    const opened = upstream.asked.filter(({ headers }) => headers['mcp-session-id'] !== undefined)
    if (expected.includes('session')) expect(opened.map(({ method }) => method)).toContain('DELETE')
    for (const { headers } of upstream.asked) expect(headers['x-own']).toBe('1')
  })

  it.each<[string, Script, string]>([
    [
      'refuses the credentials',
      { initialize: status(401), 'server/discover': status(401) },
      'upstream.unauthorized',
    ],
    ['is broken', { initialize: status(500), 'server/discover': status(500) }, 'upstream.unreachable'],
    [
      'speaks neither',
      { initialize: rpcError(-32601), 'server/discover': rpcError(-32601) },
      'mcp.era_unsupported',
    ],
    ['is no MCP server', { initialize: status(200), 'server/discover': status(200) }, 'upstream.bad_answer'],
  ])('are not known when it %s', async (_, script, code) => {
    const equipped = await begin(script)
    await expect(findEras(connections, equipped, { seconds: 5 })).rejects.toMatchObject({ code })
  })

  it('are given up in time, and a session that opens later is closed', async () => {
    let late: (() => void) | undefined
    const equipped = await begin({
      initialize({ response, result }) {
        response.setHeader('mcp-session-id', 'late')
        late = () => result({ protocolVersion: '2025-11-25', capabilities: {} })
      },
    })
    await expect(openOwnClient(connections, equipped, 'session', 0.1)).rejects.toMatchObject({
      code: 'upstream.timeout',
    })
    await vi.waitFor(() => expect(late).toBeDefined())
    late?.()
    await vi.waitFor(() => expect(upstream.named('DELETE')[0]?.headers['mcp-session-id']).toBe('late'))
  })

  it('leave no session behind when the opening is none', async () => {
    const equipped = await begin({
      initialize({ response }) {
        response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 'bad' }).end('[]')
      },
    })
    await expect(openOwnClient(connections, equipped, 'session', 5)).rejects.toMatchObject({
      code: 'upstream.bad_answer',
    })
    await vi.waitFor(() => expect(upstream.named('DELETE')[0]?.headers['mcp-session-id']).toBe('bad'))
  })

  it.each([401, 403, 500, 503])(
    'stay what they were where an answer of %d leaves the question open',
    async code => {
      const equipped = await begin({ 'server/discover': status(code) })
      const ask = (before: Era[]) => findEras(connections, equipped, { seconds: 5, before })
      expect(await ask([])).toEqual({ eras: ['session'], isCertain: false })
      expect(await ask(['session', 'stateless'])).toEqual({
        eras: ['session', 'stateless'],
        isCertain: false,
      })
    },
  )

  it('stay what they were where there is no answer in time', async () => {
    const equipped = await begin({ initialize: () => {} })
    const found = await findEras(connections, equipped, { seconds: 1, before: ['session'] })
    expect(found).toEqual({ eras: ['session', 'stateless'], isCertain: false })
  })
})

it('an error of the server is told by its code, never in its words', async () => {
  const equipped = await begin({ 'tools/list': rpcError(-32603) })
  const client = await openOwnClient(connections, equipped, 'stateless', 5)
  const failure = await client.ask('tools/list', {}).catch((error: unknown) => error)
  expect(failure).toMatchObject({ code: 'upstream.bad_answer', why: expect.stringContaining('-32603') })
  expect(JSON.stringify(failure)).not.toContain('secret')
})

describe('a probe', () => {
  const parts = () => ({ connections, clock: systemClock, limits })

  it('tells every step that works, and what was found', async () => {
    const equipped = await begin()
    const { ok, steps } = await probe(parts(), equipped)
    expect(ok).toBe(true)
    expect(steps.map(({ name, found }) => [name, found])).toEqual([
      ['resolve', '127.0.0.1'],
      ['connect', expect.stringMatching(/^port \d+ is open$/)],
      ['era', 'sessions (to 2025-11-25) and 2026-07-28'],
      ['tools', '1 tool'],
    ])
    expect(upstream.named('tools/call')).toEqual([])
  })

  it.each<[string, Script, string]>([
    ['era', { initialize: status(401), 'server/discover': status(401) }, 'It answered 401.'],
    ['tools', { 'tools/list': status(500) }, 'It answered 500.'],
  ])('stops at the step %s that fails, and says why', async (name, script, why) => {
    const equipped = await begin(script)
    const { ok, steps } = await probe(parts(), equipped)
    expect([ok, steps.at(-1)]).toMatchObject([false, { name, ok: false, why, fix: expect.any(String) }])
    expect(JSON.stringify(steps)).not.toContain('secret')
  })

  it('says that nothing listens, and that an address may not be reached', async () => {
    await begin()
    const closed = await probe(parts(), to('http://127.0.0.1:1/mcp'))
    expect(closed.steps.at(-1)).toMatchObject({
      name: 'connect',
      ok: false,
      why: 'Port 1 refuses connections.',
    })
    const guarded = to('http://10.0.0.1/mcp')
    const upstreamOf = {
      ...guarded.upstream,
      transport: { ...guarded.upstream.transport, allowPrivateNetwork: false },
    }
    const refused = await probe(
      parts(),
      markEquipped({
        upstream: upstreamOf as typeof guarded.upstream,
        principalId: guarded.principalId,
        credentials: guarded,
      }),
    )
    expect(refused.steps).toMatchObject([
      { name: 'resolve', ok: false, why: expect.stringContaining('not public') },
    ])
  })
})
