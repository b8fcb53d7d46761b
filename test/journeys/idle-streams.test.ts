/** Idle streams are cheap: what a thousand of them of each era need, in the memory of the gateway's own process. */
import { readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, oneGroup, startGateway } from '../fixtures/gateway.ts'
import { type Era, inEra, openSession } from '../fixtures/mcp-call.ts'
import { ROOT } from '../fixtures/process.ts'
import { begin } from '../fixtures/raw-client.ts'
import { event, type ScriptedUpstream, startScripted } from '../fixtures/scripted-upstream.ts'
import { eventually } from '../fixtures/watch.ts'

const COUNT = 1000
const WARM_UP = 200
/** The goal is 25 KB; the rest is for what may not be given back at all. */
const MOST_BYTES = 35_000
const collecting = `--import=${pathToFileURL(join(ROOT, 'bench', 'collect-on-signal.mjs')).href}`

let gateway: Gateway
let upstream: ScriptedUpstream

beforeAll(async () => {
  upstream = await startScripted({
    GET: ({ events }) => events(),
    'subscriptions/listen': ({ id, events }) =>
      events(
        event({
          method: 'notifications/subscriptions/acknowledged',
          params: { notifications: {}, _meta: { 'io.modelcontextprotocol/subscriptionId': id } },
        }),
      ),
  })
  const transport = { kind: 'streamable-http', url: upstream.url, allowPrivateNetwork: true }
  gateway = await startGateway({
    manifest: oneGroup('lab', { idle: transport }),
    env: {
      NODE_OPTIONS: collecting,
      GATEHOUSE_LIMITS_SESSIONS_PER_PRINCIPAL: '5000',
      GATEHOUSE_LIMITS_STREAMS_PER_PRINCIPAL: '5000',
    },
  })
})

afterAll(async () => {
  await gateway?.stop()
  await upstream?.stop()
})

const url = () => `${gateway.url}/mcp/lab/idle/server`

async function openStream(era: Era, id: number): Promise<IncomingMessage> {
  const authorization = `Bearer ${gateway.token}`
  if (era === 'session') {
    const session = await openSession(url(), gateway.token)
    const headers = {
      accept: 'text/event-stream',
      'mcp-protocol-version': '2025-11-25',
      'mcp-session-id': session,
    }
    return begin(url(), { method: 'GET', headers: { authorization, ...headers } })
  }
  const asked = inEra(era, {
    id,
    method: 'subscriptions/listen',
    params: { notifications: { toolsListChanged: true } },
  })
  const headers = { authorization, 'content-type': 'application/json', ...asked.headers }
  return begin(url(), { headers, body: JSON.stringify(asked.body) })
}

async function openMany(era: Era, count: number): Promise<IncomingMessage[]> {
  const streams: IncomingMessage[] = []
  while (streams.length < count) {
    const batch = Array.from({ length: 50 }, (_, at) => openStream(era, streams.length + at + 1))
    streams.push(...(await Promise.all(batch)))
  }
  for (const stream of streams) stream.resume()
  return streams
}

/** What the gateway's process holds once it has collected its garbage: pages, from /proc. */
async function residentBytes(): Promise<number> {
  await sleep(500)
  process.kill(gateway.process.pid, 'SIGUSR2')
  await sleep(1500)
  const [, pages = ''] = readFileSync(`/proc/${gateway.process.pid}/statm`, 'utf8').split(' ')
  return Number(pages) * 4096
}

describe.runIf(process.platform === 'linux')('a thousand idle streams', () => {
  it.each(['stateless', 'session'] as const)('of the %s era', async era => {
    for (const stream of await openMany(era, WARM_UP)) stream.destroy()
    const before = await residentBytes()
    const streams = await openMany(era, COUNT)
    expect(streams.map(({ statusCode }) => statusCode)).toEqual(streams.map(() => 200))
    // A busy machine takes its time to give back what is not used.
    const each = await eventually(
      'bytes of each',
      async () => ((await residentBytes()) - before) / COUNT,
      bytes => bytes < MOST_BYTES,
    )
    expect(streams.filter(stream => stream.destroyed)).toEqual([])
    for (const stream of streams) stream.destroy()
    expect(each).toBeLessThan(MOST_BYTES)
    expect(each, 'a stream that costs nothing was not measured').toBeGreaterThan(1000)
  })
})
