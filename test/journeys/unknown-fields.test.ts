/** Members that no specification knows cross the gateway byte for byte, in all four cells, in both directions. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Gateway, oneGroup, startGateway } from '../fixtures/gateway.ts'
import { type Era, inEra } from '../fixtures/mcp-call.ts'
import { membersOf, patched, unpatched, valueAt } from '../fixtures/patched.ts'
import { begin, callerOf, send } from '../fixtures/raw-client.ts'
import { type Framing, type RawServer, startRawServer } from '../fixtures/raw-server.ts'
import { corpus, error, log, long, ODD, progress, questions } from '../fixtures/vendor-corpus.ts'

let gateway: Gateway
let servers: Record<Era, RawServer>

beforeAll(async () => {
  servers = { session: await startRawServer('session'), stateless: await startRawServer('stateless') }
  const reach = ({ url }: RawServer) => ({ kind: 'streamable-http', url, allowPrivateNetwork: true })
  const transports = { session: reach(servers.session), stateless: reach(servers.stateless) }
  gateway = await startGateway({ manifest: oneGroup('lab', transports) })
  for (const era of ['session', 'stateless'] as const) {
    servers[era].say('tools/list', { result: inDress(era, corpus['a list of tools']?.result ?? '') })
    await gateway.cli('server', 'test', `lab/${era}`)
    // There is a NUL in these definitions, which takes a person who wants it.
    await gateway.cli('tools', 'approve', `lab/${era}`, '--all', '--despite-findings')
  }
})

afterAll(async () => {
  await gateway?.stop()
  for (const server of Object.values(servers ?? {})) await server.stop()
})

const cells = (['session', 'stateless'] as const).flatMap(client =>
  (['session', 'stateless'] as const).map(server => ({ client, server })),
)
const inDress = (era: Era, members: string) =>
  era === 'session' ? `{${members}}` : `{"resultType":"complete",${members},"ttlMs":0,"cacheScope":"public"}`
const answered = (id: string, members: string) => `{"jsonrpc":"2.0","id":${id},"result":{${members}}}`

it('the list of what is patched was read', () => {
  expect([...patched.keys()]).toEqual([
    'message',
    'params',
    'params._meta',
    'result',
    'result._meta',
    'notification',
    'error',
  ])
})

describe.each(cells)('a client of the $client era, a server of the $server era', cell => {
  const client = () =>
    callerOf(cell.client, { url: `${gateway.url}/mcp/lab/${cell.server}/server`, token: gateway.token })
  let caller: ReturnType<typeof client>
  let server: RawServer

  beforeEach(() => {
    server = servers[cell.server]
    caller ??= client()
  })

  const envelope =
    cell.client === 'session'
      ? ''
      : Object.entries(
          (inEra('stateless', { method: '' }).body as { params: { _meta: object } }).params._meta,
        )
          .map(([key, value]) => `${JSON.stringify(key)} : ${JSON.stringify(value)} ,`)
          .join('')
  const loud = cell.client === 'session' ? '' : '"io.modelcontextprotocol/logLevel":"debug",'
  const url = () => `${gateway.url}/mcp/lab/${cell.server}/server`

  function write(method: string, params: string, more = ''): string {
    const meta = `"_meta":{${envelope}${loud}"com.example/a":{${ODD}},"progressToken":"mine\\u0021"}`
    return `{ "x-before":{"id":3}, "jsonrpc":"2.0",\r\n\t"params":{${params},${meta}${more}},"method" : "${method}", "id" : "m\\u0065" }`
  }

  async function headersFor(method: string, params: string) {
    const named: { name?: string; uri?: string } = JSON.parse(`{${params}}`)
    return caller.headers(method, named.name ?? named.uri)
  }

  async function ask(method: string, params: string) {
    const headers = await headersFor(method, params)
    return send(url(), { headers, body: write(method, params) })
  }

  const requestOf = (method: string) =>
    server.received.findLast(text => JSON.parse(text).method === method && text.includes('com.example/a')) ??
    ''

  it.each(Object.entries(corpus))('%s', async (_, { method, params, result }) => {
    for (const framing of ['json', 'events', 'pieces'] satisfies Framing[]) {
      server.say(method, { result: inDress(cell.server, result), framing })
      const got = answerIn(await ask(method, params))
      expect(unpatched(got)).toEqual(unpatched(answered('1', result)))
      expect(got).toContain(String.raw`"id":"m\u0065"`)
      expect(unpatched(requestOf(method))).toEqual(unpatched(write(method, params)))
    }
  })

  it.each(['json', 'events', 'pieces'] satisfies Framing[])(
    'a result too long to be held, in %s',
    async framing => {
      server.say('tools/call', { result: inDress(cell.server, long), framing })
      const got = answerIn(await ask('tools/call', '"name":"work"'))
      expect(unpatched(got)).toEqual(unpatched(answered('1', long)))
    },
  )

  it('an error, with its data', async () => {
    server.say('tools/call', { error })
    const { text } = await ask('tools/call', '"name":"work"')
    expect(unpatched(text)).toEqual(unpatched(`{"jsonrpc":"2.0","id":1,"error":${error}}`))
  })

  it('what is said on the way', async () => {
    server.say('tools/call', { result: inDress(cell.server, '"content":[]'), before: [progress, log] })
    const { text } = await ask('tools/call', '"name":"work"')
    const [first = '', second = ''] = eventsIn(text)
    expect([unpatched(first), unpatched(second)]).toEqual([unpatched(progress), unpatched(log)])
    expect(first).toContain(String.raw`"progressToken":"mine\u0021"`)
  })

  it.each(Object.entries(questions))(
    'a question of the server: %s',
    async (_, { method, params, answer }) => {
      const result = inDress(cell.server, '"content":[]')
      server.say('tools/call', { ask: { method, params: `{${params}}` }, result })
      const question =
        cell.client === 'session' ? await answerInSession(answer) : await answerInRounds(answer)
      expect(valueAt(question, 'method')).toBe(`"${method}"`)
      expect(membersOf(valueAt(question, 'params'))).toEqual(membersOf(`{${params}}`))
      const heard =
        server.received.findLast(text => text.includes('"action"') || text.includes('"stopReason"')) ?? ''
      const path = cell.server === 'session' ? ['result'] : ['params', 'inputResponses', 'q']
      expect(membersOf(valueAt(heard, ...path))).toEqual(membersOf(`{${answer}}`))
    },
  )

  async function answerInRounds(answer: string): Promise<string> {
    const text = answerIn(await ask('tools/call', '"name":"work"'))
    const requestState = valueAt(text, 'result', 'requestState')
    const [[key, question] = ['', '']] = Object.entries(membersOf(valueAt(text, 'result', 'inputRequests')))
    const more = `,"inputResponses":{${JSON.stringify(key)}:{${answer}}},"requestState":${requestState}`
    const headers = await headersFor('tools/call', '"name":"work"')
    await send(url(), { headers, body: write('tools/call', '"name":"work"', more) })
    return question
  }

  async function answerInSession(answer: string): Promise<string> {
    const headers = await headersFor('tools/call', '"name":"work"')
    const response = await begin(url(), { headers, body: write('tools/call', '"name":"work"') })
    let text = ''
    let question: string | undefined
    for await (const part of response.setEncoding('utf8')) {
      text += part
      if (question !== undefined) continue
      question = eventsIn(text).find(message => JSON.parse(message).method !== undefined)
      if (question === undefined) continue
      const body = `{"jsonrpc":"2.0","id":${valueAt(question, 'id')},"result":{${answer}}}`
      await send(url(), { headers, body })
    }
    return question ?? ''
  }
})

/** The messages of an event stream as they are spelt, so far as they are whole. */
function eventsIn(text: string): string[] {
  const events = text.split('\n\n').slice(0, -1)
  return events
    .flatMap(event => event.split('\n').filter(line => line.startsWith('data: ')))
    .map(line => line.slice(6))
}

/** The answer, however it is framed. */
const answerIn = ({ text }: { text: string }): string =>
  text.startsWith('{') ? text : (eventsIn(text).at(-1) ?? '')
