import { expect, it } from 'vitest'
import { onEachDatabase } from '../../test/fixtures/databases.ts'
import { openRooms, person } from '../../test/fixtures/rooms.ts'
import { definitionHash } from '../upstreams/index.ts'
import { writeLock } from './lock-text.ts'

const admin = person('admin@x', { role: 'admin' })
type Answer = { applied: boolean; plan: { action: string; kind: string; name: string; changes: unknown[] }[] }
type Checked = { differences: { server: string; tool?: string; kind: string; changes: unknown[] }[] }

const tool = (name: string, description = 'Works.') => {
  const text = JSON.stringify({ name, description })
  return { name, text, hash: definitionHash(text, { name, description }) }
}
const lockOf = (...tools: ReturnType<typeof tool>[]) => writeLock(new Map([['eng/files', tools]]))

const server = { group: 'eng', name: 'files', transport: { kind: 'stdio', command: 'node', args: ['a.js'] } }

onEachDatabase(open => {
  async function house() {
    const rooms = await openRooms(await open())
    await rooms.ask('POST /groups', { name: 'eng' }, admin)
    await rooms.ask('POST /servers', server, admin)
    const apply = async (lock: string, more = {}) => {
      const { plan, applied } = await rooms.ask<Answer>('POST /manifest', { lock, ...more }, admin)
      return { applied, plan: plan.map(({ action, kind, name }) => `${action} ${kind} ${name}`) }
    }
    const present = async () => (await rooms.ask<{ lock: string }>('GET /lock', undefined, admin)).lock
    const check = async (lock: string) => {
      const { differences } = await rooms.ask<Checked>('POST /lock/check', { lock }, admin)
      return differences.map(each => `${each.kind} ${each.tool ?? each.server} ${each.changes.length}`)
    }
    return { ...rooms, apply, present, check }
  }

  it('approves exactly what a lockfile has, and applying it again changes nothing', async () => {
    const { apply, present, check } = await house()
    const lock = lockOf(tool('read'), tool('write'))
    expect(await apply(lock, { dryRun: true })).toMatchObject({ applied: false })
    expect(await present()).not.toContain('read')
    const made = { applied: true, plan: ['create tool eng/files read', 'create tool eng/files write'] }
    expect(await apply(lock)).toEqual(made)
    expect(await present()).toBe(lock)
    expect(await apply(lock)).toEqual({ applied: true, plan: [] })
    expect(await check(lock)).toEqual([])
  })

  it('holds what a lockfile does not have, and says each difference', async () => {
    const { apply, present, check } = await house()
    await apply(lockOf(tool('read'), tool('write')))
    const next = lockOf(tool('read', 'Reads.'), tool('list'))
    expect(await check(next)).toEqual(['missing list 0', 'changed read 1', 'added write 0'])
    expect((await apply(next)).plan).toEqual([
      'create tool eng/files list',
      'update tool eng/files read',
      'delete tool eng/files write',
    ])
    expect(await present()).toBe(next)
    expect(await apply(next)).toEqual({ applied: true, plan: [] })
    expect(await check(next)).toEqual([])
    expect(await check('version: 1\nservers: {}\n')).toEqual(['added eng/files 0'])
  })

  it('applies with a manifest, which may register the servers, or not at all', async () => {
    const { apply, audit, present, ask } = await house()
    const manifest = JSON.stringify({ servers: [{ ...server, name: 'late' }] })
    const lock = writeLock(new Map([['eng/late', [tool('read')]]]))
    await expect(apply(lock)).rejects.toMatchObject({
      code: 'manifest.invalid',
      data: { problems: [{ line: 5, why: 'There is no server eng/late.' }] },
    })
    const wrong = lock.replace('eng/late', 'eng/lat')
    await expect(apply(wrong, { manifest })).rejects.toMatchObject({
      data: { problems: [{ fix: 'Did you mean eng/late?' }] },
    })
    expect(await ask<{ items: unknown[] }>('GET /servers', undefined, admin)).toMatchObject({
      items: [{ name: 'files' }],
    })
    expect((await apply(lock, { manifest })).plan).toEqual([
      'create server eng/late',
      'create tool eng/late read',
    ])
    expect(await present()).toBe(lock)
    expect(audit.events.filter(({ action }) => action === 'manifest.lock')).toMatchObject([
      { who: { name: 'admin@x' }, target: 'eng/late', detail: { tools: [{ tool: 'read', held: null }] } },
    ])
  })

  it('is for admins to apply, for auditors to read, and for nobody else', async () => {
    const { ask } = await house()
    const code = (line: string, body: unknown, caller: typeof admin) =>
      ask(line, body, caller).then(
        () => 'ok',
        error => error.code ?? error.name,
      )
    const auditor = person('watch@x', { role: 'auditor' })
    expect(await code('GET /lock', undefined, auditor)).toBe('ok')
    expect(await code('POST /manifest', {}, admin)).toBe('ZodError')
  })
})
