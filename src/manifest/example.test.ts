/** One manifest with everything in it, as people who know the product from its description would write it: it applies as it stands. */
import { expect, it } from 'vitest'
import { parse } from 'yaml'
import { onEachDatabase } from '../../test/fixtures/databases.ts'
import { openRooms } from '../../test/fixtures/rooms.ts'
import { gatewayItself } from '../upstreams/index.ts'
import type { PlanEntry } from './index.ts'

const example = `
users:
  - email: ana@example.com
    role: member                       # admin | member | auditor
teams:
  - name: engineering
    members: [ana@example.com]
virtualAccounts:
  - name: nightly-agent
    owner: user:ana@example.com
groups:
  - name: engineering
    managers: [user:lead@example.com]
    access:
      - subject: team:engineering      # all servers, all tools
      - subject: account:nightly-agent
        servers: [files]
        tools: [read_text_file, list_*]        # names or globs; or: readOnly
servers:
  - group: engineering
    name: everything
    description: Reference server
    transport: { kind: streamable-http, url: "http://localhost:3001/mcp", allowPrivateNetwork: true }    # or: sse
    auth: { kind: none }
  - group: engineering
    name: files
    transport:
      kind: stdio
      command: npx
      args: [-y, "@modelcontextprotocol/server-filesystem@2026.8.31", /srv/files]
      env: { LOG_LEVEL: info }
      instance: shared                 # shared | per-user
    tools: { default: allow, deny: [write_file, edit_file, move_file] }
  - group: engineering
    name: internal-db
    transport: { kind: streamable-http, url: "https://db.example.com/mcp" }
    auth: { kind: headers, headers: { Authorization: "Bearer \${env:DB_TOKEN}" } }
  - group: engineering
    name: github
    transport: { kind: streamable-http, url: "https://mcp.example.com/mcp" }
    auth: { kind: oauth2, scopes: [repo] }       # discovery and registration are automatic; every part can be given by hand
virtualServers:
  - group: engineering
    name: safe-dev
    access: [{ subject: everyone }]    # besides the group's own grants; no grant on the sources is needed
    sources:
      - server: engineering/files
        tools: [read_text_file, list_directory]
      - server: engineering/everything
        tools:
          - name: echo
            as: say_back
            description: Repeats a message
            arguments: { message: { description: what to repeat }, locale: { value: en, hidden: true } }
`

const tool = (name: string, ...properties: string[]) => ({
  kind: 'tool' as const,
  name,
  hash: '',
  definition: JSON.stringify({
    name,
    inputSchema: { type: 'object', properties: Object.fromEntries(properties.map(each => [each, {}])) },
  }),
})

onEachDatabase(open => {
  it('applies whole, changes nothing a second time, and is exported as it stands', async () => {
    const rooms = await openRooms(await open())
    const apply = (manifest: string) =>
      rooms.ask<{ plan: PlanEntry[] }>('POST /manifest', {
        manifest,
        secrets: { 'env:DB_TOKEN': 'hush-hush' },
      })
    const changes = async (manifest: string) =>
      (await apply(manifest)).plan
        .filter(({ action }) => action !== 'keep')
        .map(({ kind, name }) => `${kind} ${name}`)
    expect(await changes(example)).toEqual([
      'user ana@example.com',
      'team engineering',
      'virtualAccount nightly-agent',
      'group engineering',
      'server engineering/everything',
      'server engineering/files',
      'server engineering/github',
      'server engineering/internal-db',
      'virtualServer engineering/safe-dev',
    ])
    rooms.offer('engineering/files', [tool('read_text_file', 'path'), tool('list_directory', 'path')])
    rooms.offer('engineering/everything', [tool('echo', 'message', 'locale')])
    expect(await changes(example)).toEqual([])
    const { manifest } = await rooms.ask<{ manifest: string }>('GET /manifest')
    expect(manifest).not.toContain('hush-hush')
    expect(await changes(manifest)).toEqual([])
    const { servers, virtualServers } = parse(manifest)
    const named = (name: string) => servers.find((server: { name: string }) => server.name === name)
    expect(named('github').auth).toEqual({ kind: 'oauth2', scopes: ['repo'] })
    expect(named('internal-db').auth).toEqual(parse(example).servers[2].auth)
    expect(virtualServers).toEqual(parse(example).virtualServers)
    const db = rooms.register.find('engineering', 'internal-db')
    expect(db && (await rooms.vault.equip(db, gatewayItself)).headers).toEqual([
      'Authorization',
      'Bearer hush-hush',
    ])
  })
})
