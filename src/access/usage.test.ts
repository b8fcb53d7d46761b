import { expect, it } from 'vitest'
import { ask } from '../../test/fixtures/ask.ts'
import { callerWith, toolCall } from '../../test/fixtures/audit-event.ts'
import { onEachDatabase } from '../../test/fixtures/databases.ts'
import { type AuditEvent, openAudit } from '../audit/index.ts'
import { newId } from '../foundation/id.ts'
import { silentLog } from '../foundation/log.ts'
import type { Caller } from '../foundation/route.ts'
import { usageRoutes } from './usage.ts'

const member = (name: string, changes: Partial<Caller> = {}) =>
  callerWith({ id: `${name}-id`, name: `${name}@example.com`, role: 'member', ...changes })
const day = 86_400_000

onEachDatabase((open, _, newPlace) => {
  type Used = Partial<AuditEvent> & { readonly by?: string; readonly name?: string }

  async function opened(used: readonly Used[]) {
    const place = await newPlace()
    const database = await open(place)
    const audit = await openAudit({ database, dataDir: place.dataDir, log: silentLog, sync: false })
    for (const { by = 'ana', name = by, ...changes } of used) {
      const call = toolCall({ ...changes, id: newId(changes.at) })
      await audit.recorded({ ...call, who: { ...call.who, id: `${by}-id`, name: `${name}@example.com` } })
    }
    const group = { id: 'g', description: '', managers: [], grants: [] }
    const routes = usageRoutes({
      audit,
      access: {
        groups: () => [
          { ...group, name: 'engineering' },
          { ...group, name: 'engineering-2' },
        ],
        isManager: ({ id }, name) => id === 'mia-id' && name === 'engineering',
      },
      identity: {
        providersOf: async ids => new Map(ids.filter(id => id !== 'ben-id').map(id => [id, 'acme'])),
      },
    })
    const count = async (line: string, caller = callerWith()) => {
      const { items } = await ask<{ items: object[] }>(routes, `GET /usage${line}`, { caller })
      return items
    }
    return { count, audit }
  }

  it('counts calls by what it is asked for, the busiest first, whatever became of them', async () => {
    const { count, audit } = await opened([
      {},
      { outcome: 'denied' },
      { outcome: 'rejected', subject: 'no_such' },
      { outcome: 'tool_error' },
      { outcome: 'error' },
      { action: 'tools/list' },
      { action: 'resources/read', subject: 'file:///a\0"b' },
      { by: 'ben', target: 'support/mail', subject: 'send' },
    ])
    expect(await count('')).toEqual([
      { who: 'user:ana@example.com', calls: 6, refused: 2, failed: 2 },
      { who: 'user:ben@example.com', calls: 1, refused: 0, failed: 0 },
    ])
    expect(await count('?by=provider')).toEqual([
      { provider: 'acme', calls: 6, refused: 2, failed: 2 },
      { provider: null, calls: 1, refused: 0, failed: 0 },
    ])
    expect(await count('?by=group,server,tool&provider=acme')).toEqual([
      { group: 'engineering', server: 'files', tool: 'read_text_file', calls: 4, refused: 1, failed: 2 },
      expect.objectContaining({ calls: 1 }),
      expect.objectContaining({ calls: 1 }),
    ])
    expect(await count('?by=tool&provider=umbrella')).toEqual([])
    await audit.close()
  })

  it('shows members their own use, managers that of their groups too, and auditors all', async () => {
    const { count, audit } = await opened([
      {},
      { by: 'ben' },
      { by: 'ben', target: 'engineering-2/files' },
      { by: 'mia', target: 'support/mail' },
    ])
    const calls = async (caller: Caller) => {
      const found = await count('?by=who,group', caller)
      return found.map(line => ('who' in line && 'group' in line ? `${line.who} ${line.group}` : '')).sort()
    }
    const [ana, ben, mia] = ['ana', 'ben', 'mia'].map(name => `user:${name}@example.com`)
    expect(await calls(member('ana'))).toEqual([`${ana} engineering`])
    expect(await calls(member('mia'))).toEqual([`${ana} engineering`, `${ben} engineering`, `${mia} support`])
    expect(await calls(member('eve'))).toEqual([])
    // Whoever has the name now is not who had it then.
    expect(await calls(member('eve', { name: 'ana@example.com' }))).toEqual([])
    expect(await calls(member('ola', { role: 'auditor' }))).toHaveLength(4)
    await audit.close()
  })

  it('keeps people together when their name changes, and apart when a name is taken again', async () => {
    const { count, audit } = await opened([{ name: 'ana' }, { name: 'ana.b' }, { by: 'other', name: 'ana' }])
    expect(await count('')).toEqual([
      { who: 'user:ana.b@example.com', calls: 2, refused: 0, failed: 0 },
      { who: 'user:ana@example.com', calls: 1, refused: 0, failed: 0 },
    ])
    await audit.close()
  })

  it('counts the time that is asked for, of which the first moment is in and the last is not', async () => {
    const at = Date.UTC(2026, 0, 10)
    const { count, audit } = await opened([{ at: at - 1 }, { at }, { at: at + day - 1 }, { at: at + day }])
    const time = '?since=2026-01-10T00:00:00Z&until=2026-01-11T00:00:00Z'
    expect(await count(time)).toMatchObject([{ calls: 2 }])
    await expect(count('?since=2026-01-11T00:00:00Z&until=2026-01-10T00:00:00Z')).rejects.toThrow()
    await expect(count('?by=who,password')).rejects.toThrow()
    await audit.close()
  })
})
