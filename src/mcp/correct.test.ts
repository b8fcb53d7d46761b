import { afterEach, expect, it, vi } from 'vitest'
import { answerOf, hello } from '../../test/fixtures/mcp-call.ts'
import { openPlane, type Plane, upstreamAt } from '../../test/fixtures/mcp-plane.ts'
import { type Scripted, type ScriptedUpstream, startScripted } from '../../test/fixtures/scripted-upstream.ts'

type Script = Record<string, (asked: Scripted) => void>

let plane: Plane
let upstream: ScriptedUpstream
let script: Script

async function begin(first: Script = {}): Promise<void> {
  script = first
  upstream = await startScripted(script)
  plane = await openPlane(upstreamAt(upstream.url))
  await plane.catalogue.sync(upstreamAt(upstream.url))
  upstream.asked.length = 0
}

afterEach(async () => {
  vi.restoreAllMocks()
  await plane?.close()
  await upstream?.stop()
})

const refuse =
  (code: number, status = 400, named = true) =>
  ({ id, response }: Scripted) => {
    response.writeHead(status, { 'content-type': 'application/json' })
    const error = { code, message: 'secret words' }
    response.end(JSON.stringify({ jsonrpc: '2.0', id: named ? id : null, error }))
  }

/** From now on the server speaks sessions only. */
function forgetStateless(code: number, named: boolean): void {
  script['server/discover'] = refuse(-32601, 404)
  script['tools/call'] = asked =>
    asked.headers['mcp-session-id'] === undefined
      ? refuse(code, 400, named)(asked)
      : asked.result({ content: [] })
}

const call = (more: object = {}) =>
  plane.say('ana', 'stateless', {
    id: 1,
    method: 'tools/call',
    params: { name: 'work', arguments: {}, ...more },
  })

it.each([
  [-32000, false],
  [-32000, true],
  [-32600, false],
  [-32022, true],
])(
  'a request refused with %d (named: %s) by a server that turned to the other era goes there',
  async (code, named) => {
    await begin()
    forgetStateless(code, named)
    const crossed = vi.spyOn(plane.crossings, 'stateless').mockReturnValue({
      request: ({ sink }) => {
        const body = { jsonrpc: '2.0', result: { content: [], resultType: 'complete' } }
        sink.answer(Buffer.from(JSON.stringify({ ...body, id: 1 })), body, 200)
        return { pause: () => {}, resume: () => {}, abort: () => {} }
      },
    })
    expect(answerOf(await call()).result).toBeDefined()
    expect(crossed).toHaveBeenCalledOnce()
    expect(plane.catalogue.eras('server-1')).toEqual(['session'])
    expect(upstream.named('tools/call')).toHaveLength(1)
  },
)

it('an error that is no evidence is the answer, and nothing is asked anew', async () => {
  await begin({ 'tools/call': refuse(-32602, 400) })
  expect(answerOf(await call()).error).toMatchObject({ code: -32602 })
  expect(upstream.asked.map(({ method }) => method)).toEqual(['tools/call'])
})

it('an error that looked like evidence and was none is the answer', async () => {
  await begin({ 'tools/call': refuse(-32600, 400) })
  expect(answerOf(await call()).error).toMatchObject({ code: -32600 })
  const looked = upstream.named('server/discover').length
  expect(looked).toBeGreaterThan(0)
  // What was just found out is not asked again.
  expect(answerOf(await call()).error).toMatchObject({ code: -32600 })
  expect(upstream.named('server/discover')).toHaveLength(looked)
})

it('a server that refuses the only revision there is, although it speaks it, is not quoted', async () => {
  await begin({ 'tools/call': refuse(-32022) })
  const { error } = answerOf(await call())
  expect(error).toMatchObject({ data: { code: 'upstream.bad_answer' } })
  expect(JSON.stringify(error)).not.toContain('secret')
})

it('headers that no longer fit the schema of a tool lead to its schema being read again, and one repeat', async () => {
  await begin()
  let refusals = 1
  script['tools/call'] = asked =>
    refusals-- > 0 ? refuse(-32020)(asked) : asked.result({ resultType: 'complete', content: [] })
  expect(answerOf(await call()).result).toBeDefined()
  expect(upstream.asked.map(({ method }) => method)).toEqual(
    expect.arrayContaining(['tools/call', 'tools/list', 'tools/call']),
  )
  refusals = 2
  expect(answerOf(await call()).error).toMatchObject({ data: { code: 'upstream.bad_answer' } })
  expect(upstream.named('tools/call')).toHaveLength(4)
})

it('a server that always refuses the headers does not make the gateway read it once for each call', async () => {
  await begin({ 'tools/call': refuse(-32020) })
  const before = upstream.named('tools/list').length
  for (let calls = 0; calls < 5; calls++) expect(answerOf(await call()).error).toBeDefined()
  expect(upstream.named('tools/list')).toHaveLength(before + 1)
})

it.each([401, 503])('a %d says nothing about the era', async status => {
  await begin({ 'tools/call': ({ response }) => void response.writeHead(status).end() })
  expect(answerOf(await call()).error).toBeDefined()
  expect(upstream.named('server/discover')).toEqual([])
})

it('a session with a server that turned to the other era is opened there', async () => {
  await begin()
  script.initialize = refuse(-32022)
  const crossed = vi.spyOn(plane.crossings, 'openSession').mockRejectedValue(new Error('crossed'))
  await plane.say('ana', 'session', { id: 1, method: 'initialize', params: hello })
  expect(crossed).toHaveBeenCalledOnce()
  expect(plane.catalogue.eras('server-1')).toEqual(['stateless'])
})
