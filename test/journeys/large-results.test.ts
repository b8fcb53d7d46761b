/** Large answers go through the gateway, not into it. */
import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, oneGroup, startGateway } from '../fixtures/gateway.ts'
import { bigEnd, bigStart, fillerOf } from '../fixtures/hostile-modes.ts'
import { type HostileUpstream, startHostileUpstream } from '../fixtures/hostile-upstream.ts'
import { answerOf, type Era, textOf } from '../fixtures/mcp-call.ts'
import { type Caller, callerOf } from '../fixtures/raw-client.ts'
import { auditOf, eventually, growthDuring, openFiles } from '../fixtures/watch.ts'

const megabyte = 1024 * 1024
const SIZE = 20 * megabyte
const CALLERS = 50
const STALLED = 20

let gateway: Gateway
let upstream: HostileUpstream

const as = (era: Era): Caller =>
  callerOf(era, { url: `${gateway.url}/mcp/lab/large/server`, token: gateway.token })

beforeAll(async () => {
  upstream = await startHostileUpstream()
  gateway = await startGateway({
    manifest: oneGroup('lab', { large: upstream.transport() }),
    env: {
      GATEHOUSE_LIMITS_SESSIONS_PER_PRINCIPAL: '1000',
      GATEHOUSE_LIMITS_RESULT_BYTES: String(64 * megabyte),
    },
  })
})

afterAll(async () => {
  await gateway?.stop()
  await upstream?.stop()
})

/** Of the answer without what a session puts before its message: an event to resume from, and the id of the event. */
async function sha256Of(response: IncomingMessage): Promise<string> {
  const hash = createHash('sha256')
  let head: string | undefined = ''
  for await (const part of response) {
    if (head === undefined) hash.update(part)
    else {
      head += part.toString('latin1')
      if (!head.includes('{')) continue
      hash.update(head.replace(/^id: .+\ndata:\n\n/, '').replace(/^id: .+\n/m, ''), 'latin1')
      head = undefined
    }
  }
  return hash.digest('hex')
}

/** What each caller should see; the answers differ in their last bytes only. */
function expectedHashes(framing: string): string[] {
  const isEvents = framing === 'events'
  const start = createHash('sha256')
    .update((isEvents ? 'event: message\ndata: ' : '') + bigStart(1))
    .update(fillerOf(SIZE))
  return Array.from({ length: CALLERS }, (_, seed) =>
    start
      .copy()
      .update(bigEnd(seed) + (isEvents ? '\n\n' : ''))
      .digest('hex'),
  )
}

describe.each([
  ['json', 'stateless'],
  ['json', 'session'],
  ['events', 'stateless'],
  ['events', 'session'],
] as const)(`${CALLERS} results of 20 MB as %s in the %s era`, (framing, era) => {
  it('arrive byte for byte at the same time, and the gateway stays small', async () => {
    const callers = Array.from({ length: CALLERS }, () => as(era))
    const expected = expectedHashes(framing)
    await sha256Of(await as(era).begin('big', { bytes: SIZE, framing, seed: 0 }))
    let hashes: string[] = []
    const growth = await growthDuring(gateway.process.pid, async () => {
      hashes = await Promise.all(
        callers.map(async (one, seed) => sha256Of(await one.begin('big', { bytes: SIZE, framing, seed }))),
      )
    })
    expect(hashes).toEqual(expected)
    expect(growth).toBeLessThan(150 * megabyte)
  })
})

it('records every one of them, with its size', async () => {
  const calls = 4 * (CALLERS + 1)
  const events = await eventually(
    'an event for each call',
    () => auditOf(gateway, { action: 'tools/call', target: 'lab/large' }),
    found => found.length >= calls,
  )
  expect(events).toHaveLength(calls)
  expect(events.every(({ outcome, bytes }) => outcome === 'ok' && bytes.out > SIZE)).toBe(true)
})

describe.each(['stateless', 'session'] as const)('clients of the %s era that stop reading', era => {
  it.each([
    ['big', { bytes: 200 * megabyte }],
    ['big', { bytes: 200 * megabyte, framing: 'events' }],
    ['flood', {}],
  ])('an answer of %s %o cost no memory, and nobody else notices', async (tool, args) => {
    const bystander = as('stateless')
    await bystander.call('ok')
    const growth = await growthDuring(gateway.process.pid, async () => {
      const stalled = await Promise.all(Array.from({ length: STALLED }, () => as(era).begin(tool, args)))
      for (const response of stalled) response.pause()
      for (let i = 0; i < 20; i++) {
        expect(textOf(answerOf(await bystander.call('ok')))).toBe('fine')
        await new Promise(resolve => setTimeout(resolve, 50))
      }
      for (const response of stalled) response.destroy()
    })
    expect(growth).toBeLessThan(150 * megabyte)
  })
})

it('lets go of everything when the clients are gone', async () => {
  await eventually('closed connections', upstream.connections, open => open === 0)
})

it('gives up on clients that never read on', { timeout: 240_000 }, async () => {
  const hasty = await startGateway({
    manifest: oneGroup('lab', { large: upstream.transport() }),
    env: { GATEHOUSE_LIMITS_CALL_SECONDS: '2', GATEHOUSE_LIMITS_CALL_SECONDS_MAX: '3' },
  })
  try {
    const target = { url: `${hasty.url}/mcp/lab/large/server`, token: hasty.token }
    for (const era of ['stateless', 'session'] as const) await callerOf(era, target).call('ok')
    await eventually('closed connections', upstream.connections, open => open === 0)
    const before = openFiles(hasty.process.pid)
    const stalled: IncomingMessage[] = []
    for (const era of ['stateless', 'session'] as const)
      for (const [tool, args] of [
        ['big', { bytes: 200 * megabyte }],
        ['big', { bytes: 200 * megabyte, framing: 'events' }],
        ['flood', {}],
      ] as const)
        stalled.push((await callerOf(era, target).begin(tool, args)).pause())
    await eventually('closed connections upstream', upstream.connections, open => open === 0)
    await eventually(
      'closed connections of clients',
      () => openFiles(hasty.process.pid),
      open => open <= before,
    )
    for (const response of stalled) response.destroy()
  } finally {
    await hasty.stop()
  }
})
