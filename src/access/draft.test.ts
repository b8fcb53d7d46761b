import { expect, it } from 'vitest'
import { onEachDatabase } from '../../test/fixtures/databases.ts'
import { openRooms, person } from '../../test/fixtures/rooms.ts'
import type { Action } from './actions.ts'

const policy = { default: 'allow' as const, allow: [], deny: [] }
const target = { group: 'eng', server: 'files', policy, tool: { name: 'read', readOnly: false } }
const ana = person('ana@x')
const call: Action = 'tool.call'
const forbid = 'forbid (principal, action, resource in Group::"eng");'
class Undone extends Error {}

onEachDatabase(open => {
  async function house() {
    const rooms = await openRooms(await open())
    await rooms.ask('POST /groups', { name: 'eng' })
    return rooms
  }

  it('a transaction is decided by as it stands, and what is undone never held', async () => {
    const { access, database } = await house()
    const drafts: Awaited<ReturnType<typeof access.readDraft>>[] = []
    const look = async (tx: Parameters<typeof access.readDraft>[0]) =>
      void drafts.push(await access.readDraft(tx, () => undefined))
    const changing = database.change(async tx => {
      await look(tx)
      const group = { name: 'eng', description: '', managers: [], access: [{ subject: 'user:ana@x' }] }
      await access.putGroup(tx, group)
      await look(tx)
      await access.policies.put(tx, { name: 'closed', mode: 'enforce', description: '', text: forbid })
      await look(tx)
      throw new Undone()
    })
    await expect(changing).rejects.toThrow(Undone)
    expect(drafts.map(draft => draft.clear(ana, call, target).allowed)).toEqual([false, true, false])
    for (const draft of drafts) draft.close()
    await access.refresh()
    expect(access.clear(ana, call, target).allowed).toBe(false)
    expect(await access.policies.readInputs(database.kysely)).toEqual([])
  })

  it('what is supposed is decided by, and does not come to hold', async () => {
    const { access, ask } = await house()
    await ask('PUT /policies/closed', { text: forbid })
    const grant = { id: 'g', subject: 'user:ana@x', servers: ['files'], tools: ['read'] }
    const would = (supposition: Parameters<typeof access.suppose>[0]) => {
      const draft = access.suppose(supposition)
      const { allowed } = draft.clear(ana, call, target)
      draft.close()
      return allowed
    }
    expect(would({})).toBe(false)
    expect(would({ without: ['closed'] })).toBe(false)
    expect(would({ grant: { group: 'eng', grant } })).toBe(false)
    expect(would({ grant: { group: 'eng', grant }, without: ['closed'] })).toBe(true)
    expect(access.clear(ana, call, target).allowed).toBe(false)
  })

  it('an explanation has every grant of the caller and every statement that is about it', async () => {
    const { access, ask } = await house()
    await ask('POST /groups/eng/grants', { subject: 'user:ana@x', tools: 'readOnly' })
    await ask('POST /groups/eng/grants', { subject: 'everyone', servers: ['db'] })
    await ask('POST /groups/eng/grants', { subject: 'user:bo@x' })
    const text = `${forbid} permit (principal, action == Action::"prompt.get", resource);`
    await ask('PUT /policies/closed', { text, mode: 'shadow' })
    const { decision, grants, otherGrants, policies, closedBy } = access.explain(ana, call, target)
    expect(decision).toEqual({ allowed: false, reason: 'no grant' })
    expect(grants.map(({ grant: { subject }, gives }) => [subject, gives])).toEqual([
      ['user:ana@x', 'not read-only'],
      ['everyone', 'other server'],
    ])
    expect({ otherGrants, closedBy }).toEqual({ otherGrants: 1, closedBy: undefined })
    expect(policies).toMatchObject([
      { policy: 'closed', effect: 'forbid', isEnforced: false, verdict: 'met', reads: [] },
    ])
  })
})
