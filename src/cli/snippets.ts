/** What to type or paste so that a client uses one server through the gateway. One table, one entry for each client. */

export type Place = {
  /** How the client will call the server. */
  readonly name: string
  readonly url: string
  /** A token, or a text that stands for one. */
  readonly token: string
}

/** A call for snippets that run by themselves; without one they list the tools. */
export type ToolCall = { readonly name: string; readonly arguments: Readonly<Record<string, unknown>> }

export type Snippet = {
  readonly title: string
  /** Where the text goes. */
  readonly where: string
  text(place: Place, call?: ToolCall): string
  /** The same without a token, for clients that ask their person to sign in. */
  signIn?(place: Omit<Place, 'token'>): string
}

const json = (value: unknown) => JSON.stringify(value, undefined, 2)
const bearer = ({ token }: Place) => ({ Authorization: `Bearer ${token}` })
const shell = 'Type this in a shell:'

export const snippets: Readonly<Record<string, Snippet>> = {
  'claude-code': {
    title: 'Claude Code',
    where: shell,
    text: place =>
      `claude mcp add --transport http --scope user ${place.name} ${place.url} --header "Authorization: Bearer ${place.token}"`,
    signIn: place => `claude mcp add --transport http --scope user ${place.name} ${place.url}`,
  },
  codex: {
    title: 'Codex',
    where: shell,
    text: place =>
      `export GATEHOUSE_TOKEN=${place.token}\ncodex mcp add ${place.name} --url ${place.url} --bearer-token-env-var GATEHOUSE_TOKEN`,
    signIn: place => `codex mcp add ${place.name} --url ${place.url}\ncodex mcp login ${place.name}`,
  },
  gemini: {
    title: 'Gemini CLI',
    where: shell,
    text: place =>
      `gemini mcp add --scope user --transport http --header "Authorization: Bearer ${place.token}" ${place.name} ${place.url}`,
    signIn: place => `gemini mcp add --scope user --transport http ${place.name} ${place.url}`,
  },
  vscode: {
    title: 'VS Code',
    where: 'Put this into .vscode/mcp.json:',
    text: place =>
      json({
        inputs: [{ type: 'promptString', id: 'gatehouse', description: 'Gatehouse token', password: true }],
        servers: {
          [place.name]: {
            type: 'http',
            url: place.url,
            headers: { Authorization: 'Bearer $' + '{input:gatehouse}' },
          },
        },
      }),
    signIn: place => json({ servers: { [place.name]: { type: 'http', url: place.url } } }),
  },
  cursor: {
    title: 'Cursor',
    where: 'Put this into ~/.cursor/mcp.json:',
    text: place => json({ mcpServers: { [place.name]: { url: place.url, headers: bearer(place) } } }),
    signIn: place => json({ mcpServers: { [place.name]: { url: place.url } } }),
  },
  fastmcp: {
    title: 'FastMCP (Python)',
    where: 'Run this in Python, after pip install fastmcp:',
    text: (place, call) => `import asyncio
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport

async def main():
    transport = StreamableHttpTransport(url="${place.url}", auth="${place.token}")
    async with Client(transport) as client:
        ${call === undefined ? 'print([tool.name for tool in await client.list_tools()])' : `print(await client.call_tool(${JSON.stringify(call.name)}, ${python(call.arguments)}))`}

asyncio.run(main())`,
    signIn: place => `import asyncio
from fastmcp import Client

async def main():
    async with Client("${place.url}", auth="oauth") as client:
        print([tool.name for tool in await client.list_tools()])

asyncio.run(main())`,
  },
  curl: {
    title: 'curl',
    where: 'Type this in a shell; it needs a server that speaks 2026-07-28:',
    text: (place, call) =>
      call === undefined ? curl(place, 'tools/list', {}) : curl(place, 'tools/call', { ...call }),
  },
  sdk: {
    title: 'TypeScript SDK',
    where: 'Run this with Node, after npm install @modelcontextprotocol/client:',
    text: (
      place,
      call,
    ) => `import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'

const transport = new StreamableHTTPClientTransport(new URL('${place.url}'), {
  requestInit: { headers: { Authorization: 'Bearer ${place.token}' } },
})
const client = new Client({ name: 'example', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } })
await client.connect(transport)
console.log(${call === undefined ? '(await client.listTools()).tools.map(tool => tool.name)' : `await client.callTool(${JSON.stringify(call)})`})
await client.close()`,
  },
}

const revision = '2026-07-28'

/** One request of the stateless era, complete in itself. */
function curl(place: Place, method: string, params: Readonly<Record<string, unknown>>): string {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': revision,
    'io.modelcontextprotocol/clientInfo': { name: 'curl', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } })
  return [
    `curl -sS ${place.url}`,
    `  -H 'Authorization: Bearer ${place.token}'`,
    `  -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream'`,
    `  -H 'MCP-Protocol-Version: ${revision}' -H 'Mcp-Method: ${method}'`,
    ...(typeof params.name === 'string' ? [`  -H 'Mcp-Name: ${params.name}'`] : []),
    `  -d '${body.replaceAll("'", `'\\''`)}'`,
  ].join(' \\\n')
}

/** JSON as Python writes it: the same but for three words. */
function python(value: Readonly<Record<string, unknown>>): string {
  const words = { true: 'True', false: 'False', null: 'None' } as const
  return JSON.stringify(value).replaceAll(/"(?:[^"\\]|\\.)*"|true|false|null/g, part => {
    return part === 'true' || part === 'false' || part === 'null' ? words[part] : part
  })
}
