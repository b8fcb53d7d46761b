/** The servers of the matrix: real ones from npm and PyPI, and small ones written with the SDK as its documentation has it. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FASTMCP, FOLDER } from '../../fixtures/peers.ts'
import { freePort, ROOT, start } from '../../fixtures/process.ts'
import * as known from '../../fixtures/servers.ts'

export type Upstream = { readonly transport: known.Transport; stop(): Promise<unknown> }

export type ServerKind = {
  readonly name: string
  readonly title: string
  readonly transport: 'stdio' | 'streamable HTTP' | 'HTTP+SSE'
  version(): string
  /** The call of the grid. Some agents show the model the text of the answer, some its structured content. */
  readonly call: {
    readonly tool: string
    readonly arguments: Readonly<Record<string, unknown>>
    readonly expect: RegExp
  }
  /** Starts it, or says how the gateway shall; files go into the folder. */
  start(folder: string): Promise<Upstream>
}

const echo = { tool: 'echo', arguments: { message: 'ola' }, expect: /Echo: ola/ }
const sql = { tool: 'execute_sql', arguments: { sql: 'select 6 * 7 as answer' }, expect: /"answer":\s*42/ }
const add = { tool: 'add', arguments: { a: 19, b: 23 }, expect: /The sum is 42\./ }
const peer = (...path: string[]) => join(FOLDER, 'node_modules', ...path)
const official = (name: string) => `@modelcontextprotocol/server-${name}`

export const servers: readonly ServerKind[] = [
  {
    name: 'everything-stdio',
    title: 'everything, stdio',
    transport: 'stdio',
    version: () => ours(official('everything')),
    call: echo,
    start: async () => asProcess(known.stdio.everything()),
  },
  {
    name: 'everything-sse',
    title: 'everything, SSE',
    transport: 'HTTP+SSE',
    version: () => ours(official('everything')),
    call: echo,
    start: () => known.startEverything('sse'),
  },
  {
    name: 'everything-http',
    title: 'everything, HTTP',
    transport: 'streamable HTTP',
    version: () => ours(official('everything')),
    call: echo,
    start: () => known.startEverything('streamable-http'),
  },
  {
    name: 'filesystem',
    title: 'filesystem',
    transport: 'stdio',
    version: () => ours(official('filesystem')),
    call: { tool: 'list_allowed_directories', arguments: {}, expect: /Allowed directories:/ },
    start: async folder => {
      writeFileSync(join(folder, 'note.txt'), 'what the file says\n')
      return asProcess(known.stdio.filesystem(folder))
    },
  },
  {
    name: 'memory',
    title: 'memory',
    transport: 'stdio',
    version: () => ours(official('memory')),
    call: { tool: 'search_nodes', arguments: { query: 'nobody' }, expect: /"entities":\s*\[\]/ },
    start: async folder => asProcess(known.stdio.memory(join(folder, 'memories.jsonl'))),
  },
  {
    name: 'sequential-thinking',
    title: 'sequential-thinking',
    transport: 'stdio',
    version: () => theirs(official('sequential-thinking')),
    call: {
      tool: 'sequentialthinking',
      arguments: { thought: 'one', thoughtNumber: 1, totalThoughts: 1, nextThoughtNeeded: false },
      expect: /"thoughtHistoryLength":\s*\d/,
    },
    start: async () => asProcess(known.program(peer(official('sequential-thinking'), 'dist', 'index.js'))),
  },
  {
    name: 'dbhub-stdio',
    title: 'dbhub, stdio',
    transport: 'stdio',
    version: () => ours('@bytebase/dbhub'),
    call: sql,
    start: async () => asProcess(known.stdio.dbhub()),
  },
  {
    name: 'dbhub-http',
    title: 'dbhub, HTTP',
    transport: 'streamable HTTP',
    version: () => ours('@bytebase/dbhub'),
    call: sql,
    start: () => known.startDbhub(),
  },
  {
    name: 'context7',
    title: 'context7',
    transport: 'streamable HTTP',
    version: () => theirs('@upstash/context7-mcp'),
    call: {
      // With a network it lists libraries, without one it says that it cannot: the words are the server's either way.
      tool: 'resolve-library-id',
      arguments: { query: 'how to write a component', libraryName: 'react' },
      expect: /librar/i,
    },
    start: () =>
      listening('/mcp', port => {
        const program = peer('@upstash', 'context7-mcp', 'dist', 'index.js')
        return [program, '--transport', 'http', '--port', port]
      }),
  },
  {
    name: 'mongodb',
    title: 'mongodb',
    transport: 'streamable HTTP',
    version: () => theirs('mongodb-mcp-server'),
    call: { tool: 'list-connections', arguments: {}, expect: /no active connections|"connections":\s*\[\]/ },
    start: () =>
      listening('/mcp', port => {
        const program = peer('mongodb-mcp-server', 'dist', 'esm', 'index.js')
        const where = ['--transport', 'http', '--httpHost=127.0.0.1', `--httpPort=${port}`]
        return [program, ...where, '--telemetry=disabled']
      }),
  },
  {
    name: 'playwright',
    title: 'playwright',
    transport: 'stdio',
    version: () => theirs('@playwright/mcp'),
    // Where there is no browser it says so: the words are the server's either way.
    call: { tool: 'browser_close', arguments: {}, expect: /chrom|tab|page/i },
    start: async () => asProcess(known.program(peer('@playwright', 'mcp', 'cli.js'), '--headless')),
  },
  {
    name: 'fastmcp',
    title: 'FastMCP',
    transport: 'streamable HTTP',
    version: () => FASTMCP.replace('fastmcp==', ''),
    call: { tool: 'dictate', arguments: { text: 'tea' }, expect: /That was tea\./ },
    start: () => known.startFastmcp(),
  },
  {
    name: 'sdk-stateless',
    title: 'McpServer, stateless only',
    transport: 'streamable HTTP',
    version: () => theirs('@modelcontextprotocol/server'),
    call: add,
    start: () => listening('/', port => [join(FOLDER, 'matrix', 'mcp-server.mjs'), port, 'stateless']),
  },
  {
    name: 'sdk-both',
    title: 'McpServer, both eras',
    transport: 'streamable HTTP',
    version: () => theirs('@modelcontextprotocol/server'),
    call: add,
    start: () => listening('/', port => [join(FOLDER, 'matrix', 'mcp-server.mjs'), port, 'both']),
  },
  {
    name: 'conformance',
    title: 'conformance fixture',
    transport: 'streamable HTTP',
    version: () => ours('@modelcontextprotocol/server'),
    call: {
      tool: 'test_simple_text',
      arguments: {},
      expect: /This is a simple text response for testing\./,
    },
    start: () => known.startConformanceServer(),
  },
]

function asProcess(transport: known.Transport): Upstream {
  return { transport, stop: async () => undefined }
}

async function listening(path: string, args: (port: string) => string[]): Promise<Upstream> {
  const port = await freePort()
  // context7 would open a port for metrics that is always the same.
  const env = { OTEL_SDK_DISABLED: 'true', DO_NOT_TRACK: '1' }
  const running = start({ args: ['--import', known.LOOPBACK_ONLY, ...args(String(port))], env })
  await running.listening(port)
  return {
    transport: known.remote('streamable-http', `http://127.0.0.1:${port}${path}`),
    stop: running.stop,
  }
}

/** The version of a package of ours. */
export function ours(name: string): string {
  return versionIn(join(ROOT, 'node_modules', name, 'package.json'))
}

/** The version of a package of test/peers. */
export function theirs(name: string): string {
  return versionIn(peer(name, 'package.json'))
}

function versionIn(manifest: string): string {
  const { version }: { version: string } = JSON.parse(readFileSync(manifest, 'utf8'))
  return version
}
