// SDK v2: `node sdk-v2.mjs <legacy|auto|pinned> [<path of mcp-remote>] < plan`; with a path, over stdio through mcp-remote.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { textOf, textOfMessages, visitAll } from './visits.mjs'

const [mode, mcpRemote] = process.argv.slice(2)
const versionNegotiation = { mode: mode === 'pinned' ? { pin: '2026-07-28' } : mode }

function transportTo(url, token) {
  const Authorization = `Bearer ${token}`
  if (mcpRemote === undefined) {
    return new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: { Authorization } } })
  }
  const args = [mcpRemote, url, '--allow-http', '--header', `Authorization:${Authorization}`]
  const { PATH, HOME, MCP_REMOTE_CONFIG_DIR } = process.env
  const env = { PATH, HOME, MCP_REMOTE_CONFIG_DIR }
  return new StdioClientTransport({ command: process.execPath, args, env, stderr: 'ignore' })
}

async function connect({ url, token, elicit, sample }) {
  const capabilities = { ...(elicit && { elicitation: {} }), ...(sample && { sampling: {} }) }
  const client = new Client({ name: 'sdk-v2', version: '1.0.0' }, { capabilities, versionNegotiation })
  if (elicit) client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: elicit() }))
  if (sample) client.setRequestHandler('sampling/createMessage', () => sample())
  await client.connect(transportTo(url, token))
  return {
    tools: async () => (await client.listTools()).tools.map(one => one.name),
    call: async (name, args, { signal, onProgress }) => {
      const options = { signal, ...(onProgress && { onprogress: onProgress }) }
      return textOf((await client.callTool({ name, arguments: args }, options)).content)
    },
    read: async uri => textOf((await client.readResource({ uri })).contents),
    prompt: async (name, args) => textOfMessages(await client.getPrompt({ name, arguments: args })),
    close: () => client.close(),
  }
}

const offers = ['resources', 'prompts', 'progress', 'elicitation', 'sampling', 'cancellation']
await visitAll({ connect, offers })
