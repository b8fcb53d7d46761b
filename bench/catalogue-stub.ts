/** Many MCP servers on one port, each at a path of its own: `/<name>/mcp` has `tools` tools of the size that real ones have. */
import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'
import { protocolVersion } from './calls.ts'
import { announcePort } from './child.ts'

const count = Number(process.argv[2])
const cacheable = { resultType: 'complete', ttlMs: 300_000, cacheScope: 'private' }

// The 341 tools of 20 public servers have about 900 bytes each.
const toolOf = (server: string, number: number) => ({
  name: `${server}_tool_${number}`,
  description: `Does thing ${number} of ${server}. ${'It takes a place and what to look for there, and gives what it found. '.repeat(4)}`,
  inputSchema: {
    type: 'object',
    properties: {
      place: { type: 'string', description: 'Where to look, as a path from the root of the project.' },
      query: { type: 'string', description: 'What to look for; words that have to be there, in any order.' },
      limit: { type: 'integer', minimum: 1, maximum: 100, default: 20, description: 'At most so many.' },
    },
    required: ['place', 'query'],
    additionalProperties: false,
  },
  annotations: { readOnlyHint: true },
})

function resultOf(method: string, server: string): object | undefined {
  switch (method) {
    case 'server/discover':
      return {
        ...cacheable,
        supportedVersions: [protocolVersion],
        capabilities: { tools: {} },
        serverInfo: { name: server, version: '1.0.0' },
      }
    case 'tools/list':
      return { ...cacheable, tools: Array.from({ length: count }, (_, number) => toolOf(server, number)) }
    default:
      return undefined
  }
}

const server = createServer(async (request, response) => {
  const name = request.url?.split('/')[1] ?? ''
  const { id, method } = (await json(request)) as { id?: number; method?: string }
  const result = resultOf(method ?? '', name)
  const error = { code: -32601, message: 'Method not found' }
  const answer = result === undefined ? { error } : { result }
  response.writeHead(result === undefined ? 404 : 200, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ jsonrpc: '2.0', id, ...answer }))
})

announcePort(server)
