/** The real MCP servers of the demo: from node_modules where they are installed, else through npx. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import type { JsonObject } from '../foundation/json.ts'

export const demoGroup = 'demo'
export const demoUser = 'demo@example.com'

export const demoPackages = {
  everything: '@modelcontextprotocol/server-everything@2026.8.31',
  filesystem: '@modelcontextprotocol/server-filesystem@2026.8.31',
  memory: '@modelcontextprotocol/server-memory@2026.8.31',
  dbhub: '@bytebase/dbhub@1.4.0',
} as const

export type Command = { readonly command: string; readonly args: readonly string[] }

const manifestSchema = z.object({ bin: z.record(z.string(), z.string()) })

/** How to run a package: its own script under this Node, or npx with exactly that version. */
export function commandOf(packageName: keyof typeof demoPackages): Command {
  const wanted = demoPackages[packageName]
  const name = wanted.slice(0, wanted.lastIndexOf('@'))
  const root = fileURLToPath(new URL(`../../node_modules/${name}/`, import.meta.url))
  try {
    const { bin } = manifestSchema.parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')))
    return { command: process.execPath, args: [join(root, Object.values(bin)[0] ?? '')] }
  } catch {
    return { command: 'npx', args: ['-y', wanted] }
  }
}

export type DemoPlaces = {
  /** Directory the filesystem server may touch. */
  readonly files: string
  /** File the memory server keeps its graph in. */
  readonly memory: string
  /** Where the everything server answers over HTTP. */
  readonly httpUrl: string
}

/** What the demo registers, as a manifest: applying it again changes nothing. */
export function demoManifest({ files, memory, httpUrl }: DemoPlaces): JsonObject {
  const server = (name: string, description: string, transport: JsonObject) => ({
    group: demoGroup,
    name,
    description,
    transport,
  })
  return {
    users: [{ email: demoUser, role: 'member' }],
    groups: [
      {
        name: demoGroup,
        description: 'Made by gatehouse start --demo, which makes it so again each time.',
        access: [{ subject: `user:${demoUser}` }],
      },
    ],
    servers: [
      server('everything', 'Reference server over stdio', stdio('everything')),
      server('everything-http', 'Reference server over streamable HTTP, with sessions', {
        kind: 'streamable-http',
        url: httpUrl,
        allowPrivateNetwork: true,
      }),
      server('files', `Files in ${files}`, stdio('filesystem', [files])),
      server('memory', 'A small knowledge graph', { ...stdio('memory'), env: { MEMORY_FILE_PATH: memory } }),
      server(
        'employees',
        'A database of employees, over revision 2026-07-28',
        stdio('dbhub', ['--transport', 'stdio', '--demo']),
      ),
    ],
  }
}

function stdio(packageName: keyof typeof demoPackages, more: readonly string[] = []): JsonObject {
  const { command, args } = commandOf(packageName)
  return { kind: 'stdio', command, args: [...args, ...more] }
}

export type DemoCall = {
  readonly server: string
  readonly tool: string
  readonly arguments: Readonly<Record<string, unknown>>
}

/** One real call of each server. */
export function demoCalls({ files }: DemoPlaces): readonly DemoCall[] {
  const entity = { name: 'Gatehouse', entityType: 'gateway', observations: ['It carried this call.'] }
  return [
    { server: 'everything', tool: 'echo', arguments: { message: 'Hello from Gatehouse' } },
    { server: 'everything-http', tool: 'get-sum', arguments: { a: 2, b: 40 } },
    { server: 'files', tool: 'list_directory', arguments: { path: files } },
    { server: 'memory', tool: 'create_entities', arguments: { entities: [entity] } },
    employeesCall,
  ]
}

export const employeesCall: DemoCall = {
  server: 'employees',
  tool: 'execute_sql',
  arguments: { sql: 'select count(*) as employees from employee' },
}
