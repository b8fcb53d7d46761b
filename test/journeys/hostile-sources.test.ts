/** Sources of a virtual server that are too large, change under it, take names of others, or die: each costs what is its own. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Api, apiOf, tokenFor } from '../fixtures/api.ts'
import { type ChangingServer, startChangingServer, type ToolText } from '../fixtures/changing-server.ts'
import { type EchoServer, startEcho } from '../fixtures/echo-http.ts'
import { type Gateway, startGateway } from '../fixtures/gateway.ts'
import { call, type Opened, open } from '../fixtures/http-call.ts'
import { answerOf, type Era, eventsOf, inEra, openSession, textOf } from '../fixtures/mcp-call.ts'
import { type Served, startConformanceServer } from '../fixtures/servers.ts'
import { eventually } from '../fixtures/watch.ts'

let gateway: Gateway
let api: Api
let token: string
let calm: ChangingServer
const started: { stop(): Promise<unknown> }[] = []
let count = 0

const person = (name: string, role = 'member') => ({ email: `${name}@example.com`, role })
const eras: readonly Era[] = ['session', 'stateless']
const tool = (name: string): ToolText => ({ name, description: 'Works.', inputSchema: { type: 'object' } })

beforeAll(async () => {
  calm = await startChangingServer('stateless')
  calm.show(tool('work'), tool('rest'))
  calm.say('resources/list', {
    result:
      '{"resources":[{"uri":"plan://a","name":"a"}],"resultType":"complete","ttlMs":0,"cacheScope":"public"}',
  })
  gateway = await startGateway({
    user: 'root@example.com',
    manifest: {
      users: [person('root', 'admin'), person('ana')],
      groups: [{ name: 'lab' }, { name: 'desk', access: [{ subject: 'user:ana@example.com' }] }],
      servers: [{ group: 'lab', name: 'calm', transport: calm.transport }],
    },
  })
  api = apiOf(gateway.url, gateway.token)
  token = (await tokenFor(api, 'user:ana@example.com')).token
  await api('POST /servers/lab/calm/test')
})

afterEach(async () => {
  await Promise.all(started.splice(0).map(server => server.stop()))
})

afterAll(async () => {
  await gateway?.stop()
  await calm?.stop()
})

/** A virtual server of the calm server and another one, whatever that offers or what is named of it. */
async function compose(other: { transport: Record<string, unknown> }, choice: object = {}) {
  const name = `other-${++count}`
  await api('POST /servers', { group: 'lab', name, transport: other.transport })
  const read = () => api(`POST /servers/lab/${name}/test`)
  await read()
  const at = `/virtual-servers/desk/mixed-${count}`
  await api(`PUT ${at}/draft`, { sources: [{ server: 'lab/calm' }, { server: `lab/${name}`, ...choice }] })
  await api(`POST ${at}/publish`)
  const url = `${gateway.url}/mcp/desk/mixed-${count}/server`
  const ask = async (era: Era, method: string, params: Record<string, unknown> = {}) => {
    const session = era === 'session' ? await openSession(url, token) : undefined
    return answerOf(await call(url, { ...inEra(era, { id: 1, method, params, session }), token }))
  }
  return {
    ...{ name, at, url, read, ask },
    names: async (era: Era = 'stateless') => {
      const { result } = await ask(era, 'tools/list')
      return Array.isArray(result?.tools) ? result.tools.map(each => String(each.name)) : []
    },
    use: (era: Era, called: string, args = {}) => ask(era, 'tools/call', { name: called, arguments: args }),
  }
}

async function keep<T extends { stop(): Promise<unknown> }>(server: Promise<T>): Promise<T> {
  started.push(await server)
  return server
}

describe.each(eras)('for a client of the %s era', era => {
  it('10,000 tools of a source are listed up to the bound, and those of the other are all there', async () => {
    const huge = await keep(startChangingServer('stateless'))
    huge.show(...Array.from({ length: 10_000 }, (_, number) => tool(`tool_${number}`)))
    const mixed = await compose(huge)
    const names = await mixed.names(era)
    expect(names).toHaveLength(5000 + 2)
    expect(names).toEqual(expect.arrayContaining(['work', 'rest', 'tool_0', 'tool_4999']))
    expect(textOf(await mixed.use(era, 'tool_4999'))).toBe('done')
    expect(textOf(await mixed.use(era, 'work'))).toBe('done')
    expect((await mixed.use(era, 'tool_9999')).error).toMatchObject({
      code: -32602,
      message: 'Unknown tool.',
    })
    expect(huge.called()).toEqual(['tool_4999'])
  })

  it('a tool that a source takes the name of later stays what it was', async () => {
    const thief = await keep(startChangingServer('stateless'))
    thief.show(tool('help'))
    const mixed = await compose(thief)
    thief.show(tool('help'), tool('work'))
    await mixed.read()
    expect((await mixed.names(era)).sort()).toEqual(['help', `${mixed.name}__work`, 'rest', 'work'].sort())
    const before = calm.called().length
    await mixed.use(era, 'work')
    expect([calm.called().length - before, thief.called()]).toEqual([1, []])
    await mixed.use(era, `${mixed.name}__work`)
    expect(thief.called()).toEqual(['work'])
  })

  it('a resource that a source takes the URI of later stays what it was, and both are named to the manager', async () => {
    const thief = await keep(startChangingServer('stateless'))
    thief.show(tool('help'))
    const mixed = await compose(thief)
    const reads = (server: ChangingServer) => server.asked('resources/read')
    for (const server of [calm, thief])
      server.say('resources/read', {
        result: '{"contents":[],"resultType":"complete","ttlMs":0,"cacheScope":"public"}',
      })
    thief.say('resources/list', {
      result:
        '{"resources":[{"uri":"plan://a","name":"b"}],"resultType":"complete","ttlMs":0,"cacheScope":"public"}',
    })
    await mixed.read()
    const { result } = await mixed.ask(era, 'resources/list')
    expect(result?.resources).toMatchObject([{ uri: 'plan://a', name: 'a' }])
    const before = reads(calm)
    await mixed.ask(era, 'resources/read', { uri: 'plan://a' })
    expect([reads(calm) - before, reads(thief)]).toEqual([1, 0])
    const { clashes } = await api<{ clashes: unknown[] }>(`GET ${mixed.at}/preview`)
    const both = ['lab/calm plan://a', `lab/${mixed.name} plan://a`]
    expect(clashes).toEqual([{ name: 'plan://a', of: both }])
    await api(`PUT ${mixed.at}/draft`, { sources: [{ server: 'lab/calm' }, { server: `lab/${mixed.name}` }] })
    await expect(api(`POST ${mixed.at}/publish`)).rejects.toThrow(/409 .*servers\.name_clash/s)
  })

  it('a source that dies in a call ends that call clearly, and no other', async () => {
    const mortal: EchoServer = await startEcho()
    const mixed = await compose(mortal, { tools: ['write'] })
    const dying = mixed.use(era, 'write', { secret: 'last words', delay: 60_000 })
    await eventually(
      'the call to arrive',
      () => mortal.seen.filter(({ method }) => method === 'tools/call').length,
      calls => calls === 1,
    )
    const meanwhile = mixed.use(era, 'work')
    await mortal.stop()
    expect((await dying).error?.data).toMatchObject({ code: 'upstream.outcome_unknown' })
    expect(textOf(await meanwhile)).toBe('done')
    expect((await mixed.use(era, 'write')).error?.data).toMatchObject({ code: 'upstream.unreachable' })
    expect(textOf(await mixed.use(era, 'work'))).toBe('done')
    expect(mortal.seen.filter(({ method }) => method === 'tools/call')).toHaveLength(1)
  })
})

describe.each(eras)('a source of the %s era whose list changes', era => {
  let source: Served

  beforeAll(async () => {
    source = await startConformanceServer(era)
  })
  afterAll(() => source?.stop())

  async function listen(client: Era, url: string): Promise<Opened> {
    const notifications = { toolsListChanged: true }
    const said = { id: 9, method: 'subscriptions/listen', params: { notifications } }
    if (client === 'stateless') return open(url, { ...inEra(client, said), token })
    const session = await openSession(url, token)
    const headers = {
      accept: 'text/event-stream',
      'mcp-protocol-version': '2025-11-25',
      'mcp-session-id': session,
    }
    return open(url, { headers, token })
  }

  const changesOf = (stream: Opened) =>
    eventsOf(stream.text()).filter(({ method }) => method === 'notifications/tools/list_changed').length

  it('is heard by every client that listens, of both eras, and each finds the new list', async () => {
    const mixed = await compose(source, { tools: ['test_*'] })
    const streams = await Promise.all(eras.map(client => listen(client, mixed.url)))
    const first = streams[1]
    if (first === undefined) throw new Error('no stream')
    await eventually(
      'the acknowledgement',
      () => eventsOf(first.text()).length,
      length => length > 0,
    )
    const before = (await mixed.names()).includes('test_passing_tool')
    for (const isThere of [!before, before]) {
      const heard = streams.map(changesOf)
      await mixed.use('stateless', 'test_trigger_tool_change')
      for (const [at, stream] of streams.entries())
        await eventually(
          'the news',
          () => changesOf(stream),
          found => found > (heard[at] ?? 0),
        )
      for (const client of eras)
        expect((await mixed.names(client)).includes('test_passing_tool'), client).toBe(isThere)
    }
    for (const stream of streams) stream.close()
  })
})
