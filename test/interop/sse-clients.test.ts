/** Clients that know only HTTP+SSE (2024-11-05): the transports of both SDKs, over every kind of server. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as z from 'zod'
import { type Gateway, oneGroup, startGateway } from '../fixtures/gateway.ts'
import { peers } from '../fixtures/peers.ts'
import { run } from '../fixtures/process.ts'
import { connect, textOf } from '../fixtures/sdk-client.ts'
import { type Served, startConformanceServer, startEverything, stdio } from '../fixtures/servers.ts'

let gateway: Gateway
let served: Served[]
const url = (server: string) => `${gateway.url}/mcp/lab/${server}/sse`

beforeAll(async () => {
  const [http, sse, conformance] = await Promise.all([
    startEverything('streamable-http'),
    startEverything('sse'),
    startConformanceServer(),
  ])
  served = [http, sse, conformance]
  gateway = await startGateway({
    manifest: oneGroup('lab', {
      'streamable-http': http.transport,
      sse: sse.transport,
      stdio: stdio.everything(),
      conformance: conformance.transport,
    }),
  })
})

afterAll(async () => {
  await gateway?.stop()
  await Promise.all(served?.map(one => one.stop()) ?? [])
})

describe('the SSE transport of SDK v2', () => {
  it.each(['streamable-http', 'sse', 'stdio'])(
    'lists, calls and reads with server-everything over %s',
    async server => {
      const client = await connect({ url: url(server), token: gateway.token, mode: 'legacy', over: 'sse' })
      try {
        const { tools } = await client.listTools()
        expect(tools.map(({ name }) => name)).toContain('echo')
        const progress: number[] = []
        const args = { duration: 0.4, steps: 2 }
        const long = await client.callTool(
          { name: 'trigger-long-running-operation', arguments: args },
          { onprogress: report => progress.push(report.progress) },
        )
        expect(textOf(long)).toContain('completed')
        // The client forgets a call with its answer, and what came just before it.
        expect(progress).toContain(1)
        const sums = await Promise.all(
          [1, 2, 3].map(b => client.callTool({ name: 'get-sum', arguments: { a: 1, b } })),
        )
        expect(sums.map(sum => textOf(sum).match(/is (\d+)/)?.[1])).toEqual(['2', '3', '4'])
        const { contents } = await client.readResource({
          uri: 'demo://resource/static/document/features.md',
        })
        expect(contents).toHaveLength(1)
      } finally {
        await client.close()
      }
    },
  )

  it('answers what the server asks, and hears what it logs', async () => {
    const logged: unknown[] = []
    const client = await connect({
      url: url('conformance'),
      token: gateway.token,
      mode: 'legacy',
      over: 'sse',
      capabilities: { elicitation: {}, sampling: {} },
      prepare: one => {
        one.setRequestHandler('elicitation/create', () => ({
          action: 'accept',
          content: { username: 'ana', email: 'ana@example.com' },
        }))
        one.setNotificationHandler('notifications/message', ({ params }) => {
          logged.push(params.data)
        })
      },
    })
    try {
      const asked = await client.callTool({ name: 'test_elicitation', arguments: { message: 'Who?' } })
      expect(textOf(asked)).toContain('ana')
      await client.setLoggingLevel('debug')
      await client.callTool({ name: 'test_tool_with_logging' })
      expect(logged).toHaveLength(3)
    } finally {
      await client.close()
    }
  })

  it('leaves nothing behind', async () => {
    const open = async () => (await fetch(`${gateway.url}/metrics`)).text()
    for (const gone of [/^gatehouse_sessions 0$/m, /^gatehouse_streams 0$/m])
      await expect.poll(open).toMatch(gone)
  })
})

describe('the SSE transport of SDK v1', () => {
  const answered = z.object({
    tools: z.array(z.string()),
    result: z.object({ content: z.array(z.object({ text: z.string() })) }),
  })

  it.each(['streamable-http', 'sse'])('lists and calls with server-everything over %s', async server => {
    const { sdkV1Client } = await peers()
    const args = [sdkV1Client, url(server), gateway.token, 'get-sum', '{"a":19,"b":23}']
    const answer = answered.parse(JSON.parse(await run({ args })))
    expect(answer.tools).toContain('echo')
    expect(answer.result.content[0]?.text).toBe('The sum of 19 and 23 is 42.')
  })
})
