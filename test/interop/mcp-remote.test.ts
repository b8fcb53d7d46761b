import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Gateway, oneGroup, startGateway } from '../fixtures/gateway.ts'
import { peers } from '../fixtures/peers.ts'
import { environment } from '../fixtures/process.ts'
import { textOf } from '../fixtures/sdk-client.ts'
import { type Served, startConformanceServer, startEverything } from '../fixtures/servers.ts'

const INSTALLING_MS = 10 * 60_000

let gateway: Gateway
let served: Served[]
const configFolder = mkdtempSync(join(tmpdir(), 'mcp-remote-'))

beforeAll(async () => {
  await peers()
  const [everything, conformance] = await Promise.all([
    startEverything('streamable-http'),
    startConformanceServer(),
  ])
  served = [everything, conformance]
  gateway = await startGateway({
    manifest: oneGroup('lab', { everything: everything.transport, conformance: conformance.transport }),
  })
}, INSTALLING_MS)

afterAll(async () => {
  await gateway?.stop()
  await Promise.all(served?.map(one => one.stop()) ?? [])
  rmSync(configFolder, { recursive: true, force: true })
})

it.each([
  ['legacy', 'everything', 'echo', { message: 'bridged' }, 'Echo: bridged'],
  ['auto', 'everything', 'echo', { message: 'bridged' }, 'Echo: bridged'],
  ['legacy', 'conformance', 'test_simple_text', {}, 'This is a simple text response for testing.'],
  ['auto', 'conformance', 'test_simple_text', {}, 'This is a simple text response for testing.'],
] as const)('mcp-remote carries a stdio client in %s mode to %s', async (mode, server, name, args, text) => {
  const { mcpRemote } = await peers()
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [
      mcpRemote,
      `${gateway.url}/mcp/lab/${server}/server`,
      '--allow-http',
      '--header',
      `Authorization:Bearer ${gateway.token}`,
    ],
    env: environment({ MCP_REMOTE_CONFIG_DIR: configFolder }),
    stderr: 'ignore',
  })
  const client = new Client({ name: 'bridged', version: '1.0.0' }, { versionNegotiation: { mode } })
  try {
    await client.connect(transport)
    const { tools } = await client.listTools()
    expect(tools.map(one => one.name)).toContain(name)
    expect(textOf(await client.callTool({ name, arguments: args }))).toBe(text)
  } finally {
    await client.close()
  }
})
