import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as z from 'zod'
import { type Gateway, oneGroup, startGateway } from '../fixtures/gateway.ts'
import { fastmcp } from '../fixtures/peers.ts'
import { run } from '../fixtures/process.ts'
import { connect, type Mode, textOf } from '../fixtures/sdk-client.ts'
import { type Served, startConformanceServer, startEverything, startFastmcp } from '../fixtures/servers.ts'

const INSTALLING_MS = 10 * 60_000

let gateway: Gateway
let served: Served[]
let python: string
const url = (server: string) => `${gateway.url}/mcp/lab/${server}/server`

beforeAll(async () => {
  python = await fastmcp()
  const [letters, everything, conformance] = await Promise.all([
    startFastmcp(),
    startEverything('streamable-http'),
    startConformanceServer(),
  ])
  served = [letters, everything, conformance]
  gateway = await startGateway({
    manifest: oneGroup('lab', {
      letters: letters.transport,
      everything: everything.transport,
      conformance: conformance.transport,
    }),
  })
}, INSTALLING_MS)

afterAll(async () => {
  await gateway?.stop()
  await Promise.all(served?.map(one => one.stop()) ?? [])
})

describe('the FastMCP client in Python', () => {
  const answered = z.object({ tools: z.array(z.string()), texts: z.array(z.string()), data: z.unknown() })

  it.each([
    ['everything', 'echo', { message: 'ola' }, ['Echo: ola'], null],
    ['conformance', 'test_simple_text', {}, ['This is a simple text response for testing.'], null],
    ['letters', 'count', { text: 'banana', letter: 'a' }, ['3'], 3],
  ])('runs the announced example against %s', async (server, tool, args, texts, data) => {
    const script = 'test/peers/fastmcp_client.py'
    const printed = await run({
      command: python,
      args: [script, url(server), gateway.token, tool, JSON.stringify(args)],
    })
    const answer = answered.parse(JSON.parse(printed))
    expect(answer.tools).toContain(tool)
    expect(answer).toMatchObject({ texts, data })
  })
})

describe('a FastMCP server in Python', () => {
  it.each<[Mode, string]>([
    ['legacy', '2025-11-25'],
    ['auto', '2026-07-28'],
    ['pinned', '2026-07-28'],
  ])('serves a client in %s mode', async (mode, version) => {
    const client = await connect({ url: url('letters'), token: gateway.token, mode })
    try {
      expect(client.getNegotiatedProtocolVersion()).toBe(version)
      const { tools } = await client.listTools()
      // FastMCP marks a wrapped result in a field of its own, which its client reads.
      expect(tools[0]?.outputSchema).toMatchObject({ 'x-fastmcp-wrap-result': true })
      const result = await client.callTool({ name: 'count', arguments: { text: 'banana', letter: 'n' } })
      expect(textOf(result)).toBe('2')
      expect(result.structuredContent).toEqual({ result: 2 })
      const { contents } = await client.readResource({ uri: 'letters://alphabet' })
      expect(contents[0]).toMatchObject({ text: 'abcdefghijklmnopqrstuvwxyz' })
      const prompt = await client.getPrompt({ name: 'spell', arguments: { word: 'gate' } })
      expect(prompt.messages[0]?.content).toMatchObject({ text: 'Please spell gate.' })
    } finally {
      await client.close()
    }
  })
})
