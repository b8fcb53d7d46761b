/** Whatever breaks, and when: a request has its effect once, unless it may have it twice. */
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { answerOf, inEra } from '../../test/fixtures/mcp-call.ts'
import { openPlane, type Plane, upstreamAt } from '../../test/fixtures/mcp-plane.ts'
import { answer, type Line, type ScriptedSocket, startSocket } from '../../test/fixtures/scripted-socket.ts'

const tools = ['write', 'look', 'put'].map(name => ({ name, inputSchema: {} }))
const policy = { default: 'allow' as const, allow: [], deny: [], readOnly: ['loo?'], idempotent: ['put'] }

/** Every answer is longer. */
const length = 200
const done = { resultType: 'complete', content: [{ type: 'text', text: 'x'.repeat(length) }] }

type Message = { id?: number; method: string; params: { name?: string } }

const results: Readonly<Record<string, object>> = {
  'server/discover': {
    resultType: 'complete',
    supportedVersions: ['2026-07-28'],
    capabilities: { tools: {} },
  },
  'tools/list': { resultType: 'complete', tools, padding: 'x'.repeat(length) },
}

/** What the server is to do with a request it has read: cut the connection after so many bytes of its answer. */
let cutAfter: (message: Message) => number | undefined
let executed: string[] = []
let socket: ScriptedSocket
let plane: Plane

function serve(line: Line): void {
  const text = line.text().slice(served.get(line) ?? 0)
  const split = text.indexOf('\r\n\r\n')
  const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0)
  if (split < 0 || text.length < split + 4 + length) return
  served.set(line, (served.get(line) ?? 0) + split + 4 + length)
  reply(line, JSON.parse(text.slice(split + 4, split + 4 + length)))
}

const served = new Map<Line, number>()

function reply({ socket: to }: Line, message: Message): void {
  executed.push(message.params.name ?? message.method)
  const result = results[message.method] ?? done
  const bytes = answer(JSON.stringify({ jsonrpc: '2.0', id: message.id, result }), [
    'content-type: application/json',
  ])
  const cut = message.method === 'initialize' ? undefined : cutAfter(message)
  if (message.method === 'initialize') return void to.write('HTTP/1.1 400 No\r\ncontent-length: 0\r\n\r\n')
  if (cut === undefined) return void to.write(bytes)
  if (cut === 0) return void to.resetAndDestroy()
  to.write(bytes.slice(0, cut), () => setTimeout(() => to.resetAndDestroy(), 5))
}

async function begin(): Promise<void> {
  cutAfter = () => undefined
  executed = []
  served.clear()
  socket = await startSocket(serve)
  const upstream = upstreamAt(`http://127.0.0.1:${socket.port}/mcp`, { policy })
  plane = await openPlane(upstream)
  await plane.catalogue.sync(upstream)
  executed = []
}

afterEach(async () => {
  await plane?.close()
  await socket?.stop()
})

const said = (what: string) =>
  what === 'list'
    ? { id: 1, method: 'tools/list' }
    : { id: 1, method: 'tools/call', params: { name: what, arguments: {} } }

async function ask(what: string) {
  const answered = await plane.ask('ana', inEra('stateless', said(what)))
  return { ...answerOf(answered), times: executed.length }
}

describe('a connection that is reset', () => {
  it('at any byte of a list is not noticed; of a call it is said, and nothing done twice', async () => {
    await begin()
    for (let at = 0; at < length; at += 7) {
      for (const what of ['list', 'write']) {
        executed = []
        let cuts = 0
        cutAfter = () => (cuts++ === 0 ? at : undefined)
        const { result, error, times } = await ask(what)
        if (what === 'list') expect([result?.tools, times, at]).toEqual([tools, 2, at])
        else
          expect([error?.data, times, at]).toEqual([
            expect.objectContaining({ code: 'upstream.outcome_unknown', requestId: expect.any(String) }),
            1,
            at,
          ])
      }
    }
  }, 60_000)

  it('again and again ends in an error after one repeat, counted and recorded once', async () => {
    await begin()
    cutAfter = () => 20
    const before = plane.audit.events.length
    const { error, times } = await ask('list')
    expect(error?.data).toMatchObject({ code: 'upstream.outcome_unknown' })
    expect(times).toBe(2)
    expect(plane.audit.events.slice(before)).toMatchObject([
      { action: 'tools/list', outcome: 'error', error: 'upstream.outcome_unknown' },
    ])
    expect(plane.metrics.text()).toContain('gatehouse_upstream_repeats_total{method="tools/list"} 1')
  })
})

it('whatever is asked, and however often and where it breaks: nothing happens twice that must not', async () => {
  await begin()
  const failure = fc.integer({ min: 0, max: length })
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('list', 'write', 'look', 'put'),
      fc.array(failure, { maxLength: 3 }),
      async (what, failures) => {
        executed = []
        const left = [...failures]
        cutAfter = () => left.shift()
        const { result, error, times } = await ask(what)
        expect(times).toBeLessThanOrEqual(what === 'write' ? 1 : 2)
        const isDone = failures.length < (what === 'write' ? 1 : 2)
        expect([result !== undefined, error !== undefined]).toEqual([isDone, !isDone])
      },
    ),
    { numRuns: 40 },
  )
}, 60_000)
