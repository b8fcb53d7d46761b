/** What one side says, the other side hears: every byte but the ids and progress tokens, which belong to one connection. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, oneGroup, startGateway } from '../fixtures/gateway.ts'
import { VENDOR, vendorList } from '../fixtures/hostile-manners.ts'
import { type HostileUpstream, startHostileUpstream } from '../fixtures/hostile-upstream.ts'
import { hello, inEra } from '../fixtures/mcp-call.ts'
import { callerOf, send } from '../fixtures/raw-client.ts'

let gateway: Gateway
let upstream: HostileUpstream

const url = (server: string) => `${gateway.url}/mcp/lab/${server}/server`
const as = (era: 'stateless' | 'session', server: string) =>
  callerOf(era, { url: url(server), token: gateway.token })

beforeAll(async () => {
  upstream = await startHostileUpstream()
  const manifest = oneGroup('lab', { polite: upstream.transport(), vendor: upstream.transport('vendor') })
  const picky = {
    group: 'lab',
    name: 'picky',
    transport: upstream.transport('vendor'),
    tools: { deny: ['two'] },
  }
  const servers = [...(manifest.servers as object[]), picky]
  gateway = await startGateway({ manifest: { ...manifest, servers } })
})

afterAll(async () => {
  await gateway?.stop()
  await upstream?.stop()
})

const oddities = String.raw`"int":9007199254740993,"long":-123456789012345678901234567890,"real":1.0,"tiny":1e-400,"huge":1E+400,"zero":-0.0,"text":"\u00e9\/\ud83d\ude00\"\\ \u0000","raw":"é😀 ","deep":[[[{"a":[]}]]],"toString":{},"constructor":{"prototype":1},"":null`
const results = {
  plain: String.raw`{"resultType":"complete","content":[{"type":"text","text":"\u0041","_meta":{"com.example/a":1.0},"x-vendor":true,"annotations":{"priority":0.30}},{"type":"future","data":1}],"structuredContent":{${oddities}},"_meta":{"com.example/trace":{${oddities}},"io.modelcontextprotocol/serverInfo":{"name":"x","icons":[{"src":"data:,"}]}},"x-unknown":[1.50]}`,
  spaced: ` { "content" : [ ] , "structuredContent" : { ${oddities} } , "id" : 4 , "isError" : false } `,
  long: `{"content":[{"type":"text","text":"${'é\\u00e9\\\\'.repeat(20_000)}"}],"structuredContent":{${oddities}},"_meta":{"id":7}}`,
}

/** Events of a session have ids of the gateway's own, and one without a message before them. */
const withoutIds = (events: string) => events.replace(/^id: \S+\ndata:\n\n/, '').replace(/^id: \S+\n/gm, '')

describe.each(['stateless', 'session'] as const)('in the %s era', era => {
  it.each(Object.entries(results))('a %s result reaches the client as it is', async (_, result) => {
    const asJson = await as(era, 'polite').call('verbatim', { result })
    expect(asJson.text).toBe(`{"jsonrpc":"2.0","id":1,"result":${result}}`)
    const asEvents = await as(era, 'polite').call('verbatim', { result, framing: 'events' })
    expect(withoutIds(asEvents.text)).toBe(
      `event: message\ndata: {"jsonrpc":"2.0","id":1,"result":${result}}\n\n`,
    )
  })

  it('notifications on the way reach the client as they are', async () => {
    const notification = `{ "jsonrpc" : "2.0","method":"notifications/message","params":{"level":"info","data":{${oddities}},"x-vendor":1.0} }`
    const { text } = await as(era, 'polite').call('verbatim', {
      result: '{"content":[]}',
      before: [notification],
    })
    const answer = '{"jsonrpc":"2.0","id":1,"result":{"content":[]}}'
    expect(withoutIds(text)).toBe(
      `event: message\ndata: ${notification}\n\nevent: message\ndata: ${answer}\n\n`,
    )
  })

  it.each(['7', '1e3', '"seven"', String.raw`"\u0073\/é"`, '-1', '0'])(
    'a request with the id %s reaches the server as it is, but for ids and progress tokens',
    async id => {
      const caller = as(era, 'polite')
      const stateless = Object.entries(
        (inEra('stateless', { method: 'x' }).body as { params: { _meta: object } }).params._meta,
      ).map(([key, value]) => `${JSON.stringify(key)} : ${JSON.stringify(value)},`)
      const meta = `${era === 'stateless' ? stateless.join('\n') : ''}"com.example/a":{${oddities}}`
      const result = JSON.stringify('{"content":[]}')
      const write = (itsId: string, token: string) =>
        `{ "x-before":{"id":3}, "jsonrpc":"2.0",\r\n\t"params":{"arguments":{"result":${result},${oddities}},"name":"verbatim" ,"_meta":{${meta},"progressToken" : ${token}},"x-vendor":[1.0]},"method" : "tools\\/call", "id" : ${itsId} ,"x-after":null}\n`
      const headers = await caller.headers('tools/call', 'verbatim')
      const answer = await send(url('polite'), { headers, body: write(id, String.raw`"mine\u0021"`) })
      expect(answer.text).toBe(`{"jsonrpc":"2.0","id":${id},"result":{"content":[]}}`)
      const received = upstream.calls('verbatim').at(-1)?.body.toString() ?? ''
      const { id: itsId } = JSON.parse(received)
      expect(itsId).toSatisfy(Number.isSafeInteger)
      expect(received).toBe(write(String(itsId), String(itsId)))
    },
  )

  it('a list of tools reaches the client as it is, but for how long it may be kept', async () => {
    const sent = [60_000, 'public'] as const
    const [ttlMs, scope] = era === 'stateless' ? ([30_000, 'private'] as const) : sent
    const whole = await as(era, 'vendor').request('tools/list', {})
    expect(whole.text).toBe(`{"jsonrpc":"2.0","id":1,"result":${vendorList(VENDOR.tools, ttlMs, scope)}}`)
    const some = VENDOR.tools.filter((_, i) => i !== 1)
    const reduced = await as(era, 'picky').request('tools/list', {})
    expect(reduced.text).toBe(`{"jsonrpc":"2.0","id":1,"result":${vendorList(some, ttlMs, scope)}}`)
  })
})

it('the greeting of a server reaches the client as it is', async () => {
  const { headers, body } = inEra('session', { id: 5, method: 'initialize', params: hello })
  const sent = { authorization: `Bearer ${gateway.token}`, 'content-type': 'application/json', ...headers }
  const { text } = await send(url('vendor'), { headers: sent, body: JSON.stringify(body) })
  expect(text).toBe(`{"jsonrpc":"2.0","id":5,"result":${VENDOR.greeting}}`)
})
