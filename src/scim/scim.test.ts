import { afterEach, expect, it } from 'vitest'
import { onEachDatabase } from '../../test/fixtures/databases.ts'
import {
  groupSchema,
  openProvisioned,
  type Provisioned,
  patchOf,
  person,
  scimOf,
} from '../../test/fixtures/scim.ts'

let house: Provisioned | undefined
afterEach(() => house?.close())

onEachDatabase(open => {
  async function provisioned() {
    house = await openProvisioned(await open())
    return house
  }
  const idOf = async (made: Promise<{ body: Record<string, unknown> }>) => String((await made).body.id)

  it('creates, shows, finds and changes people', async () => {
    const { scim, office } = await provisioned()
    const made = await scim('POST /Users', person('Ana', { externalId: 'e1', name: { givenName: 'Ana' } }))
    expect(made).toMatchObject({
      status: 201,
      body: { userName: 'Ana@acme.example.com', externalId: 'e1', active: true, name: { givenName: 'Ana' } },
    })
    const id = String(made.body.id)
    expect(made.body.meta).toMatchObject({
      resourceType: 'User',
      location: expect.stringContaining(`/scim/v2/Users/${id}`),
    })
    expect(await scim(`GET /Users/${id}`)).toMatchObject({ status: 200, body: { id } })
    for (const filter of [
      'userName eq "ana@ACME.example.com"',
      'externalId eq "e1"',
      'name.givenName sw "A" and active eq true',
    ])
      expect((await scim(`GET /Users?filter=${encodeURIComponent(filter)}`)).body, filter).toMatchObject({
        totalResults: 1,
        Resources: [{ id }],
      })
    expect((await scim('GET /Users?filter=userName%20eq%20%22none%22')).body).toMatchObject({
      totalResults: 0,
    })
    const replaced = await scim(`PUT /Users/${id}`, person('ana.b', { externalId: 'e1', title: 'Lead' }))
    expect(replaced).toMatchObject({
      status: 200,
      body: { title: 'Lead', userName: 'ana.b@acme.example.com' },
    })
    expect(replaced.body.name).toBeUndefined()
    expect(await office.ask('GET /users/ana.b@acme.example.com')).toMatchObject({ id, role: 'member' })
  })

  it('T005: disables people, with their tokens and sessions, and lets them back', async () => {
    const { scim, office } = await provisioned()
    const id = await idOf(scim('POST /Users', person('ana')))
    const { token } = await office.tokenFor('user:ana@acme.example.com')
    const session = await office.identity.sessions.open({ userId: id, method: 'passkey' })
    // As Entra writes it.
    const off = await scim(`PATCH /Users/${id}`, patchOf({ op: 'Replace', path: 'active', value: 'False' }))
    expect(off).toMatchObject({ status: 200, body: { active: false } })
    expect(await office.identity.identify(`Bearer ${token}`, '/mcp')).toMatchObject({
      rejected: 'identity.bad_token',
    })
    expect(await office.identity.sessions.of(id)).toEqual([])
    // As Okta writes it.
    await scim(`PATCH /Users/${id}`, patchOf({ op: 'replace', value: { active: true } }))
    expect(await office.identity.identify(`Bearer ${token}`, '/mcp')).toMatchObject({ id })
    expect(await office.identity.sessions.find(session.cookie)).toBeUndefined()
  })

  it('deletes people, or disables who answers for virtual accounts', async () => {
    const { scim, office } = await provisioned()
    const [ana, bo] = [
      await idOf(scim('POST /Users', person('ana'))),
      await idOf(scim('POST /Users', person('bo'))),
    ]
    await office.ask('POST /accounts', { name: 'nightly', owner: 'user:bo@acme.example.com' })
    expect(await scim(`DELETE /Users/${ana}`)).toEqual({ status: 204, body: {} })
    expect(await scim(`DELETE /Users/${bo}`)).toMatchObject({ status: 204 })
    expect(await scim(`GET /Users/${ana}`)).toMatchObject({ status: 404, body: { status: '404' } })
    expect(await scim(`DELETE /Users/${bo}`)).toMatchObject({ status: 404 })
    await expect(office.ask('GET /users/ana@acme.example.com')).rejects.toMatchObject({
      code: 'identity.unknown',
    })
    expect(await office.ask('GET /users/bo@acme.example.com')).toMatchObject({ disabled: true })
  })

  it('makes groups teams, and keeps their members', async () => {
    const { scim, office } = await provisioned()
    const ids = [
      await idOf(scim('POST /Users', person('ana'))),
      await idOf(scim('POST /Users', person('bo'))),
    ]
    const [ana, bo] = ids
    const group = { schemas: [groupSchema], displayName: 'Data Science', members: [{ value: ana }] }
    const made = await scim('POST /Groups', group)
    expect(made).toMatchObject({
      status: 201,
      body: { displayName: 'Data Science', members: [{ value: ana }] },
    })
    const team = () => office.ask<{ members: string[] }>('GET /teams/data-science')
    expect((await team()).members).toEqual(['ana@acme.example.com'])
    const id = String(made.body.id)
    await office.ask('POST /users', { email: 'guest@example.com' })
    await office.ask('PUT /teams/data-science/members/guest@example.com')
    await scim(`PATCH /Groups/${id}`, patchOf({ op: 'add', path: 'members', value: [{ value: bo }] }))
    await scim(`PATCH /Groups/${id}`, patchOf({ op: 'remove', path: `members[value eq "${ana}"]` }))
    expect((await team()).members).toEqual(['bo@acme.example.com', 'guest@example.com'])
    expect((await scim(`GET /Users/${bo}`)).body.groups).toMatchObject([
      { value: id, display: 'Data Science' },
    ])
    await scim(`PATCH /Groups/${id}`, patchOf({ op: 'replace', path: 'displayName', value: 'Science' }))
    expect(await scim(`DELETE /Groups/${id}`)).toMatchObject({ status: 204 })
    expect((await team()).members).toEqual(['guest@example.com'])
  })

  it('loses no member to patches at the same time', async () => {
    const { scim } = await provisioned()
    const names = Array.from({ length: 8 }, (_, n) => `p${n}`)
    const ids: string[] = []
    for (const name of names) ids.push(await idOf(scim('POST /Users', person(name))))
    const id = await idOf(scim('POST /Groups', { schemas: [groupSchema], displayName: 'all' }))
    const patches = ids.map(value =>
      scim(`PATCH /Groups/${id}`, patchOf({ op: 'add', path: 'members', value: [{ value }] })),
    )
    const statuses = (await Promise.all(patches)).map(({ status }) => status)
    const { members } = (await scim(`GET /Groups/${id}`)).body
    const added = ids.filter((_, at) => statuses[at] === 200)
    expect(Array.isArray(members) ? members.map(({ value }) => value).sort() : members).toEqual(added.sort())
    // Who had to give way too often is told so, and nothing is half done.
    expect(statuses.filter(status => status !== 200 && status !== 409)).toEqual([])
  })

  it('refuses twins, and addresses it may not vouch for', async () => {
    const { scim, office } = await provisioned()
    await scim('POST /Users', person('ana', { externalId: 'e1' }))
    const twin = { status: 409, body: { scimType: 'uniqueness', status: '409' } }
    expect(await scim('POST /Users', person('ANA'))).toMatchObject(twin)
    expect(await scim('POST /Users', person('bo', { externalId: 'e1' }))).toMatchObject(twin)
    const stranger = person('eve', { userName: 'eve', emails: [{ value: 'eve@elsewhere.example' }] })
    expect(await scim('POST /Users', stranger)).toMatchObject({
      status: 400,
      body: { scimType: 'invalidValue' },
    })
    await office.ask('POST /users', { email: 'root@acme.example.com', role: 'admin' })
    const adopted = await scim('POST /Users', person('root'))
    expect(adopted).toMatchObject({ status: 201 })
    const last = await scim(`DELETE /Users/${adopted.body.id}`)
    expect(last).toMatchObject({ status: 409, body: { detail: expect.stringContaining('last admin') } })
    expect(await scim(`GET /Users/${adopted.body.id}`)).toMatchObject({ status: 200 })
  })

  it('T053: shows one provider nothing of another, and hands out no team that people made', async () => {
    const { scim, office, provider } = await provisioned()
    const umbra = await provider('umbra')
    const ana = await idOf(scim('POST /Users', person('ana')))
    const group = await idOf(scim('POST /Groups', { schemas: [groupSchema], displayName: 'Ops' }))
    for (const line of [
      `GET /Users/${ana}`,
      `DELETE /Users/${ana}`,
      `GET /Groups/${group}`,
      `DELETE /Groups/${group}`,
    ])
      expect(await umbra(line), line).toMatchObject({ status: 404 })
    expect((await umbra('GET /Users')).body).toMatchObject({ totalResults: 0 })
    const grab = { schemas: [groupSchema], displayName: 'theirs', members: [{ value: ana }] }
    expect(await umbra('POST /Groups', grab)).toMatchObject({ status: 400 })
    expect(await umbra('POST /Groups', { schemas: [groupSchema], displayName: 'ops' })).toMatchObject({
      status: 409,
    })
    await office.ask('POST /teams', { name: 'engineering' })
    const taken = { schemas: [groupSchema], displayName: 'Engineering' }
    expect(await scim('POST /Groups', taken)).toMatchObject({ status: 409 })
    const mapped = await provider('mapped', { teams: { map: { Engineering: 'engineering' } } })
    expect(await mapped('POST /Groups', taken)).toMatchObject({ status: 201 })
  })

  it('is for the account of a provider alone, and the audit says who was refused', async () => {
    const { scim, office, url } = await provisioned()
    await office.ask('POST /users', { email: 'root@example.com', role: 'admin' })
    const { token } = await office.tokenFor('user:root@example.com')
    expect(await scimOf(url, token)('GET /Users')).toMatchObject({ status: 403, body: { status: '403' } })
    expect(await scimOf(url, 'gth_vat_nonsense')('GET /Users')).toMatchObject({ status: 401 })
    expect(office.audit.events.slice(-2)).toMatchObject([
      { outcome: 'denied', error: 'identity.forbidden', who: { name: 'root@example.com' } },
      { outcome: 'rejected', error: 'identity.bad_token', who: { kind: 'nobody' } },
    ])
    expect((await fetch(`${url}/scim/v2/Users`)).status).toBe(401)
    expect((await scim('GET /ServiceProviderConfig')).body).toMatchObject({ patch: { supported: true } })
    expect((await scim('GET /ResourceTypes')).body).toMatchObject({ totalResults: 2 })
    expect((await scim('GET /Schemas')).status).toBe(200)
  })

  const users = '/Users'
  it.each([
    ['POST /Users', { schemas: ['x'], userName: '' }],
    ['POST /Users', []],
    ['POST /Users', { userName: 7 }],
    ['GET /Users?filter=((('],
    [`GET /Users?filter=${'a'.repeat(1001)}`],
    ['GET /Users?count=many'],
    [`PATCH ${users}/none`, patchOf({ op: 'explode', path: 'active' })],
    [`PATCH ${users}/none`, { Operations: [] }],
    ['GET /Nothing'],
    [`GET ${users}/a/b`],
    [`GET ${users}/%00`],
    [`GET ${users}/%E0%A4%A`],
    [`DELETE ${users}/%`],
    ['PUT /Users', person('ana')],
  ])('answers %s with an error of the protocol', async (line, body?: unknown) => {
    const { scim, office } = await provisioned()
    const before = office.audit.events.length
    const { status, body: error } = await scim(line, body)
    expect(status).toBeGreaterThanOrEqual(400)
    expect(status).toBeLessThan(500)
    expect(error).toMatchObject({ schemas: [expect.stringContaining(':Error')], status: String(status) })
    expect(office.audit.events).toHaveLength(before)
  })

  it('knows at sign-in whom the provider provisioned, by its own id of them', async () => {
    const { scim, office } = await provisioned()
    const id = await idOf(scim('POST /Users', person('ana', { externalId: 'sub-7' })))
    const provider = office.identity.providers.byName('acme')
    if (provider === undefined) throw new Error('acme is gone')
    const via = { via: 'sign-in', requestId: 'r' } as const
    expect(await office.identity.admit(provider, { sub: 'sub-7' }, via)).toEqual({ userId: id })
    await scim(`PATCH /Users/${id}`, patchOf({ op: 'replace', path: 'active', value: false }))
    expect(await office.identity.admit(provider, { sub: 'sub-7' }, via)).toMatchObject({
      rejected: 'identity.not_admitted',
    })
  })

  it('does not hand somebody who signed in before to another subject, whatever external id they get', async () => {
    const { scim, office } = await provisioned()
    const id = await idOf(scim('POST /Users', person('ana', { externalId: 'sub-7' })))
    const provider = office.identity.providers.byName('acme')
    if (provider === undefined) throw new Error('acme is gone')
    const via = { via: 'sign-in', requestId: 'r' } as const
    expect(await office.identity.admit(provider, { sub: 'sub-7' }, via)).toEqual({ userId: id })
    await scim(`PUT /Users/${id}`, person('ana', { externalId: 'sub-of-eve' }))
    const eve = await office.identity.admit(provider, { sub: 'sub-of-eve' }, via)
    expect(eve).toMatchObject({ rejected: 'identity.not_admitted' })
    expect(await office.identity.admit(provider, { sub: 'sub-7' }, via)).toEqual({ userId: id })
  })

  it('has an account of its own for each provider', async () => {
    const { office } = await provisioned()
    const other = { name: 'other', issuer: 'https://other.example.com', scim: { account: 'acme-scim' } }
    await expect(office.ask('POST /identity-providers', other)).rejects.toMatchObject({
      code: 'http.conflict',
    })
  })

  it('keeps no password that is sent along', async () => {
    const { scim, office } = await provisioned()
    await scim('POST /Users', person('ana', { password: 'hunter2hunter2' }))
    const rows = await office.database.kysely.selectFrom('scim_users').selectAll().execute()
    expect(rows).toHaveLength(1)
    expect(JSON.stringify([rows, office.audit.events])).not.toContain('hunter2')
  })
})
