/** Servers from npm that are started over stdio, and dbhub over HTTP as well. */
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, oneGroup, startGateway } from '../fixtures/gateway.ts'
import { connect, textOf } from '../fixtures/sdk-client.ts'
import { type Served, startDbhub, stdio } from '../fixtures/servers.ts'

let gateway: Gateway
let dbhub: Served
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'interop-')))
const memories = join(folder, 'memories.jsonl')
const url = (server: string) => `${gateway.url}/mcp/lab/${server}/server`

beforeAll(async () => {
  writeFileSync(join(folder, 'note.txt'), 'what the file says\n')
  dbhub = await startDbhub()
  gateway = await startGateway({
    manifest: oneGroup('lab', {
      files: stdio.filesystem(folder),
      memory: stdio.memory(memories),
      'database-stdio': stdio.dbhub(),
      'database-http': dbhub.transport,
    }),
  })
})

afterAll(async () => {
  await gateway?.stop()
  await dbhub?.stop()
  rmSync(folder, { recursive: true, force: true })
})

describe('server-filesystem', () => {
  it('reads and writes files', async () => {
    const client = await connect({ url: url('files'), token: gateway.token, mode: 'legacy' })
    try {
      const read = await client.callTool({
        name: 'read_text_file',
        arguments: { path: join(folder, 'note.txt') },
      })
      expect(textOf(read)).toBe('what the file says\n')
      expect(read.structuredContent).toEqual({ content: 'what the file says\n' })
      const path = join(folder, 'written.txt')
      await client.callTool({ name: 'write_file', arguments: { path, content: 'from afar' } })
      expect(readFileSync(path, 'utf8')).toBe('from afar')
      const outside = await client.callTool({ name: 'read_text_file', arguments: { path: '/etc/hostname' } })
      expect(outside.isError).toBe(true)
    } finally {
      await client.close()
    }
  })
})

describe('server-memory', () => {
  it('remembers from one client to the next', async () => {
    const first = await connect({ url: url('memory'), token: gateway.token, mode: 'legacy' })
    const entity = { name: 'Ada', entityType: 'person', observations: ['wrote the first program'] }
    await first.callTool({ name: 'create_entities', arguments: { entities: [entity] } })
    await first.close()
    const second = await connect({ url: url('memory'), token: gateway.token, mode: 'auto' })
    try {
      const found = await second.callTool({ name: 'search_nodes', arguments: { query: 'first program' } })
      expect(found.structuredContent).toMatchObject({ entities: [entity] })
      expect(readFileSync(memories, 'utf8')).toContain('Ada')
    } finally {
      await second.close()
    }
  })
})

describe.each(['database-stdio', 'database-http'])('dbhub as %s', server => {
  it.each([
    ['auto', '2026-07-28'],
    ['pinned', '2026-07-28'],
    ['legacy', '2025-11-25'],
  ] as const)('answers SQL to a client in %s mode', async (mode, version) => {
    const client = await connect({ url: url(server), token: gateway.token, mode })
    try {
      expect(client.getNegotiatedProtocolVersion()).toBe(version)
      const { tools } = await client.listTools()
      expect(tools.map(one => one.name)).toContain('execute_sql')
      const sql = 'select count(*) as employees, 6 * 7 as answer from employee'
      const result = await client.callTool({ name: 'execute_sql', arguments: { sql } })
      expect(result.isError ?? false).toBe(false)
      expect(textOf(result)).toMatch(/"employees":\s*[1-9]\d*/)
      expect(textOf(result)).toMatch(/"answer":\s*42/)
    } finally {
      await client.close()
    }
  })
})
