// A small McpServer of SDK v2 as its documentation has it: `node mcp-server.mjs <port> <stateless|both>`. With `both`, sessions' clients
// are served without sessions on the same URL, as createMcpHandler does by itself.
import { createServer } from 'node:http'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import * as z from 'zod'

const [port, eras] = process.argv.slice(2)

function build() {
  const server = new McpServer({ name: 'sums', version: '1.0.0' })
  server.registerTool(
    'add',
    { description: 'Adds two numbers', inputSchema: z.object({ a: z.number(), b: z.number() }) },
    ({ a, b }) => ({ content: [{ type: 'text', text: `The sum is ${a + b}.` }] }),
  )
  return server
}

const handler = createMcpHandler(build, eras === 'stateless' ? { legacy: 'reject' } : {})
createServer(toNodeHandler(handler)).listen(Number(port), '127.0.0.1')
