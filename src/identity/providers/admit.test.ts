import fc from 'fast-check'
import { expect, it } from 'vitest'
import { onEachDatabase } from '../../../test/fixtures/databases.ts'
import { openOffice } from '../../../test/fixtures/identity.ts'
import type { JsonObject } from '../../foundation/json.ts'
import { isRejection } from '../principal.ts'
import { inventedAddress } from './admission.ts'

const acme = {
  name: 'acme',
  issuer: 'https://acme.example',
  domains: ['acme.example'],
  use: { bearer: ['api'] },
  audiences: ['api://gate'],
  teams: { map: { Staff: 'staff' }, prefix: 'gate-' },
}
const ana = { sub: 'a-1', email: 'Ana@acme.example', email_verified: true }

onEachDatabase(open => {
  async function office(...providers: object[]) {
    const made = await openOffice(await open())
    for (const provider of providers) await made.ask('POST /identity-providers', { ...acme, ...provider })
    const admit = async (claims: JsonObject, name = 'acme', via: 'sign-in' | 'bearer' = 'sign-in') => {
      const provider = made.identity.providers.byName(name)
      if (provider === undefined) throw new Error(name)
      return made.identity.admit(provider, claims, { via, requestId: 'r1' })
    }
    const admitted = async (claims: JsonObject, name = 'acme', via: 'sign-in' | 'bearer' = 'sign-in') => {
      const outcome = await admit(claims, name, via)
      if ('rejected' in outcome) throw new Error(outcome.why)
      return outcome.userId
    }
    const who = (email: string) =>
      made.ask<{ id: string; teams: string[]; provider: string | null }>(`GET /users/${email}`)
    const teams = async (email: string) => (await who(email)).teams
    return { ...made, admit, admitted, who, teams, events: made.audit.events }
  }
  const not = (why: string) => ({ rejected: 'identity.not_admitted', why: expect.stringContaining(why) })

  it('makes a user of whom it vouches for, and knows them again', async () => {
    const { admitted, who, events } = await office({})
    const id = await admitted(ana)
    expect(await who('ana@acme.example')).toMatchObject({ id, provider: 'acme' })
    expect(events.at(-1)).toMatchObject({
      action: 'identity.admit',
      target: 'user:ana@acme.example',
      who: { kind: 'nobody' },
      detail: { provider: 'acme', subject: 'a-1', did: 'create', via: 'sign-in' },
    })
    const count = events.length
    expect(await admitted({ sub: 'a-1' })).toBe(id)
    expect(events).toHaveLength(count)
  })

  it('T013: an address makes somebody known only where the provider owns the domain and says it is verified', async () => {
    const { ask, admit, admitted, events } = await office({})
    const { id } = await ask<{ id: string }>('POST /users', { email: 'ana@acme.example' })
    await ask('POST /users', { email: 'eve@other.example' })
    for (const [claims, why] of [
      [{ ...ana, email_verified: false }, 'verified'],
      [{ ...ana, email_verified: 'true' }, 'verified'],
      [{ sub: 'a-1', email: 'ana@acme.example' }, 'verified'],
      [{ ...ana, email: 'eve@other.example' }, 'other.example'],
      [{ ...ana, email: 'eve@acme.example.evil' }, 'evil'],
      [{ ...ana, email: 'a@b@acme.example' }, 'no e-mail'],
      [{ sub: 'a-1' }, 'no e-mail'],
      [{ ...ana, sub: '' }, 'no subject'],
      [{ ...ana, sub: 'x'.repeat(256) }, 'no subject'],
      [{ ...ana, sub: 'a\u202e' }, 'no subject'],
      [{ ...ana, sub: 7 }, 'no subject'],
    ] as const) {
      expect(await admit(claims)).toEqual(not(why))
      expect(events.at(-1)).toMatchObject({
        outcome: 'rejected',
        decision: { allowed: false, reason: expect.stringContaining(why) },
      })
    }
    expect(await admitted(ana)).toBe(id)
    expect(events.at(-1)).toMatchObject({ detail: { did: 'link' } })
    expect(await admit({ ...ana, sub: 'a-2' })).toEqual(not('another subject'))
  })

  it('refuses a bearer token without a word of its own in the audit, and changes nothing', async () => {
    const { admit, events, ask } = await office({})
    const before = events.length
    expect(await admit({ ...ana, email_verified: false }, 'acme', 'bearer')).toEqual(not('verified'))
    expect(events).toHaveLength(before)
    expect(await ask<object>('GET /users')).toMatchObject({ items: [] })
  })

  it('lets in only who is invited, where it says so', async () => {
    const { ask, admit, admitted } = await office({ provisioning: 'invited' })
    expect(await admit(ana)).toEqual(not('Nobody here'))
    const { id } = await ask<{ id: string }>('POST /users', { email: 'ana@acme.example' })
    expect(await admitted(ana)).toBe(id)
  })

  it('refuses who is disabled', async () => {
    const { ask, admit, admitted } = await office({})
    await admitted(ana)
    await ask('PATCH /users/ana@acme.example', { disabled: true })
    expect(await admit(ana)).toEqual(not('disabled'))
    expect(await admit(ana, 'acme', 'bearer')).toEqual(not('disabled'))
  })

  it('follows somebody to a new address, and what they were given with them', async () => {
    const { ask, admitted, who, identity } = await office({})
    const renamed: string[] = []
    identity.onRemoval({
      forget: async () => undefined,
      rename: async (_, from, to) => void renamed.push(`${from} ${to}`),
      refresh: async () => undefined,
    })
    const id = await admitted(ana)
    const married = { ...ana, email: 'ana.b@acme.example' }
    expect(await admitted(married, 'acme', 'bearer')).toBe(id)
    expect(await admitted({ ...married, email_verified: false })).toBe(id)
    expect(renamed).toEqual([])
    expect(await admitted(married)).toBe(id)
    expect(await who('ana.b@acme.example')).toMatchObject({ id })
    expect(renamed).toEqual(['user:ana@acme.example user:ana.b@acme.example'])
    await ask('POST /users', { email: 'taken@acme.example' })
    expect(await admitted({ ...ana, email: 'taken@acme.example' })).toBe(id)
    expect(await who('ana.b@acme.example')).toMatchObject({ id })
  })

  it('gives and takes teams as the groups say, and leaves alone what a person gave', async () => {
    const { ask, admitted, teams, events } = await office({})
    const person = 'ana@acme.example'
    await admitted({ ...ana, groups: ['gate-crew', 'Staff', 'gate-Bad Name', 'others', 7] })
    expect(await teams(person)).toEqual(['crew', 'staff'])
    await ask('POST /teams', { name: 'board', members: [person] })
    const count = events.length
    await admitted(ana, 'acme', 'bearer')
    expect(await teams(person)).toEqual(['board', 'crew', 'staff'])
    await admitted({ ...ana, groups: ['gate-crew', 'Staff'] }, 'acme', 'bearer')
    expect(events).toHaveLength(count)
    await admitted({ ...ana, groups: ['gate-board', 'gate-crew'] }, 'acme', 'bearer')
    expect(await teams(person)).toEqual(['board', 'crew'])
    expect(events.at(-1)).toMatchObject({
      detail: { via: 'bearer', teams: { added: [], removed: ['staff'] } },
    })
    await ask('PUT /teams/crew/members/ana@acme.example')
    await admitted({ ...ana, groups: [] })
    expect(await teams(person)).toEqual(['board', 'crew'])
  })

  it('keeps teams where there were more groups than a token tells', async () => {
    const entra = {
      preset: 'entra',
      issuer: 'https://login.microsoftonline.com/12345678-1234-1234-1234-123456789abc/v2.0',
    }
    const { admitted, teams } = await office(entra)
    const person = { sub: 'pairwise', oid: 'o-1', email: ana.email, xms_edov: true }
    const id = await admitted({ ...person, groups: ['gate-crew'] })
    const few = [
      { hasgroups: true },
      { _claim_names: { groups: 'src1' }, _claim_sources: { src1: { endpoint: 'https://evil.example' } } },
    ]
    for (const more of few) expect(await admitted({ ...person, sub: 'other pairwise', ...more })).toBe(id)
    expect(await teams('ana@acme.example')).toEqual(['crew'])
    await admitted({ ...person, groups: [] })
    expect(await teams('ana@acme.example')).toEqual([])
  })

  it('keeps what it was told of somebody, as far as it is asked to', async () => {
    const { admitted, database } = await office({
      claims: { attributes: { unit: 'org.unit', level: 'https://acme.example/level' } },
    })
    await admitted({ ...ana, org: { unit: 'Sales', secret: 'x' }, 'https://acme.example/level': 3 })
    const row = await database.kysely.selectFrom('linked_identities').selectAll().executeTakeFirstOrThrow()
    expect(JSON.parse(row.attributes_json)).toEqual({ unit: 'Sales', level: '3' })
  })

  it('people of a bound provider are its own, whatever they are called', async () => {
    const { ask, admit, admitted, identity } = await office({})
    await ask('POST /teams', { name: 'umbrella' })
    await ask('POST /users', { email: 'boss@umbrella.example' })
    const umbrella = { name: 'umbrella', issuer: 'https://umbrella.example', domains: ['umbrella.example'] }
    await ask('POST /identity-providers', { ...acme, ...umbrella, teams: {}, bound: { team: 'umbrella' } })
    const said = { sub: 'u-1', email: 'boss@acme.example', email_verified: true }
    const id = await admitted(said, 'umbrella')
    const { items } = await ask<{ items: { id: string; email: string; teams: string[] }[] }>('GET /users')
    const made = items.find(user => user.id === id)
    expect(made).toMatchObject({
      email: expect.stringMatching(/^boss\.[0-9a-f]{12}@umbrella\.invalid$/),
      teams: ['umbrella'],
    })
    expect(
      await admit({ sub: 'u-2', email: 'boss@umbrella.example', email_verified: true }, 'umbrella'),
    ).toEqual(not('somebody already'))
    const own = { sub: 'u-3', email: 'own@umbrella.example', email_verified: true }
    await admitted(own, 'umbrella')
    await ask('PATCH /identity-providers/umbrella', { domains: [] })
    await ask('PATCH /identity-providers/acme', { domains: ['umbrella.example'] })
    expect(await admit({ ...own, sub: 'mine' })).toEqual(not('somebody already'))
    const stand = await identity.standInOf('user:own@umbrella.example')
    expect(stand?.caller).toMatchObject({
      subjects: ['team:umbrella'],
      role: 'member',
      within: { team: 'umbrella' },
    })
  })

  it('knows people of a bound provider whom it provisioned before they came', async () => {
    const { ask, admit, admitted, database, identity } = await office({})
    await ask('PATCH /identity-providers/acme', { bound: { groupPrefix: 'acme-' }, provisioning: 'invited' })
    const { id } = await ask<{ id: string }>('POST /users', { email: 'ana@acme.example' })
    expect(await admit(ana)).toEqual(not('somebody already'))
    const provider = identity.providers.byName('acme')?.id ?? ''
    await database.kysely.updateTable('users').set({ provider_id: provider }).where('id', '=', id).execute()
    expect(await admitted(ana)).toBe(id)
    expect(await admit({ ...ana, sub: 'a-2', email: 'bo@acme.example' })).toEqual(not('Nobody here'))
  })

  it('everything somebody of a bound provider holds has its bounds, also after it is gone', async () => {
    const { ask, admitted, identity, tokenFor } = await office({})
    await ask('POST /teams', { name: 'tenant' })
    await ask('PATCH /identity-providers/acme', { bound: { team: 'tenant' }, teams: {} })
    await admitted(ana)
    const owned = { name: 'robot', owner: 'user:ana@acme.example' }
    await expect(ask('POST /accounts', owned)).rejects.toMatchObject({ code: 'http.conflict' })
    const subjectsOf = async (subject: string) => {
      const outcome = await identity.identify(`Bearer ${(await tokenFor(subject)).token}`, 'api')
      return isRejection(outcome) ? outcome : outcome.subjects
    }
    expect(await subjectsOf('user:ana@acme.example')).toEqual(['team:tenant'])
    const conflict = { code: 'http.conflict' }
    await expect(ask('PATCH /users/ana@acme.example', { role: 'admin' })).rejects.toMatchObject(conflict)
    await expect(ask('DELETE /teams/tenant')).rejects.toMatchObject(conflict)
    await expect(ask('DELETE /identity-providers/acme')).rejects.toMatchObject(conflict)
    await ask('DELETE /identity-providers/acme', undefined, identity.operator(), { people: 'disable' })
    expect(await subjectsOf('user:ana@acme.example')).toMatchObject({ rejected: 'identity.bad_token' })
    await ask('PATCH /users/ana@acme.example', { disabled: false })
    expect(await subjectsOf('user:ana@acme.example')).toEqual(['team:tenant'])
    await expect(ask('DELETE /teams/tenant')).rejects.toMatchObject(conflict)
    await ask('POST /identity-providers', acme)
    expect(await subjectsOf('user:ana@acme.example')).toContain('user:ana@acme.example')
  })
})

it('names that are invented are addresses nobody has, each its own', () => {
  const names = new Map<string, string>()
  fc.assert(
    fc.property(
      fc.string({ minLength: 1 }),
      fc.option(fc.emailAddress(), { nil: undefined }),
      (subject, email) => {
        const said = {
          subject,
          email,
          isEmailTheirs: false,
          whyNotTheirs: '',
          attributes: {},
          teams: undefined,
          isOverflowing: false,
        }
        const made = inventedAddress({ name: 'acme', issuer: 'https://acme.example' }, said)
        expect(made).toMatch(/^[a-z0-9-]{1,40}\.[0-9a-f]{12}@acme\.invalid$/)
        const mark = /[0-9a-f]{12}(?=@)/.exec(made)?.[0] ?? ''
        expect(names.get(mark) ?? subject).toBe(subject)
        names.set(mark, subject)
      },
    ),
  )
})
