/** Clients that are libraries: each is a small program written with it, as its documentation has it. */
import { join } from 'node:path'
import { FASTMCP, FOLDER, fastmcp, peers } from '../../../fixtures/peers.ts'
import { theirs } from '../servers.ts'
import type { ClientKind } from './client-kind.ts'
import { visitWith } from './program.ts'

const program = (name: string) => join(FOLDER, 'matrix', `${name}.mjs`)
const install = async () => void (await peers())

export const fastmcpClient: ClientKind = {
  name: 'fastmcp',
  title: 'FastMCP (Python)',
  kind: 'library',
  how: '`Client` with its `StreamableHttpTransport` and nothing else set',
  install: async () => void (await fastmcp()),
  version: () => FASTMCP.replace('fastmcp==', ''),
  visit: async plan => visitWith([await fastmcp(), join(FOLDER, 'matrix', 'fastmcp_visits.py')], plan),
}

export const sdkV1: ClientKind = {
  name: 'sdk-v1',
  title: 'TypeScript SDK v1',
  kind: 'library',
  how: '`Client` with its `StreamableHTTPClientTransport`',
  install,
  version: () => theirs('@modelcontextprotocol/sdk'),
  visit: plan => visitWith([process.execPath, program('sdk-v1')], plan),
}

const sdkV2 = (mode: 'legacy' | 'auto' | 'pinned', how: string): ClientKind => ({
  name: `sdk-v2-${mode}`,
  title: `TypeScript SDK v2, ${mode}`,
  kind: 'library',
  how,
  install,
  version: () => theirs('@modelcontextprotocol/client'),
  visit: plan => visitWith([process.execPath, program('sdk-v2'), mode], plan),
})

export const sdkV2Legacy = sdkV2('legacy', 'as it comes, which is sessions only')
export const sdkV2Auto = sdkV2('auto', "`versionNegotiation: { mode: 'auto' }`: asks which era it is")
export const sdkV2Pinned = sdkV2(
  'pinned',
  "`versionNegotiation: { mode: { pin: '2026-07-28' } }`: stateless only",
)

export const mcpRemote: ClientKind = {
  name: 'mcp-remote',
  title: 'mcp-remote',
  kind: 'library',
  how: 'started over stdio by a client of SDK v2 as it comes, which is how desktop applications use it',
  install,
  version: () => theirs('mcp-remote'),
  visit: async plan => {
    const { mcpRemote: bridge } = await peers()
    const env = { MCP_REMOTE_CONFIG_DIR: plan.home }
    return visitWith([process.execPath, program('sdk-v2'), 'legacy', bridge], plan, env)
  },
}

export const aiSdk: ClientKind = {
  name: 'ai-sdk',
  title: 'AI SDK',
  kind: 'library',
  how: '`createMCPClient` of `@ai-sdk/mcp`; tools by their own `execute`',
  install,
  version: () => theirs('@ai-sdk/mcp'),
  visit: plan => visitWith([process.execPath, program('ai-sdk')], plan),
}

export const langchain: ClientKind = {
  name: 'langchain',
  title: 'LangChain adapter',
  kind: 'library',
  how: '`MultiServerMCPClient` of `@langchain/mcp-adapters`; tools by their own `invoke`',
  install,
  version: () => theirs('@langchain/mcp-adapters'),
  visit: plan => visitWith([process.execPath, program('langchain')], plan),
}

export const openaiAgents: ClientKind = {
  name: 'openai-agents',
  title: 'OpenAI Agents SDK',
  kind: 'library',
  how: '`MCPServerStreamableHttp` of `@openai/agents-core`',
  install,
  version: () => theirs('@openai/agents-core'),
  visit: plan => visitWith([process.execPath, program('openai-agents')], plan),
}
