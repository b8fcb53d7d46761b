// The LangChain adapter: `node langchain.mjs < plan`.
import { MultiServerMCPClient } from '@langchain/mcp-adapters'
import { textOf, visitAll } from './visits.mjs'

async function connect({ url, token }) {
  let report = () => undefined
  const headers = { Authorization: `Bearer ${token}` }
  const client = new MultiServerMCPClient({
    mcpServers: { gatehouse: { transport: 'http', url, headers } },
    onProgress: () => report(),
  })
  const tools = await client.getTools()
  return {
    tools: async () => tools.map(one => one.name),
    call: async (name, args, { signal, onProgress }) => {
      report = onProgress ?? report
      const tool = tools.find(one => one.name === name)
      const answer = await tool.invoke(args, { signal })
      if (typeof answer === 'string') return answer
      return Array.isArray(answer) ? textOf(answer) : JSON.stringify(answer)
    },
    read: async uri => textOf(await client.readResource('gatehouse', uri)),
    close: () => client.close(),
  }
}

await visitAll({ connect, offers: ['resources', 'progress', 'cancellation'] })
