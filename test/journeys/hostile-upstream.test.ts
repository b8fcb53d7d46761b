/** Whatever an upstream does, its caller gets one clear answer in time, and nobody else notices. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, oneGroup, startGateway } from '../fixtures/gateway.ts'
import { CANARY } from '../fixtures/hostile-modes.ts'
import { type HostileUpstream, startHostileUpstream } from '../fixtures/hostile-upstream.ts'
import { answerOf, type Era, messagesOf, textOf } from '../fixtures/mcp-call.ts'
import { type Answer, type Caller, callerOf } from '../fixtures/raw-client.ts'
import { auditOf, eventually, openFiles, residentBytes } from '../fixtures/watch.ts'

const megabyte = 1024 * 1024
const limits = {
  GATEHOUSE_LIMITS_CALL_SECONDS: '2',
  GATEHOUSE_LIMITS_CALL_SECONDS_MAX: '4',
  GATEHOUSE_LIMITS_RESULT_BYTES: String(8 * megabyte),
  GATEHOUSE_LIMITS_MESSAGE_BYTES: String(megabyte),
}

let gateway: Gateway
let hostile: HostileUpstream
let healthy: HostileUpstream
let callers: Record<Era, Caller>
let bystander: Caller
let filesBefore: number
let memoryBefore: number
let calls = 0

const target = (server: string) => ({ url: `${gateway.url}/mcp/lab/${server}/server`, token: gateway.token })

beforeAll(async () => {
  ;[hostile, healthy] = await Promise.all([startHostileUpstream(), startHostileUpstream()])
  const servers = { hostile: hostile.transport(), healthy: healthy.transport() }
  gateway = await startGateway({ manifest: oneGroup('lab', servers), env: limits })
  callers = {
    stateless: callerOf('stateless', target('hostile')),
    session: callerOf('session', target('hostile')),
  }
  bystander = callerOf('stateless', target('healthy'))
  for (const era of ['stateless', 'session'] as const) await callers[era].call('ok')
  await bystander.call('ok')
  filesBefore = openFiles(gateway.process.pid)
  memoryBefore = residentBytes(gateway.process.pid)
})

afterAll(async () => {
  await gateway?.stop()
  await Promise.all([hostile?.stop(), healthy?.stop()])
})

/** Calls the tool, and meanwhile another server, which has to answer as ever. */
async function provoke(era: Era, tool: string, progressToken?: string): Promise<Answer> {
  calls++
  const [answer, meanwhile] = await Promise.all([
    callers[era].call(tool, {}, progressToken),
    bystander.call('ok'),
  ])
  expect(textOf(answerOf(meanwhile))).toBe('fine')
  expect(`${JSON.stringify(answer.headers)}${answer.text}`).not.toContain(CANARY)
  expect(hostile.calls(tool)).toHaveLength(timesCalled[era])
  return answer
}

// Each tool is called once in each era, and never called again by the gateway itself.
const timesCalled = { stateless: 1, session: 2 }

async function expectOneEvent(era: Era, tool: string, error: string | null): Promise<void> {
  const found = await eventually(
    `an event about ${tool}`,
    async () =>
      (await auditOf(gateway, { action: 'tools/call', target: 'lab/hostile' })).filter(
        event => event.subject === tool && event.era === era,
      ),
    events => events.length > 0,
  )
  expect(found.map(event => event.error)).toEqual([error])
  expect(found[0]?.decision?.allowed).toBe(true)
}

function expectClear(answer: Answer, code: string): void {
  const sentence = expect.stringMatching(/^[A-Z].*\.$/)
  const data = { code, why: sentence, fix: sentence, requestId: expect.stringMatching(/^\S{10,}$/) }
  expect(answerOf(answer)).toEqual({
    jsonrpc: '2.0',
    id: 1,
    error: { code: rpcCodes[code], message: sentence, data },
  })
}

const rpcCodes: Readonly<Record<string, number>> = {
  'upstream.unreachable': 31_010,
  'upstream.timeout': 31_011,
  'upstream.bad_answer': 31_012,
  'upstream.outcome_unknown': 31_013,
  'upstream.too_large': 31_014,
  'upstream.unauthorized': 31_015,
}

const failures: readonly (readonly [tool: string, status: number, code: string])[] = [
  ['hang', 504, 'upstream.timeout'],
  ['half-open', 502, 'upstream.outcome_unknown'],
  ['reset-before-headers', 502, 'upstream.outcome_unknown'],
  ['reset-after-headers', 502, 'upstream.outcome_unknown'],
  ['reset-mid-body', 502, 'upstream.outcome_unknown'],
  ['not-http', 502, 'upstream.bad_answer'],
  ['not-json', 502, 'upstream.bad_answer'],
  ['not-json-rpc', 502, 'upstream.bad_answer'],
  ['two-json-texts', 502, 'upstream.bad_answer'],
  ['truncated', 502, 'upstream.outcome_unknown'],
  ['truncated-chunks', 502, 'upstream.outcome_unknown'],
  ['wrong-type', 502, 'upstream.bad_answer'],
  ['no-type', 502, 'upstream.bad_answer'],
  ['html-500', 502, 'upstream.unreachable'],
  ['login-401', 502, 'upstream.unauthorized'],
  ['redirect', 502, 'upstream.bad_answer'],
  ['gzip', 502, 'upstream.bad_answer'],
  ['gzip-bomb', 502, 'upstream.bad_answer'],
  ['late', 504, 'upstream.timeout'],
  ['drip-json', 504, 'upstream.timeout'],
  ['drip-headers', 504, 'upstream.timeout'],
  ['other-id', 502, 'upstream.bad_answer'],
  ['no-id', 502, 'upstream.bad_answer'],
  ['error-without-id', 502, 'upstream.bad_answer'],
  ['oversize-headers', 502, 'upstream.bad_answer'],
]

/** Here the stream to the client was open already when things went wrong: the error is its last event. */
const lateFailures: readonly (readonly [tool: string, code: string])[] = [
  ['truncated-events', 'upstream.outcome_unknown'],
  ['late-in-events', 'upstream.timeout'],
  ['asks-with-no-id', 'upstream.bad_answer'],
  ['drip-comments', 'upstream.timeout'],
  ['drip-progress', 'upstream.timeout'],
  ['huge-notification', 'upstream.bad_answer'],
  ['flood', 'upstream.too_large'],
]

/** Here a part of the answer was out already: the connection is cut, so that nobody takes it for whole. */
const cuts: readonly (readonly [tool: string, code: string])[] = [
  ['reset-mid-stream', 'upstream.outcome_unknown'],
  ['huge-json', 'upstream.too_large'],
  ['huge-events', 'upstream.too_large'],
]

const successes = [
  'two-answers',
  'answers-and-stays',
  'asks-back',
  'unknown-notification',
  'asks-flood',
  'asks-what-nobody-knows',
  'foreign-subscription',
  'foreign-cancel',
  'foreign-progress',
]

describe.each(['stateless', 'session'] as const)('a call in the %s era', era => {
  it.each(failures)('of %s is answered with %i and %s', async (tool, status, code) => {
    const answer = await provoke(era, tool)
    expect(answer.status).toBe(status)
    expectClear(answer, code)
    await expectOneEvent(era, tool, code)
  })

  it.each(lateFailures)('of %s ends its stream with %s', async (tool, code) => {
    const answer = await provoke(era, tool)
    expect(answer.isCut).toBe(false)
    expectClear(answer, code)
    await expectOneEvent(era, tool, code)
  })

  it.each(cuts)('of %s is cut, and recorded as %s', async (tool, code) => {
    const answer = await provoke(era, tool)
    expect(answer.isCut).toBe(true)
    expect(answer.bytes.length).toBeLessThan(9 * megabyte)
    await expectOneEvent(era, tool, code)
  })

  it('of other-id-long never gives the answer to another request', async () => {
    const answer = await provoke(era, 'other-id-long')
    expect(answer.text).not.toContain('abcdef')
    await expectOneEvent(era, 'other-id-long', 'upstream.bad_answer')
  })

  it.each(successes)('of %s succeeds all the same', async tool => {
    const answer = await provoke(era, tool, 'mine')
    const messages = messagesOf(answer)
    const cancelled = messages.filter(({ method }) => method === 'notifications/cancelled')
    // With sessions it may take back what it has asked itself.
    expect(era === 'session' ? [] : cancelled).toEqual([])
    expect(messages.filter(({ id }) => id === 1)).toHaveLength(1)
    expect(textOf(answerOf(answer))).toMatch(/^(?:fine|first)$/)
    const progress = messages.filter(({ method }) => method === 'notifications/progress')
    expect(progress.every(({ params }) => params?.progressToken === 'mine' && params.progress === 0.5)).toBe(
      true,
    )
    await expectOneEvent(era, tool, null)
  })
})

describe('afterwards', () => {
  it('nobody followed a redirect', () => expect(hostile.trapped()).toBe(0))

  it('every call has left one event', async () => {
    const events = await auditOf(gateway, { action: 'tools/call', target: 'lab/hostile' })
    expect(events.filter(({ subject }) => subject !== 'ok')).toHaveLength(calls)
  })

  it('no connection stays open', async () => {
    await eventually('closed connections', hostile.connections, open => open === 0)
    await eventually(
      'closed files',
      () => openFiles(gateway.process.pid),
      open => open <= filesBefore + 5,
    )
  })

  it('memory is where it was, and the gateway answers', async () => {
    expect(residentBytes(gateway.process.pid) - memoryBefore).toBeLessThan(150 * megabyte)
    for (const era of ['session', 'stateless'] as const)
      expect(textOf(answerOf(await callers[era].call('ok')))).toBe('fine')
  })
})
