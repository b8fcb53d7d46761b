import { expect, it } from 'vitest'
import { onEachDatabase } from '../../../test/fixtures/databases.ts'
import { openRooms, person } from '../../../test/fixtures/rooms.ts'

type Shown = { name: string; mode: string; text: string; version: number; warnings?: unknown[] }
type Items = { items: Shown[]; why?: string }

const policy = { default: 'allow' as const, allow: [], deny: [] }
const target = { group: 'eng', server: 'files', policy, tool: { name: 'read', readOnly: true } }
const admin = person('admin@x', { role: 'admin' })
const auditor = person('watch@x', { role: 'auditor' })
const ana = person('ana@x.io', { teams: ['eng'] })
const text = 'permit (principal in Team::"eng", action == Action::"tool.call", resource in Group::"eng");'

onEachDatabase(open => {
  async function house() {
    const rooms = await openRooms(await open())
    await rooms.ask('POST /teams', { name: 'eng' }, admin)
    await rooms.ask('POST /groups', { name: 'eng' }, admin)
    return rooms
  }

  it('decides by a policy from the moment it is saved until it is removed', async () => {
    const { ask, access } = await house()
    const may = () => access.clear(ana, 'tool.call', target).allowed
    expect(may()).toBe(false)
    const saved = await ask<Shown>('PUT /policies/engineers', { text }, admin)
    expect(saved).toMatchObject({ name: 'engineers', mode: 'enforce', text, version: 1, warnings: [] })
    expect(may()).toBe(true)
    expect(access.sees(ana, 'eng')).toBe(true)
    await ask('PUT /policies/engineers', { text, mode: 'shadow' }, admin)
    expect(access.clear(ana, 'tool.call', target)).toMatchObject({ allowed: false, shadow: ['engineers'] })
    await ask('PUT /policies/engineers', { text }, admin)
    expect(may()).toBe(true)
    await ask('DELETE /policies/engineers', undefined, admin)
    expect([may(), access.sees(ana, 'eng')]).toEqual([false, false])
  })

  it('raises the version with each change, and records it with what it says', async () => {
    const { ask, audit } = await house()
    audit.events.length = 0
    await ask('PUT /policies/p', { text }, admin)
    await ask('PUT /policies/p', { text }, admin)
    const changed = await ask<Shown>('PUT /policies/p', { text, description: 'New', mode: 'shadow' }, admin)
    expect(changed.version).toBe(2)
    await ask('DELETE /policies/p', undefined, admin)
    expect(audit.events).toMatchObject([
      { action: 'access.create_policy', target: 'policy:p', detail: { mode: 'enforce', text } },
      { action: 'access.update_policy', detail: { mode: 'shadow', description: 'New' } },
      { action: 'access.remove_policy', target: 'policy:p', who: { name: 'admin@x' } },
    ])
    audit.broken = true
    await expect(ask('PUT /policies/p', { text }, admin)).rejects.toThrow('disk full')
    audit.broken = false
    expect((await ask<Items>('GET /policies', undefined, admin)).items).toEqual([])
  })

  it('is read by auditors, changed by admins, and of no concern to others', async () => {
    const { ask } = await house()
    await ask('PUT /policies/p', { text }, admin)
    expect((await ask<Items>('GET /policies', undefined, auditor)).items).toMatchObject([{ name: 'p', text }])
    expect(await ask('GET /policies/p', undefined, auditor)).toMatchObject({ version: 1 })
    expect(await ask('POST /policies/validate', { text }, auditor)).toEqual({
      valid: true,
      problems: [],
      warnings: [],
    })
    expect(await ask('GET /policies/schema', undefined, auditor)).toMatchObject({
      schema: expect.stringContaining('action "tool.call" in [Action::"use"]'),
    })
    const refused = { code: 'identity.forbidden' }
    for (const line of ['PUT /policies/p', 'DELETE /policies/p'])
      for (const who of [auditor, ana]) await expect(ask(line, { text }, who)).rejects.toMatchObject(refused)
    for (const line of [
      'GET /policies',
      'GET /policies/p',
      'POST /policies/validate',
      'GET /policies/schema',
    ])
      await expect(ask(line, { text }, ana)).rejects.toMatchObject(refused)
  })

  it('is not saved with a mistake, and says where each is', async () => {
    const { ask } = await house()
    await ask('PUT /policies/p', { text }, admin)
    const bad = 'permit (principal in Team::"egn",\n  action == Action::"tool.cal", resource);'
    await expect(ask('PUT /policies/p', { text: bad }, admin)).rejects.toMatchObject({
      code: 'access.policy_invalid',
      data: {
        problems: [
          { line: 1, column: 28, why: 'There is no team egn.', fix: 'Did you mean eng?' },
          { line: 2, column: 21, fix: 'Did you mean tool.call?' },
        ],
      },
    })
    expect(await ask('GET /policies/p', undefined, admin)).toMatchObject({ text, version: 1 })
    for (const body of [{ text: 'x'.repeat(16_385) }, { text, mode: 'off' }, {}, { text, extra: 1 }])
      await expect(ask('PUT /policies/q', body, admin)).rejects.toThrow()
    for (const name of ['schema', 'validate', 'A', '-'])
      await expect(ask(`PUT /policies/${name}`, { text }, admin)).rejects.toThrow()
    for (const line of ['GET /policies/nothing', 'DELETE /policies/nothing'])
      await expect(ask(line, undefined, admin)).rejects.toMatchObject({ code: 'access.policy_unknown' })
  })

  it('keeps what it names from being removed, so that nobody inherits it', async () => {
    const { ask, database, access } = await house()
    await ask('POST /users', { email: 'bo@x.io' }, admin)
    await ask('POST /accounts', { name: 'agent', owner: 'user:bo@x.io' }, admin)
    const own =
      'permit (principal == Account::"agent", action, resource) when { principal != User::"bo@x.io" };'
    await ask(
      'PUT /policies/own',
      { text: own.replace('principal != User::"bo@x.io"', 'context.hour > 1') },
      admin,
    )
    await ask('PUT /policies/engineers', { text }, admin)
    for (const line of ['DELETE /teams/eng', 'DELETE /groups/eng', 'DELETE /accounts/agent'])
      await expect(ask(line, undefined, admin)).rejects.toMatchObject({
        code: 'http.conflict',
        why: expect.stringMatching(/is named in the policy (?:own|engineers)\./),
      })
    await database.change(async tx => {
      await access.policies.put(tx, {
        name: 'f',
        mode: 'enforce',
        description: '',
        text: 'forbid (principal, action, resource == Tool::"eng/files/x");',
      })
      await access.forgetServer(tx, 'eng', 'file')
      await expect(access.forgetServer(tx, 'eng', 'files')).rejects.toMatchObject({ code: 'http.conflict' })
    })
    await ask('DELETE /policies/engineers', undefined, admin)
    await ask('DELETE /teams/eng', undefined, admin)
  })

  it('follows changes of other processes when it is refreshed', async () => {
    const { access, database } = await house()
    const other = await openRooms(database)
    await other.ask('PUT /policies/engineers', { text }, admin)
    expect(access.clear(ana, 'tool.call', target).allowed).toBe(false)
    await access.refresh()
    expect(access.clear(ana, 'tool.call', target).allowed).toBe(true)
  })

  it('forbids everything while a stored policy cannot be read any more', async () => {
    const { access, database, ask } = await house()
    await ask('POST /groups/eng/grants', { subject: 'everyone' }, admin)
    const lost = { name: 'lost', mode: 'enforce' as const, description: '', text: 'no cedar' }
    await database.change(tx => access.policies.put(tx, lost))
    await access.refresh()
    expect(access.clear(ana, 'tool.call', target)).toMatchObject({ allowed: false, policies: ['lost'] })
  })

  it('is part of the manifest: planned, applied, exported, pruned, and refused with the line', async () => {
    const { manifest, identity, ask } = await house()
    const apply = (yaml: string, prune = false) =>
      manifest.apply({
        caller: identity.operator(),
        requestId: 'r',
        text: yaml,
        secrets: {},
        dryRun: false,
        prune,
      })
    const yaml = (team: string) =>
      `teams: [{ name: crew }]\ngroups: [{ name: lab }]\npolicies:\n  - name: crew\n    mode: shadow\n    text: |\n      permit (principal in Team::"${team}", action, resource in Group::"lab");\n`
    await expect(apply(yaml('crow'))).rejects.toMatchObject({
      code: 'manifest.invalid',
      data: {
        problems: [
          {
            line: 6,
            path: 'policies[0].text',
            why: 'Line 1, column 28 of the policy: There is no team crow.',
          },
        ],
      },
    })
    const { plan } = await apply(yaml('crew'))
    expect(plan).toContainEqual({ action: 'create', kind: 'policy', name: 'crew', changes: [] })
    const exported = await manifest.export()
    expect((await apply(exported, true)).plan.every(({ action }) => action === 'keep')).toBe(true)
    expect((await ask<Items>('GET /policies')).items).toMatchObject([
      { name: 'crew', mode: 'shadow', version: 1 },
    ])
    const pruned = await apply('teams: []\npolicies: []\n', true)
    expect(pruned.plan.map(({ action, kind, name }) => `${action} ${kind} ${name}`)).toEqual([
      'delete policy crew',
      'delete team crew',
      'delete team eng',
    ])
  })
})
