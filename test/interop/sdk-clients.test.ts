import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as z from 'zod'
import { type Gateway, oneGroup, startGateway } from '../fixtures/gateway.ts'
import { peers } from '../fixtures/peers.ts'
import { run } from '../fixtures/process.ts'
import { connect, type Mode, textOf } from '../fixtures/sdk-client.ts'
import { type Served, startConformanceServer, startEverything } from '../fixtures/servers.ts'

let gateway: Gateway
let served: Served[]
const url = (server: string) => `${gateway.url}/mcp/lab/${server}/server`

beforeAll(async () => {
  const [everything, conformance] = await Promise.all([
    startEverything('streamable-http'),
    startConformanceServer(),
  ])
  served = [everything, conformance]
  gateway = await startGateway({
    manifest: oneGroup('lab', { everything: everything.transport, conformance: conformance.transport }),
  })
})

afterAll(async () => {
  await gateway?.stop()
  await Promise.all(served?.map(one => one.stop()) ?? [])
})

describe('the client of SDK v2', () => {
  const cells: { mode: Mode; server: string; era: string; version: string }[] = [
    { mode: 'legacy', server: 'everything', era: 'legacy', version: '2025-11-25' },
    { mode: 'legacy', server: 'conformance', era: 'legacy', version: '2025-11-25' },
    { mode: 'auto', server: 'everything', era: 'modern', version: '2026-07-28' },
    { mode: 'pinned', server: 'everything', era: 'modern', version: '2026-07-28' },
    { mode: 'auto', server: 'conformance', era: 'modern', version: '2026-07-28' },
    { mode: 'pinned', server: 'conformance', era: 'modern', version: '2026-07-28' },
  ]

  it.each(cells)('in $mode mode speaks $version with $server', async ({ mode, server, era, version }) => {
    const client = await connect({ url: url(server), token: gateway.token, mode })
    try {
      expect(client.getProtocolEra()).toBe(era)
      expect(client.getNegotiatedProtocolVersion()).toBe(version)
      const { tools } = await client.listTools()
      const [tool, args, answer] =
        server === 'everything'
          ? ['echo', { message: 'over the wall' }, 'Echo: over the wall']
          : ['test_simple_text', {}, 'This is a simple text response for testing.']
      expect(tools.map(one => one.name)).toContain(tool)
      expect(textOf(await client.callTool({ name: String(tool), arguments: Object(args) }))).toBe(answer)
    } finally {
      await client.close()
    }
  })

  it.each(['legacy', 'pinned'] as const)('in %s mode answers what the server asks', async mode => {
    const client = await connect({
      url: url('conformance'),
      token: gateway.token,
      mode,
      capabilities: { elicitation: {}, sampling: {}, roots: {} },
      prepare: one => {
        one.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: { name: 'Ana' } }))
        one.setRequestHandler('roots/list', () => ({ roots: [{ uri: 'file:///a' }, { uri: 'file:///b' }] }))
        one.setRequestHandler('sampling/createMessage', () => ({
          role: 'assistant',
          model: 'none',
          content: { type: 'text', text: 'Good day' },
        }))
      },
    })
    try {
      const greeted = await client.callTool({ name: 'test_input_required_result_elicitation' })
      expect(textOf(greeted)).toBe('Hello, Ana!')
      const asked = await client.callTool({ name: 'test_input_required_result_multiple_inputs' })
      expect(textOf(asked)).toBe('Good day Ana, you have 2 roots.')
    } finally {
      await client.close()
    }
  })

  it('in pinned mode hears of changed lists and resources on a listen stream', async () => {
    const client = await connect({ url: url('conformance'), token: gateway.token, mode: 'pinned' })
    try {
      const updated = new Promise(resolve => {
        client.setNotificationHandler('notifications/resources/updated', ({ params }) => resolve(params.uri))
      })
      const changed = new Promise(resolve => {
        client.setNotificationHandler('notifications/tools/list_changed', () => resolve(true))
      })
      const before = (await client.listTools()).tools.length
      const subscription = await client.listen({
        toolsListChanged: true,
        resourceSubscriptions: ['test://watched-resource'],
      })
      await client.callTool({
        name: 'test_trigger_resource_update',
        arguments: { uri: 'test://watched-resource' },
      })
      expect(await updated).toBe('test://watched-resource')
      await client.callTool({ name: 'test_trigger_tool_change' })
      await changed
      const after = await client.listTools(undefined, { cacheMode: 'refresh' })
      expect(Math.abs(after.tools.length - before)).toBe(1)
      await subscription.close()
    } finally {
      await client.close()
    }
  })
})

describe('the client of SDK v1', () => {
  const answered = z.object({
    server: z.object({ name: z.string() }),
    tools: z.array(z.string()),
    result: z.object({ content: z.array(z.object({ text: z.string() })) }),
  })

  it.each([
    ['everything', 'mcp-servers/everything', 'get-sum', { a: 19, b: 23 }, 'The sum of 19 and 23 is 42.'],
    [
      'conformance',
      'conformance-fixture',
      'test_simple_text',
      {},
      'This is a simple text response for testing.',
    ],
  ])('lists and calls the tools of %s', async (server, name, tool, args, text) => {
    const { sdkV1Client } = await peers()
    const printed = await run({ args: [sdkV1Client, url(server), gateway.token, tool, JSON.stringify(args)] })
    const answer = answered.parse(JSON.parse(printed))
    expect(answer.server.name).toBe(name)
    expect(answer.tools).toContain(tool)
    expect(answer.result.content[0]?.text).toBe(text)
  })
})
