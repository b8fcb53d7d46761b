/** Whatever a process does that the gateway runs, its callers get a clear answer, and it leaves nothing behind. */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, apiOf } from '../fixtures/api.ts'
import { type Gateway, oneGroup, startGateway, USER } from '../fixtures/gateway.ts'
import { CANARY } from '../fixtures/hostile-modes.ts'
import { answerOf, type Message, textOf } from '../fixtures/mcp-call.ts'
import { ROOT } from '../fixtures/process.ts'
import { type Answer, type Caller, callerOf } from '../fixtures/raw-client.ts'
import { auditOf, eventually, isRunning, residentBytes } from '../fixtures/watch.ts'

const megabyte = 1024 * 1024
const limits = {
  GATEHOUSE_LIMITS_CALL_SECONDS: '3',
  GATEHOUSE_LIMITS_MESSAGE_BYTES: String(megabyte),
}
const ADMIN = 'root@example.com'
const PROGRAM = join(ROOT, 'test', 'fixtures', 'hostile-stdio.ts')

let gateway: Gateway
let admin: Api
let stopped = false

const stdio = (way: string) => ({ kind: 'stdio', command: process.execPath, args: [PROGRAM, way] })
const as = (server: string): Caller =>
  callerOf('session', { url: `${gateway.url}/mcp/lab/${server}/server`, token: gateway.token })

beforeAll(async () => {
  const servers = {
    polite: stdio('polite'),
    other: stdio('polite'),
    noisy: stdio('noisy'),
    stubborn: stdio('stubborn'),
    exits: stdio('exits'),
    missing: { kind: 'stdio', command: 'no-such-mcp-server', args: [] },
  }
  const users = [
    { email: USER, role: 'member' },
    { email: ADMIN, role: 'admin' },
  ]
  gateway = await startGateway({ manifest: { ...oneGroup('lab', servers), users }, env: limits })
  const printed = await gateway.cli('token', 'create', '--user', ADMIN, '--expires', '1d', '--json')
  admin = apiOf(gateway.url, JSON.parse(printed).token)
})

afterAll(async () => {
  if (!stopped) await gateway?.stop()
})

const told = (answer: Answer): string => {
  expect(answer.text).not.toContain(CANARY)
  return textOf(answerOf(answer)) ?? answer.text
}

async function pidOf(caller: Caller): Promise<number> {
  return Number(/^fine from (\d+)$/.exec(told(await caller.call('ok')))?.[1])
}

function expectError({ error }: Message, code: string): void {
  const sentence = expect.stringMatching(/^[A-Z].*\.$/)
  expect(error).toMatchObject({ message: sentence, data: { code, why: sentence, fix: expect.any(String) } })
}

describe('a process that cannot be used', () => {
  it.each([
    ['exits', [/exited with code 3/, /no licence found/]],
    ['missing', [/no-such-mcp-server was not found/]],
  ] as const)('because it %s tells its callers that, and its managers why', async (server, reasons) => {
    const refused = callerOf('stateless', {
      url: `${gateway.url}/mcp/lab/${server}/server`,
      token: gateway.token,
    })
    const answer = await refused.call('ok')
    expect(answer.status).toBe(502)
    expect(answer.text).not.toContain(CANARY)
    expect(answer.text).not.toContain(process.env.PATH)
    expectError(answerOf(answer), 'upstream.process_failed')
    const events = await auditOf(gateway, { target: `lab/${server}`, action: 'tools/call' })
    expect(events.map(({ error }) => error)).toEqual(['upstream.process_failed'])
    const { ok, steps } = await admin<{ ok: boolean; steps: { why?: string }[] }>(
      `POST /servers/lab/${server}/test`,
    )
    expect(ok).toBe(false)
    for (const reason of reasons) expect(steps.at(-1)?.why).toMatch(reason)
  })

  it('is not started over and over', async () => {
    const why = () => as('exits').call('ok')
    for (let i = 0; i < 5; i++) await why().catch(() => undefined)
    const url = `${gateway.url}/mcp/lab/exits/server`
    // Between slow calls it is started again, a few times.
    await eventually(
      'a pause between starts',
      async () => (await callerOf('stateless', { url, token: gateway.token }).call('ok')).text,
      text => /The next start is tried in \d+ s/.test(text),
    )
    expect(told(await as('polite').call('echo', { message: 'unmoved' }))).toBe('unmoved')
  })
})

describe('a process that answers badly', () => {
  it('is heard through noise on its stdout', async () => {
    const caller = as('noisy')
    for (const message of ['one', 'two', 'three'])
      expect(told(await caller.call('echo', { message }))).toBe(message)
  })

  it('has its first answer taken, and no later one', async () => {
    const caller = as('polite')
    expect(told(await caller.call('twice'))).toBe('first')
    expect(told(await caller.call('echo', { message: 'next' }))).toBe('next')
  })

  it('gets nobody to take an answer with another id', async () => {
    const answer = await as('polite').call('other-id')
    expect(told(answer)).toContain('upstream.timeout')
    expectError(answerOf(answer), 'upstream.timeout')
    expect(told(await as('polite').call('echo', { message: 'mine' }))).toBe('mine')
  })

  it('too late, says it to nobody', async () => {
    const caller = as('polite')
    const late = await caller.call('late', { seconds: 4 })
    expectError(answerOf(late), 'upstream.timeout')
    // While the late answer arrives, the next ones are the right ones.
    for (let i = 0; i < 20; i++) {
      expect(told(await caller.call('echo', { message: `round ${i}` }))).toBe(`round ${i}`)
      await new Promise(resolve => setTimeout(resolve, 100))
    }
  })

  it('with a line without end is ended, and started anew for the next', async () => {
    const caller = as('other')
    const first = await pidOf(caller)
    const before = residentBytes(gateway.process.pid)
    const answer = await caller.call('long-line')
    expectError(answerOf(answer), 'upstream.outcome_unknown')
    expect(answer.status).toBe(502)
    expect(residentBytes(gateway.process.pid) - before).toBeLessThan(100 * megabyte)
    await eventually(
      'the end of the process',
      () => isRunning(first),
      running => !running,
    )
    const second = await pidOf(as('other'))
    expect(second).not.toBe(first)
  })

  it('by crashing fails the call, and the session goes on with the next process', async () => {
    const caller = as('other')
    const bystander = as('polite')
    await pidOf(caller)
    const answer = await caller.call('crash')
    expect(answer.text).not.toContain(CANARY)
    expectError(answerOf(answer), 'upstream.outcome_unknown')
    expect(await pidOf(caller)).toBeGreaterThan(0)
    expect(told(await bystander.call('echo', { message: 'unmoved' }))).toBe('unmoved')
  })
})

it('leaves no process behind, even one that ignores being asked to end', async () => {
  const pids = await Promise.all(['polite', 'noisy', 'stubborn'].map(server => pidOf(as(server))))
  expect(pids.every(isRunning)).toBe(true)
  stopped = true
  await gateway.stop()
  expect(pids.filter(isRunning)).toEqual([])
})
