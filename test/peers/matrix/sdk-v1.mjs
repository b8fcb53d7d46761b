// SDK v1: `node sdk-v1.mjs < plan`.
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { CreateMessageRequestSchema, ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { textOf, textOfMessages, visitAll } from './visits.mjs'

async function connect({ url, token, elicit, sample }) {
  const capabilities = { ...(elicit && { elicitation: {} }), ...(sample && { sampling: {} }) }
  const client = new Client({ name: 'sdk-v1', version: '1.0.0' }, { capabilities })
  if (elicit) client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: elicit() }))
  if (sample) client.setRequestHandler(CreateMessageRequestSchema, () => sample())
  const requestInit = { headers: { Authorization: `Bearer ${token}` } }
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }))
  return {
    tools: async () => (await client.listTools()).tools.map(one => one.name),
    call: async (name, args, { signal, onProgress }) => {
      const options = { signal, ...(onProgress && { onprogress: onProgress }) }
      return textOf((await client.callTool({ name, arguments: args }, undefined, options)).content)
    },
    read: async uri => textOf((await client.readResource({ uri })).contents),
    prompt: async (name, args) => textOfMessages(await client.getPrompt({ name, arguments: args })),
    close: () => client.close(),
  }
}

const offers = ['resources', 'prompts', 'progress', 'elicitation', 'sampling', 'cancellation']
await visitAll({ connect, offers })
