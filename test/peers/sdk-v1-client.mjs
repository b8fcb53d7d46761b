// A client on SDK v1: `node sdk-v1-client.mjs <url> <token> <tool> <arguments as JSON>` prints what it got as JSON.
// At an address that ends with /sse it speaks HTTP+SSE.
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'

const [url, token, tool, args] = process.argv.slice(2)
const client = new Client({ name: 'sdk-v1', version: '1.0.0' })
const requestInit = { headers: { Authorization: `Bearer ${token}` } }
const Transport = url.endsWith('/sse') ? SSEClientTransport : StreamableHTTPClientTransport
await client.connect(new Transport(new URL(url), { requestInit }))
const { tools } = await client.listTools()
const result = await client.callTool({ name: tool, arguments: JSON.parse(args) })
await client.close()
console.log(JSON.stringify({ server: client.getServerVersion(), tools: tools.map(one => one.name), result }))
