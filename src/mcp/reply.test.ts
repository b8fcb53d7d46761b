import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { open } from '../../test/fixtures/http-call.ts'
import { memoryAudit, testMasterKey } from '../../test/fixtures/identity.ts'
import { eventsOf } from '../../test/fixtures/mcp-call.ts'
import { systemClock } from '../foundation/clock.ts'
import { GatewayError } from '../foundation/errors.ts'
import { openHandles } from '../foundation/handles.ts'
import { openMetrics } from '../telemetry/metrics.ts'
import { Exchange } from './exchange.ts'
import { Reply, type ReplyOptions } from './reply.ts'

let server: Server
let url: string
let arrived: (exchange: Exchange) => void
const audit = memoryAudit()
const handles = openHandles(testMasterKey, systemClock)
const parts = { audit, metrics: openMetrics(), clock: systemClock, handles }

beforeAll(async () => {
  server = createServer((request, response) => arrived(new Exchange(parts, request, response, 'tcp', 'r')))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
})

afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
})

const upstreamId = 1_234_567_890

/** A request of a client that waits, its reply, and what the upstream's flight is told. */
async function waiting(era: 'session' | 'stateless', more: Partial<ReplyOptions> = {}) {
  audit.events.length = 0
  const { promise, resolve } = Promise.withResolvers<Exchange>()
  arrived = resolve
  const opened = open(url)
  const exchange = await promise
  exchange.era = era
  exchange.clientId = '"mine"'
  const told: string[] = []
  const say = (what: string) => () => void told.push(what)
  const reply = new Reply(exchange, {
    upstreamId,
    progressToken: undefined,
    isListen: false,
    whole: false,
    edits: { isPrivate: false },
    mayHear: () => true,
    taskName: () => undefined,
    listChanged: say('list changed'),
    ended: say('ended'),
    ...more,
  })
  reply.started({ pause: say('pause'), resume: say('resume'), abort: say('abort') })
  const outcomes = () => audit.events.map(({ outcome, error }) => [outcome, error])
  return { reply, opened, told, outcomes, response: exchange.response as ServerResponse }
}

const message = (body: object) => ({ bytes: Buffer.from(JSON.stringify(body)), body: { ...body } })
const answer = { jsonrpc: '2.0', id: 'mine', result: { content: [] } }

function give(reply: Reply, body: object): void {
  const made = message({ jsonrpc: '2.0', ...body })
  reply.message(made.bytes, made.body)
}

function finish(reply: Reply, body: object = answer, status = 200): void {
  const made = message(body)
  reply.answer(made.bytes, made.body, status)
}

describe('an answer', () => {
  it('is JSON when it is all there is, and counted once however often it comes', async () => {
    const { reply, opened, told, outcomes } = await waiting('stateless')
    finish(reply)
    finish(reply, { ...answer, result: { second: true } })
    reply.failed(new GatewayError('upstream.timeout'))
    reply.finished({ error: null, isError: false, resultType: null, bytes: 0 })
    reply.stop(new GatewayError('mcp.cancelled'))
    const got = await opened
    await got.ended
    expect(got.headers['content-type']).toBe('application/json')
    expect(JSON.parse(got.text())).toEqual(answer)
    expect(outcomes()).toEqual([['ok', null]])
    expect(told).toEqual(['ended'])
  })

  it.each([
    [{ result: { isError: true } }, ['tool_error', null]],
    [{ result: { resultType: 'input_required' } }, ['input_required', null]],
    [{ error: { code: -32602, message: 'm' } }, ['error', '-32602']],
    [{ error: { code: 'stolen words', message: 'm' } }, ['error', 'no code']],
  ])('of %j is recorded as %j', async (body, outcome) => {
    const { reply, opened, outcomes } = await waiting('session')
    finish(reply, { jsonrpc: '2.0', id: 'mine', ...body })
    await (await opened).ended
    expect(outcomes()).toEqual([outcome])
  })

  it('keeps the two statuses that mean something, and only for errors', async () => {
    for (const [status, body, expected] of [
      [404, { error: { code: -32601 } }, 404],
      [400, { error: { code: -32602 } }, 400],
      [418, { error: { code: 1 } }, 200],
      [400, { result: {} }, 200],
    ] as const) {
      const { reply, opened } = await waiting('stateless')
      finish(reply, { jsonrpc: '2.0', id: 'mine', ...body }, status)
      expect((await opened).status).toBe(expected)
    }
  })

  it('passes in pieces, the last of which waits for the audit', async () => {
    const { reply, opened, outcomes } = await waiting('stateless')
    const written = Promise.withResolvers<() => void>()
    vi.spyOn(audit, 'record').mockImplementationOnce((event, tell) => {
      audit.events.push(event)
      written.resolve(tell)
    })
    for (const piece of ['{"a":', '"b"', '}']) reply.piece(Buffer.from(piece))
    const got = await opened
    reply.finished({ error: null, isError: true, resultType: null, bytes: 9 })
    await vi.waitFor(() => expect(got.text()).toBe('{"a":"b"'))
    const tell = await written.promise
    tell()
    await got.ended
    expect(got.text()).toBe('{"a":"b"}')
    expect(outcomes()).toEqual([['tool_error', null]])
  })

  it('is cut where it breaks off in the middle, and where the audit fails', async () => {
    for (const end of [
      (reply: Reply) => reply.failed(new GatewayError('upstream.too_large')),
      (reply: Reply) => {
        audit.broken = true
        reply.finished({ error: null, isError: false, resultType: null, bytes: 2 })
        audit.broken = false
      },
    ]) {
      const { reply, opened } = await waiting('stateless')
      reply.piece(Buffer.from('{"secret":'))
      reply.piece(Buffer.from('1}'))
      const got = await opened
      await vi.waitFor(() => expect(got.text()).not.toBe(''))
      end(reply)
      await got.ended
      expect(got.text()).toBe('{"secret":')
    }
  })

  it('that cannot be rewritten is an error, not what it was', async () => {
    const rewrite = () => {
      throw new TypeError('secret text')
    }
    const { reply, opened } = await waiting('stateless', { rewrite })
    finish(reply, { ...answer, result: { tools: ['hidden'] } })
    const got = await opened
    await got.ended
    expect(JSON.parse(got.text())).toMatchObject({
      id: 'mine',
      error: { data: { code: 'upstream.bad_answer' } },
    })
    expect(got.text()).not.toMatch(/hidden|secret/)
  })
})

describe('messages before the answer', () => {
  it('come as events, each on one line', async () => {
    const { reply, opened } = await waiting('session')
    const bytes = Buffer.from('{"jsonrpc":"2.0",\r\n"method":"notifications/message"\n}')
    reply.message(bytes, JSON.parse(bytes.toString()))
    finish(reply)
    const got = await opened
    await got.ended
    expect(got.text().split('\n').slice(0, 2)).toEqual([
      'event: message',
      'data: {"jsonrpc":"2.0", "method":"notifications/message" }',
    ])
    expect(eventsOf(got.text())).toHaveLength(2)
  })

  it.each([['7'], ['"seven"'], ['1.5']])(
    'name progress by the token %s the client gave',
    async progressToken => {
      const { reply, opened } = await waiting('stateless', { progressToken })
      const progress = (token: unknown) =>
        give(reply, { method: 'notifications/progress', params: { progressToken: token, progress: 1 } })
      for (const token of [7, 'seven', upstreamId + 1, String(upstreamId), null]) progress(token)
      progress(upstreamId)
      finish(reply)
      const got = await opened
      await got.ended
      const [only, last] = eventsOf(got.text())
      expect([only?.params?.progressToken, last]).toEqual([JSON.parse(progressToken), answer])
    },
  )

  it('are no progress at all for a client that asked for none', async () => {
    const { reply, opened } = await waiting('session')
    give(reply, { method: 'notifications/progress', params: { progressToken: upstreamId, progress: 1 } })
    finish(reply)
    const got = await opened
    await got.ended
    expect(JSON.parse(got.text())).toEqual(answer)
  })

  it('may be questions, of the kinds there are, in the era that has them', async () => {
    for (const [era, expected] of [
      ['session', ['sampling/createMessage']],
      ['stateless', []],
    ] as const) {
      const { reply, opened } = await waiting(era)
      for (const method of ['sampling/createMessage', 'tools/call', 'no/such']) give(reply, { id: 4, method })
      give(reply, { method: 'notifications/message' })
      finish(reply)
      const got = await opened
      await got.ended
      const methods = eventsOf(got.text()).map(({ method }) => method)
      expect(methods).toEqual([...expected, 'notifications/message', undefined])
    }
  })

  it('tell of changed lists even those who may not hear it', async () => {
    const { reply, opened, told } = await waiting('session', { mayHear: () => false })
    give(reply, { method: 'notifications/prompts/list_changed' })
    finish(reply)
    const got = await opened
    await got.ended
    expect(JSON.parse(got.text())).toEqual(answer)
    expect(told).toContain('list changed')
  })

  it('hold the upstream back while the client does not read, and let it go on when the client is gone', async () => {
    const { reply, response, told, opened } = await waiting('session')
    const write = vi.spyOn(response, 'write').mockReturnValue(false)
    give(reply, { method: 'notifications/message' })
    give(reply, { method: 'notifications/message' })
    expect(told).toEqual(['pause'])
    write.mockRestore()
    response.emit('drain')
    expect(told).toEqual(['pause', 'resume'])
    vi.spyOn(response, 'write').mockReturnValue(false)
    give(reply, { method: 'notifications/message' })
    response.flushHeaders()
    ;(await opened).close()
    await vi.waitFor(() => expect(told).toEqual(['pause', 'resume', 'pause', 'resume']))
    give(reply, { method: 'notifications/message' })
    finish(reply)
    expect(told).toEqual(['pause', 'resume', 'pause', 'resume', 'ended'])
  })

  it('are cut off where they cannot be held back and nobody reads them', async () => {
    const { reply, opened, response, told, outcomes } = await waiting('session')
    vi.spyOn(response, 'writableLength', 'get').mockReturnValue(5 * 1024 * 1024)
    give(reply, { method: 'notifications/message' })
    expect(response.destroyed).toBe(true)
    expect(told).toContain('abort')
    expect(outcomes()).toEqual([['cancelled', 'mcp.cancelled']])
    await expect(opened).rejects.toThrow('socket hang up')
  })
})

describe('the end', () => {
  it('aborts a flight that starts after it', async () => {
    const { reply, opened } = await waiting('stateless')
    reply.stop(new GatewayError('mcp.cancelled'))
    const abort = vi.fn()
    reply.started({ pause: () => {}, resume: () => {}, abort })
    expect(abort).toHaveBeenCalledOnce()
    await (await opened).ended
  })
})
