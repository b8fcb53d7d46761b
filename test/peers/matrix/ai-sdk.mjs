// The MCP client of the AI SDK: `node ai-sdk.mjs < plan`.
import { createMCPClient, ElicitationRequestSchema } from '@ai-sdk/mcp'
import { textOf, textOfMessages, visitAll } from './visits.mjs'

async function connect({ url, token, elicit }) {
  const headers = { Authorization: `Bearer ${token}` }
  const capabilities = elicit ? { elicitation: {} } : {}
  const client = await createMCPClient({ transport: { type: 'http', url, headers }, capabilities })
  if (elicit)
    client.onElicitationRequest(ElicitationRequestSchema, () => ({ action: 'accept', content: elicit() }))
  return {
    tools: async () => Object.keys(await client.tools()),
    // As a model would have it called, by the tool's own execute.
    call: async (name, args, { signal }) => {
      const { [name]: tool } = await client.tools()
      const result = await tool.execute(args, { toolCallId: '1', messages: [], abortSignal: signal })
      return textOf(result.content)
    },
    read: async uri => textOf((await client.readResource({ uri })).contents),
    prompt: async (name, args) => textOfMessages(await client.getPrompt({ name, arguments: args })),
    close: () => client.close(),
  }
}

await visitAll({ connect, offers: ['resources', 'prompts', 'elicitation', 'cancellation'] })
