import { expect, it } from 'vitest'
import { onEachDatabase } from '../../test/fixtures/databases.ts'
import { openRooms, person } from '../../test/fixtures/rooms.ts'

type Items = { items: { id: string; name: string; subject: string }[]; why?: string }

const policy = { default: 'allow' as const, allow: [], deny: [] }
const target = { group: 'eng', server: 'files', policy }
const admin = person('admin@x', { role: 'admin' })
const lead = person('lead@x')
const ana = person('ana@x', { teams: ['eng'] })
const bo = person('bo@x')

onEachDatabase(open => {
  async function house() {
    const rooms = await openRooms(await open())
    await rooms.ask(
      'POST /groups',
      { name: 'eng', description: 'Engineers', managers: ['user:Lead@X'] },
      admin,
    )
    await rooms.ask('POST /groups', { name: 'ops' }, admin)
    return rooms
  }

  it('decides by grants from the moment they are given until they are taken', async () => {
    const { ask, access } = await house()
    const may = () => access.clear(ana, 'server.use', target).allowed
    expect(may()).toBe(false)
    const { id } = await ask<{ id: string }>(
      'POST /groups/eng/grants',
      { subject: 'team:eng', servers: ['files'] },
      lead,
    )
    expect(may()).toBe(true)
    expect(access.clear(ana, 'server.use', { ...target, server: 'db' }).allowed).toBe(false)
    expect(access.clear(ana, 'server.use', { ...target, group: 'ops' }).allowed).toBe(false)
    await ask(`DELETE /groups/eng/grants/${id}`, undefined, lead)
    expect(may()).toBe(false)
  })

  it.each([
    ['user:gone@x.io', 'users', { email: 'gone@x.io' }, 'gone@x.io'],
    ['team:gone', 'teams', { name: 'gone' }, 'gone'],
    ['account:gone', 'accounts', { name: 'gone' }, 'gone'],
  ])(
    'forgets %s once it is deleted, so that the next of that name gets nothing',
    async (subject, kind, body, name) => {
      const { ask, access, database } = await house()
      const heir = { ...bo, subjects: [subject, 'everyone'] }
      const rights = () => [access.clear(heir, 'server.use', target).allowed, access.isManager(heir, 'eng')]
      await ask(`POST /${kind}`, body, admin)
      await ask('POST /groups/eng/grants', { subject, tools: 'readOnly' }, lead)
      await ask('POST /groups/eng/grants', { subject: 'team:stays' }, lead)
      await ask(`PUT /groups/eng/managers/${subject}`, undefined, lead)
      expect(rights()).toEqual([true, true])
      await ask(`DELETE /${kind}/${name}`, undefined, admin)
      expect(rights()).toEqual([false, false])
      await ask(`POST /${kind}`, body, admin)
      await access.refresh()
      expect(rights()).toEqual([false, false])
      expect(await access.readGroups(database.kysely)).toMatchObject([
        { name: 'eng', managers: ['user:lead@x'], access: [{ subject: 'team:stays' }] },
        { name: 'ops' },
      ])
    },
  )

  it('keeps what a subject has when deleting it fails', async () => {
    const { ask, access, audit } = await house()
    const heir = { ...bo, subjects: ['team:stays'] }
    await ask('POST /teams', { name: 'stays' }, admin)
    await ask('POST /groups/eng/grants', { subject: 'team:stays' }, lead)
    audit.broken = true
    await expect(ask('DELETE /teams/stays', undefined, admin)).rejects.toThrow()
    await access.refresh()
    expect(access.clear(heir, 'server.use', target).allowed).toBe(true)
  })

  it('follows changes of other processes when it is refreshed', async () => {
    const { ask, access, database } = await house()
    const other = await openRooms(database)
    await other.ask('POST /groups/eng/grants', { subject: 'everyone', tools: 'readOnly' })
    expect(access.clear(bo, 'server.use', target).allowed).toBe(false)
    await access.refresh()
    expect(access.clear(bo, 'server.use', target).allowed).toBe(true)
    expect((await ask<Items>('GET /groups/eng/grants', undefined, lead)).items).toEqual([
      { id: expect.any(String), subject: 'everyone', tools: 'readOnly' },
    ])
  })

  it('hides groups that are not for the caller exactly like groups that are not there', async () => {
    const { ask } = await house()
    const missing = await ask('GET /groups/nowhere', undefined, bo).catch(error => error)
    for (const line of ['GET /groups/eng', 'GET /groups/eng/grants', 'DELETE /groups/eng/grants/1']) {
      const hidden = await ask(line, undefined, bo).catch(error => error)
      expect({ ...hidden, message: hidden.message }).toEqual({ ...missing, message: missing.message })
    }
    await expect(ask('PUT /groups/eng/managers/user:bo@x', {}, bo)).rejects.toMatchObject({
      code: 'access.not_found',
    })
    expect(await ask('GET /groups', undefined, bo)).toEqual({
      items: [],
      why: expect.stringContaining('no access'),
    })
  })

  it('shows a granted member the group, but not who else is in it', async () => {
    const { ask } = await house()
    await ask('POST /groups/eng/grants', { subject: 'team:eng' }, lead)
    const face = { name: 'eng', description: 'Engineers', isManager: false }
    expect(await ask('GET /groups', undefined, ana)).toEqual({ items: [face] })
    expect(await ask('GET /groups/eng', undefined, ana)).toEqual(face)
    for (const line of ['GET /groups/eng/grants', 'DELETE /groups/eng/grants/1', 'PATCH /groups/eng'])
      await expect(ask(line, { description: 'mine' }, ana)).rejects.toMatchObject({
        code: 'identity.forbidden',
      })
  })

  it('lets managers manage their own group and no other', async () => {
    const { ask, access } = await house()
    expect([access.isManager(lead, 'eng'), access.isManager(lead, 'ops')]).toEqual([true, false])
    await ask('PUT /groups/eng/managers/team:eng', {}, lead)
    expect(access.isManager(ana, 'eng')).toBe(true)
    await ask('PATCH /groups/eng', { description: 'All of us' }, ana)
    await ask('DELETE /groups/eng/managers/team:eng', undefined, ana)
    expect(access.isManager(ana, 'eng')).toBe(false)
    expect(await ask('GET /groups/eng', undefined, lead)).toEqual({
      name: 'eng',
      description: 'All of us',
      isManager: true,
      managers: ['user:lead@x'],
    })
    await expect(ask('POST /groups/ops/grants', { subject: 'everyone' }, lead)).rejects.toMatchObject({
      code: 'access.not_found',
    })
    const { items } = await ask<Items>('GET /groups', undefined, lead)
    expect(items.map(group => group.name)).toEqual(['eng'])
  })

  it('cannot take a grant of another group away through the own one', async () => {
    const { ask } = await house()
    const { id } = await ask<{ id: string }>('POST /groups/ops/grants', { subject: 'everyone' })
    await expect(ask(`DELETE /groups/eng/grants/${id}`, undefined, lead)).rejects.toMatchObject({
      code: 'http.not_found',
    })
    expect((await ask<Items>('GET /groups/ops/grants')).items).toHaveLength(1)
  })

  it('lets auditors read everything and change nothing', async () => {
    const { ask } = await house()
    const auditor = person('watch@x', { role: 'auditor' })
    expect((await ask<Items>('GET /groups', undefined, auditor)).items).toHaveLength(2)
    expect(await ask('GET /groups/eng/grants', undefined, auditor)).toEqual({
      items: [],
      why: expect.any(String),
    })
    await expect(ask('POST /groups/eng/grants', { subject: 'everyone' }, auditor)).rejects.toMatchObject({
      code: 'identity.forbidden',
    })
  })

  it('refuses what is there already, what never was, and what makes no sense', async () => {
    const { ask } = await house()
    const code = (line: string, body?: unknown) =>
      ask(line, body).then(String, error => error.code ?? error.name)
    await ask('POST /groups/eng/grants', { subject: 'everyone', servers: ['b', 'a'] })
    expect(await code('POST /groups/eng/grants', { subject: 'everyone', servers: ['a', 'b', 'a'] })).toBe(
      'http.conflict',
    )
    expect(await code('POST /groups', { name: 'eng' })).toBe('http.conflict')
    expect(await code('DELETE /groups/eng/managers/user:x@x')).toBe('http.not_found')
    expect(await code('DELETE /groups/nowhere')).toBe('access.not_found')
    for (const subject of ['bo@x', 'team:', 'everybody', 'user:nobody', 'team:A B'])
      expect(await code('POST /groups/eng/grants', { subject })).toBe('ZodError')
    expect(await code('PUT /groups/eng/managers/everyone')).toBe('ZodError')
    expect(await code('POST /groups/eng/grants', { subject: 'everyone', tools: [] })).toBe('ZodError')
  })

  it('leaves only admins to make and remove groups', async () => {
    const { ask, access } = await house()
    for (const line of ['POST /groups', 'DELETE /groups/eng'])
      await expect(ask(line, { name: 'new' }, lead)).rejects.toMatchObject({ code: 'identity.forbidden' })
    await ask('DELETE /groups/eng', undefined, admin)
    expect(access.group('eng')).toBeUndefined()
    expect(access.isManager(lead, 'eng')).toBe(false)
  })

  it('records each change with who made it, and makes none it cannot record', async () => {
    const { ask, audit, access } = await house()
    audit.events.length = 0
    await ask('POST /groups/eng/grants', { subject: 'team:eng', tools: ['read_*'] }, lead)
    expect(audit.events).toMatchObject([
      {
        kind: 'change',
        who: { name: 'lead@x', tokenId: 't1' },
        action: 'access.grant',
        target: 'group:eng',
        outcome: 'ok',
        detail: { subject: 'team:eng', tools: ['read_*'] },
      },
    ])
    audit.broken = true
    await expect(ask('POST /groups/eng/grants', { subject: 'everyone' }, lead)).rejects.toThrow('disk full')
    await access.refresh()
    expect(access.clear(bo, 'server.use', target).allowed).toBe(false)
  })
})
