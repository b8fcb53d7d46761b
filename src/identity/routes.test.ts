import { expect, it } from 'vitest'
import { onEachDatabase } from '../../test/fixtures/databases.ts'
import { openOffice } from '../../test/fixtures/identity.ts'
import type { IssuedToken, TokenView } from './schemas.ts'

type Items<Item> = { items: Item[]; why?: string }
type Person = { email: string; role: string; disabled: boolean; teams: string[] }

const refused = (code: string, why = '') => ({ code, why: expect.stringContaining(why) })

onEachDatabase(open => {
  const office = async () => openOffice(await open())

  it('says who you are', async () => {
    const { ask, identity, signIn } = await office()
    expect(await ask('GET /me')).toMatchObject({
      kind: 'operator',
      name: 'operator',
      role: 'admin',
      tokenId: null,
    })
    const ana = await signIn('ana@example.com')
    expect(await ask('GET /me', undefined, ana)).toMatchObject({
      name: 'ana@example.com',
      tokenId: ana.tokenId,
    })
    expect(identity.operator()).toMatchObject({ kind: 'operator', role: 'admin', name: 'operator' })
  })

  it('adds, shows, changes and deletes users', async () => {
    const { ask } = await office()
    expect(await ask('GET /users')).toEqual({ items: [], why: expect.any(String) })
    expect(await ask('POST /users', { email: 'Bo@Example.com' })).toMatchObject({
      email: 'bo@example.com',
      role: 'member',
    })
    await ask('POST /users', { email: 'ana@example.com', role: 'admin' })
    const { items } = await ask<Items<Person>>('GET /users')
    expect(items.map(user => user.email)).toEqual(['ana@example.com', 'bo@example.com'])
    expect(await ask('PATCH /users/BO@example.com', { role: 'auditor', disabled: true })).toMatchObject({
      role: 'auditor',
      disabled: true,
    })
    expect(await ask('PATCH /users/bo@example.com', { role: 'member' })).toMatchObject({ disabled: true })
    await ask('DELETE /users/bo@example.com')
    await expect(ask('GET /users/bo@example.com')).rejects.toMatchObject(
      refused('identity.unknown', 'bo@example.com'),
    )
    await expect(ask('DELETE /users/bo@example.com')).rejects.toMatchObject(refused('identity.unknown'))
  })

  it.each([
    '',
    'ana',
    'ana@',
    '@example.com',
    'a na@example.com',
    'ana@example.com, bo@example.com',
    `${'a'.repeat(250)}@example.com`,
  ])('refuses the e-mail %j', async email => {
    const { ask } = await office()
    await expect(ask('POST /users', { email })).rejects.toMatchObject({ name: 'ZodError' })
  })

  it('refuses a second user of the same e-mail, in any case', async () => {
    const { ask } = await office()
    await ask('POST /users', { email: 'ana@example.com' })
    await expect(ask('POST /users', { email: 'ANA@example.com' })).rejects.toMatchObject(
      refused('http.conflict'),
    )
  })

  it('never loses its last admin', async () => {
    const { ask } = await office()
    await ask('POST /users', { email: 'ana@example.com', role: 'admin' })
    await ask('POST /users', { email: 'bo@example.com', role: 'admin' })
    await ask('PATCH /users/bo@example.com', { disabled: true })
    const last = refused('http.conflict', 'ana@example.com is the last admin')
    await expect(ask('DELETE /users/ana@example.com')).rejects.toMatchObject(last)
    await expect(ask('PATCH /users/ana@example.com', { role: 'member' })).rejects.toMatchObject(last)
    await expect(ask('PATCH /users/ana@example.com', { disabled: true })).rejects.toMatchObject(last)
    await ask('PATCH /users/bo@example.com', { disabled: false })
    await ask('PATCH /users/ana@example.com', { role: 'member' })
  })

  it('keeps one of two admins who remove each other at the same moment', async () => {
    const { ask } = await office()
    await ask('POST /users', { email: 'ana@example.com', role: 'admin' })
    await ask('POST /users', { email: 'bo@example.com', role: 'admin' })
    const outcomes = await Promise.allSettled([
      ask('DELETE /users/ana@example.com'),
      ask('DELETE /users/bo@example.com'),
    ])
    expect(outcomes.map(outcome => outcome.status).sort()).toEqual(['fulfilled', 'rejected'])
  })

  it('creates teams, and puts people in and takes them out', async () => {
    const { ask } = await office()
    await ask('POST /users', { email: 'ana@example.com' })
    await ask('POST /users', { email: 'bo@example.com' })
    expect(await ask('POST /teams', { name: 'red', members: ['bo@example.com'] })).toMatchObject({
      members: ['bo@example.com'],
    })
    await expect(ask('POST /teams', { name: 'red' })).rejects.toMatchObject(refused('http.conflict'))
    await ask('PUT /teams/red/members/ana@example.com')
    await ask('PUT /teams/red/members/ana@example.com')
    expect(await ask('GET /teams/red')).toMatchObject({ members: ['ana@example.com', 'bo@example.com'] })
    expect(await ask('GET /users/ana@example.com')).toMatchObject({ teams: ['red'] })
    await ask('DELETE /teams/red/members/bo@example.com')
    await expect(ask('DELETE /teams/red/members/bo@example.com')).rejects.toMatchObject(
      refused('identity.unknown'),
    )
    expect(await ask('GET /teams')).toMatchObject({ items: [{ name: 'red', members: ['ana@example.com'] }] })
    await ask('DELETE /teams/red')
    await expect(ask('GET /teams/red')).rejects.toMatchObject(refused('identity.unknown'))
    expect(await ask('GET /users/ana@example.com')).toMatchObject({ teams: [] })
  })

  it('creates nothing of a team with an unknown member', async () => {
    const { ask, audit } = await office()
    const team = { name: 'red', members: ['nobody@example.com'] }
    await expect(ask('POST /teams', team)).rejects.toMatchObject(
      refused('identity.unknown', 'nobody@example.com'),
    )
    expect(await ask('GET /teams')).toMatchObject({ items: [] })
    expect(audit.events).toEqual([])
  })

  it('creates virtual accounts with an owner, who cannot be deleted while they answer for one', async () => {
    const { ask } = await office()
    await ask('POST /users', { email: 'ana@example.com' })
    const account = { name: 'nightly', owner: 'user:Ana@example.com' }
    expect(await ask('POST /accounts', account)).toMatchObject({
      owner: 'user:ana@example.com',
      disabled: false,
    })
    await expect(ask('POST /accounts', account)).rejects.toMatchObject(refused('http.conflict'))
    await expect(ask('DELETE /users/ana@example.com')).rejects.toMatchObject(
      refused('http.conflict', 'nightly'),
    )
    await expect(ask('PATCH /accounts/nightly', { owner: 'user:no@example.com' })).rejects.toMatchObject(
      refused('identity.unknown'),
    )
    expect(await ask('PATCH /accounts/nightly', { owner: null, disabled: true })).toMatchObject({
      owner: null,
      disabled: true,
    })
    await ask('DELETE /users/ana@example.com')
    await ask('DELETE /accounts/nightly')
    expect(await ask('GET /accounts')).toMatchObject({ items: [] })
  })

  it('makes tokens that expire: after 90 days unless told, and never later than after 365', async () => {
    const { ask, clock } = await office()
    await ask('POST /users', { email: 'ana@example.com' })
    const make = (expires?: string) =>
      ask<IssuedToken>('POST /tokens', {
        user: 'ana@example.com',
        name: 'laptop',
        ...(expires && { expires }),
      })
    const days = async (expires?: string) =>
      (Date.parse((await make(expires)).expiresAt) - clock.now()) / 86_400_000
    expect(await days()).toBe(90)
    expect(await days('365d')).toBe(365)
    expect(await days('12h')).toBe(0.5)
    for (const expires of ['366d', '53w', '0d', 'never', '-1d', '1.5d', '1e3d', '99999w', '30']) {
      await expect(make(expires)).rejects.toMatchObject({ name: 'ZodError' })
    }
  })

  it('shows a token once, and then only what tells it apart', async () => {
    const { ask, clock } = await office()
    await ask('POST /users', { email: 'ana@example.com' })
    const { token, ...made } = await ask<IssuedToken>('POST /tokens', {
      user: 'ana@example.com',
      expires: '1d',
    })
    const only = async () => (await ask<Items<TokenView>>('GET /tokens')).items
    expect(await only()).toEqual([made])
    expect(made).toMatchObject({
      hint: `gth_pat_...${token.slice(-4)}`,
      state: 'active',
      subject: 'user:ana@example.com',
    })
    clock.move(86_400_000)
    expect(await only()).toMatchObject([{ state: 'expired' }])
    await ask(`DELETE /tokens/${made.id}`)
    await ask(`DELETE /tokens/${made.id}`)
    expect(await only()).toMatchObject([{ state: 'revoked', revokedAt: new Date(clock.now()).toISOString() }])
  })

  it('lets members handle their own tokens and those of their accounts, and no others', async () => {
    const { ask, signIn, tokenFor } = await office()
    const ana = await signIn('ana@example.com')
    const bo = await signIn('bo@example.com')
    await ask('POST /accounts', { name: 'anas', owner: 'user:ana@example.com' })
    await ask('POST /accounts', { name: 'nobodys' })
    const nobodys = await tokenFor('account:nobodys')

    const own = await ask<IssuedToken>('POST /tokens', {}, ana)
    expect(own.subject).toBe('user:ana@example.com')
    expect(await ask('POST /tokens', { account: 'anas' }, ana)).toMatchObject({ subject: 'account:anas' })
    for (const body of [{ user: 'bo@example.com' }, { user: 'nobody@example.com' }]) {
      await expect(ask('POST /tokens', body, ana)).rejects.toMatchObject(refused('identity.forbidden'))
    }
    for (const account of ['nobodys', 'absent']) {
      await expect(ask('POST /tokens', { account }, ana)).rejects.toMatchObject(
        refused('identity.unknown', account),
      )
    }
    for (const id of [own.id, nobodys.id, 'absent']) {
      await expect(ask(`DELETE /tokens/${id}`, undefined, bo)).rejects.toMatchObject(
        refused('identity.unknown'),
      )
    }
    const seenBy = async (caller: typeof ana) =>
      new Set(
        (await ask<Items<TokenView>>('GET /tokens', undefined, caller)).items.map(token => token.subject),
      )
    expect(await seenBy(ana)).toEqual(new Set(['user:ana@example.com', 'account:anas']))
    expect(await seenBy(bo)).toEqual(new Set(['user:bo@example.com']))
    await ask(`DELETE /tokens/${own.id}`, undefined, ana)
  })

  it('lets auditors read everything and change nothing but their own tokens', async () => {
    const { ask, signIn } = await office()
    const eve = await signIn('eve@example.com', 'auditor')
    const ana = await signIn('ana@example.com')
    await ask('POST /accounts', { name: 'anas', owner: 'user:ana@example.com' })
    for (const line of ['GET /users', 'GET /teams', 'GET /accounts', 'GET /accounts/anas', 'GET /tokens']) {
      expect(await ask(line, undefined, eve)).toBeDefined()
    }
    expect((await ask<Items<TokenView>>('GET /tokens', undefined, eve)).items).toHaveLength(2)
    expect(await ask('POST /tokens', {}, eve)).toMatchObject({ subject: 'user:eve@example.com' })
    await expect(ask(`DELETE /tokens/${ana.tokenId}`, undefined, eve)).rejects.toMatchObject(
      refused('identity.unknown'),
    )
    await expect(ask('POST /tokens', { account: 'anas' }, eve)).rejects.toMatchObject(
      refused('identity.unknown'),
    )
    await expect(ask('POST /users', { email: 'x@example.com' }, eve)).rejects.toMatchObject({
      code: 'identity.forbidden',
    })
  })

  it('leaves everything but tokens and accounts of their own closed to members', async () => {
    const { ask, signIn } = await office()
    const bo = await signIn('bo@example.com')
    await ask('POST /accounts', { name: 'nightly' })
    expect(await ask('GET /accounts', undefined, bo)).toMatchObject({ items: [], why: expect.any(String) })
    await expect(ask('GET /accounts/nightly', undefined, bo)).rejects.toMatchObject(
      refused('identity.unknown'),
    )
    for (const line of [
      'GET /users',
      'POST /users',
      'GET /teams',
      'POST /teams',
      'POST /accounts',
      'DELETE /users/bo@example.com',
    ]) {
      await expect(ask(line, { email: 'x@example.com', name: 'x' }, bo)).rejects.toMatchObject({
        code: 'identity.forbidden',
      })
    }
  })

  it('leaves virtual accounts nothing to manage, not even their own tokens', async () => {
    const { ask, principalOf, tokenFor } = await office()
    await ask('POST /accounts', { name: 'nightly' })
    const { token, id } = await tokenFor('account:nightly')
    const nightly = await principalOf(token)
    expect(await ask('GET /me', undefined, nightly)).toMatchObject({ kind: 'account', name: 'nightly' })
    for (const body of [{}, { account: 'nightly' }, { user: 'nightly@example.com' }]) {
      await expect(ask('POST /tokens', body, nightly)).rejects.toMatchObject(refused('identity.forbidden'))
    }
    await expect(ask(`DELETE /tokens/${id}`, undefined, nightly)).rejects.toMatchObject(
      refused('identity.unknown'),
    )
    expect(await ask('GET /tokens', undefined, nightly)).toMatchObject({ items: [] })
    expect(await ask('GET /accounts', undefined, nightly)).toMatchObject({ items: [] })
  })

  it('asks the operator whose token it shall be', async () => {
    const { ask } = await office()
    await expect(ask('POST /tokens', {})).rejects.toMatchObject(
      refused('http.bad_request', 'user or the account'),
    )
    const both = { user: 'ana@example.com', account: 'nightly' }
    await expect(ask('POST /tokens', both)).rejects.toMatchObject({ name: 'ZodError' })
  })

  it('audits every change once, with who, what and on whom', async () => {
    const { ask, audit, signIn } = await office()
    const ana = await signIn('ana@example.com', 'admin')
    audit.events.length = 0
    await ask('POST /users', { email: 'bo@example.com' }, ana)
    await ask('PATCH /users/bo@example.com', { role: 'auditor' }, ana)
    await ask('POST /teams', { name: 'red' }, ana)
    await ask('PUT /teams/red/members/bo@example.com', undefined, ana)
    await ask('DELETE /teams/red/members/bo@example.com', undefined, ana)
    await ask('DELETE /teams/red', undefined, ana)
    await ask('POST /accounts', { name: 'nightly' }, ana)
    const { id } = await ask<IssuedToken>('POST /tokens', { account: 'nightly' }, ana)
    await ask(`DELETE /tokens/${id}`, undefined, ana)
    await ask('PATCH /accounts/nightly', { disabled: true }, ana)
    await ask('DELETE /accounts/nightly', undefined, ana)
    await ask('DELETE /users/bo@example.com', undefined, ana)
    expect(audit.events.map(event => `${event.action} ${event.target}`)).toEqual([
      'identity.create_user user:bo@example.com',
      'identity.update_user user:bo@example.com',
      'identity.create_team team:red',
      'identity.add_member team:red',
      'identity.remove_member team:red',
      'identity.delete_team team:red',
      'identity.create_account account:nightly',
      'identity.create_token account:nightly',
      'identity.revoke_token account:nightly',
      'identity.update_account account:nightly',
      'identity.delete_account account:nightly',
      'identity.delete_user user:bo@example.com',
    ])
    expect(audit.events[0]).toMatchObject({
      kind: 'change',
      requestId: 'r1',
      who: { kind: 'user', name: 'ana@example.com', tokenId: ana.tokenId },
      outcome: 'ok',
      detail: { role: 'member' },
    })
  })

  it('changes nothing that cannot be audited', async () => {
    const { ask, audit } = await office()
    audit.broken = true
    await expect(ask('POST /users', { email: 'ana@example.com' })).rejects.toThrow('disk full')
    expect(await ask('GET /users')).toMatchObject({ items: [] })
  })
})
