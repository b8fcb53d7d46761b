// The MCP client of the OpenAI Agents SDK: `node openai-agents.mjs < plan`.
import { MCPServerStreamableHttp } from '@openai/agents-core'
import { textOf, visitAll } from './visits.mjs'

async function connect({ url, token }) {
  const requestInit = { headers: { Authorization: `Bearer ${token}` } }
  const client = new MCPServerStreamableHttp({ url, name: 'gatehouse', requestInit })
  await client.connect()
  return {
    tools: async () => (await client.listTools()).map(one => one.name),
    call: async (name, args, { signal }) => textOf(await client.callTool(name, args, null, { signal })),
    read: async uri => textOf((await client.readResource(uri)).contents),
    close: () => client.close(),
  }
}

await visitAll({ connect, offers: ['resources', 'cancellation'] })
