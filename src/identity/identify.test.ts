import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { onEachDatabase } from '../../test/fixtures/databases.ts'
import { handClock, openOffice } from '../../test/fixtures/identity.ts'
import { silentLog } from '../foundation/log.ts'
import { Identifier, type Known } from './identify.ts'
import { isRejection, type Principal } from './principal.ts'
import { newToken, tokenKind } from './token-format.ts'

const day = 86_400_000
const noProofs = { check: async () => ({ rejected: 'identity.bad_proof', why: 'There is none.' }) as const }
const bad = (why: string) => ({ rejected: 'identity.bad_token', why: expect.stringContaining(why) })

onEachDatabase((open, _name, newPlace) => {
  it('says who a personal access token stands for', async () => {
    const office = await openOffice(await open())
    await office.ask('POST /users', { email: 'Ana@Example.com', role: 'auditor' })
    await office.ask('POST /teams', { name: 'engineering', members: ['ana@example.com'] })
    const { token, id } = await office.tokenFor('user:ana@example.com')
    expect(await office.identity.identify(`Bearer ${token}`, 'api')).toMatchObject({
      kind: 'user',
      name: 'ana@example.com',
      role: 'auditor',
      subjects: ['user:ana@example.com', 'team:engineering', 'everyone'],
      tokenId: id,
    })
  })

  it('says who a virtual account token stands for', async () => {
    const office = await openOffice(await open())
    await office.ask('POST /accounts', { name: 'nightly' })
    const { token } = await office.tokenFor('account:nightly')
    expect(token).toMatch(/^gth_vat_/)
    expect(await office.identity.identify(`Bearer ${token}`, 'api')).toMatchObject({
      kind: 'account',
      name: 'nightly',
      role: 'member',
      subjects: ['account:nightly', 'everyone'],
    })
  })

  it('answers at once the second time', async () => {
    const office = await openOffice(await open())
    const principal = await office.signIn('ana@example.com')
    const { token } = await office.tokenFor('user:ana@example.com')
    const first = office.identity.identify(`Bearer ${token}`, 'api')
    expect(first).toBeInstanceOf(Promise)
    await first
    const second = office.identity.identify(`Bearer ${token}`, 'api')
    expect(second).not.toBeInstanceOf(Promise)
    expect(second).toMatchObject({ id: principal.id })
    expect(Object.isFrozen(second)).toBe(true)
  })

  it('takes the word Bearer in any case, and doubled', async () => {
    const office = await openOffice(await open())
    await office.ask('POST /users', { email: 'ana@example.com' })
    const { token } = await office.tokenFor('user:ana@example.com')
    for (const word of ['Bearer', 'bearer', 'BEARER', 'Bearer Bearer', 'bearer  Bearer']) {
      expect(await office.identity.identify(`${word} ${token}`, 'api')).toMatchObject({
        name: 'ana@example.com',
      })
    }
  })

  it('T019: refuses several credentials, even two good ones', async () => {
    const office = await openOffice(await open())
    await office.ask('POST /users', { email: 'ana@example.com' })
    const { token } = await office.tokenFor('user:ana@example.com')
    for (const header of [
      `Bearer ${token}, Bearer ${token}`,
      `Bearer ${token},`,
      `Basic x, Bearer ${token}`,
    ]) {
      expect(await office.identity.identify(header, 'api')).toMatchObject({ rejected: 'identity.bad_token' })
    }
  })

  it('refuses what is not a token of this gateway', async () => {
    const office = await openOffice(await open())
    const { identify } = office.identity
    expect(await identify(undefined, 'api')).toMatchObject({ rejected: 'identity.no_token' })
    expect(await identify('', 'api')).toMatchObject({ rejected: 'identity.no_token' })
    expect(await identify('Basic YTpi', 'api')).toMatchObject({ rejected: 'identity.no_token' })
    expect(await identify('Bearer', 'api')).toMatchObject({ rejected: 'identity.no_token' })
    expect(await identify('Bearer sk-fabricated', 'api')).toEqual(bad('not a token'))
    expect(await identify(`Bearer ${newToken('pat')}`, 'api')).toEqual(bad('not known'))
    expect(await identify(`Bearer ${newToken('pat')} x`, 'api')).toMatchObject({
      rejected: 'identity.no_token',
    })
  })

  it('T005: refuses an expired token to the millisecond, remembered or not', async () => {
    const office = await openOffice(await open())
    await office.ask('POST /users', { email: 'ana@example.com' })
    const { token } = await office.tokenFor('user:ana@example.com', '1d')
    office.clock.move(day - 1)
    expect(await office.principalOf(token)).toMatchObject({ name: 'ana@example.com' })
    office.clock.move(1)
    expect(await office.identity.identify(`Bearer ${token}`, 'api')).toEqual(bad('expired'))
    await office.identity.refresh()
    expect(await office.identity.identify(`Bearer ${token}`, 'api')).toEqual(bad('expired'))
  })

  const killings: [string, string, string, unknown?][] = [
    ['a revoked token', 'user:bo@example.com', 'DELETE /tokens/{id}'],
    ['a token of a disabled user', 'user:bo@example.com', 'PATCH /users/bo@example.com', { disabled: true }],
    ['a token of a deleted user', 'user:bo@example.com', 'DELETE /users/bo@example.com'],
    ['a revoked account token', 'account:nightly', 'DELETE /tokens/{id}'],
    ['a token of a disabled account', 'account:nightly', 'PATCH /accounts/nightly', { disabled: true }],
    ['a token of a deleted account', 'account:nightly', 'DELETE /accounts/nightly'],
    [
      'a token whose owner is disabled',
      'account:nightly',
      'PATCH /users/olga@example.com',
      { disabled: true },
    ],
  ]

  it.each(killings)(
    'T005: refuses %s, at once here and after a refresh elsewhere',
    async (_, subject, line, body) => {
      const place = await newPlace()
      const here = await openOffice(await open(place))
      const elsewhere = await openOffice(await open(place))
      await here.ask('POST /users', { email: 'bo@example.com' })
      await here.ask('POST /users', { email: 'olga@example.com' })
      await here.ask('POST /accounts', { name: 'nightly', owner: 'user:olga@example.com' })
      const { token, id } = await here.tokenFor(subject)
      const principal = await elsewhere.principalOf(token)
      await here.principalOf(token)

      const revision = await elsewhere.database.revision()
      await here.ask(line.replace('{id}', id), body)
      expect(await here.identity.identify(`Bearer ${token}`, 'api')).toMatchObject({
        rejected: 'identity.bad_token',
      })
      expect(await elsewhere.database.revision()).toBeGreaterThan(revision)
      await elsewhere.identity.refresh()
      expect(await elsewhere.identity.identify(`Bearer ${token}`, 'api')).toMatchObject({
        rejected: 'identity.bad_token',
      })
      expect(await elsewhere.identity.recheck(principal)).toMatchObject({ rejected: 'identity.bad_token' })
    },
  )

  it('brings a user back with their tokens when enabled again', async () => {
    const office = await openOffice(await open())
    await office.ask('POST /users', { email: 'bo@example.com' })
    const { token } = await office.tokenFor('user:bo@example.com')
    await office.ask('PATCH /users/bo@example.com', { disabled: true })
    await office.ask('PATCH /users/bo@example.com', { disabled: false })
    expect(await office.principalOf(token)).toMatchObject({ name: 'bo@example.com' })
  })

  it('sees a new role and a new team with the next request', async () => {
    const office = await openOffice(await open())
    await office.ask('POST /users', { email: 'bo@example.com' })
    await office.ask('POST /teams', { name: 'red' })
    const { token } = await office.tokenFor('user:bo@example.com')
    await office.principalOf(token)
    await office.ask('PATCH /users/bo@example.com', { role: 'auditor' })
    await office.ask('PUT /teams/red/members/bo@example.com')
    expect(await office.principalOf(token)).toMatchObject({
      role: 'auditor',
      subjects: ['user:bo@example.com', 'team:red', 'everyone'],
    })
  })

  it('writes the last use without raising the revision', async () => {
    const place = await newPlace()
    const office = await openOffice(await open(place))
    await office.ask('POST /users', { email: 'bo@example.com' })
    const { token } = await office.tokenFor('user:bo@example.com')
    const revision = await office.database.revision()
    await office.principalOf(token)
    await office.identity.close()
    expect(await office.database.revision()).toBe(revision)
    const { items } = await office.ask<{ items: { lastUsedAt: string }[] }>('GET /tokens')
    expect(items[0]!.lastUsedAt).toBe(new Date(office.clock.now()).toISOString())
  })

  it('rejects, and recovers, when the database fails', async () => {
    const place = await newPlace()
    const database = await open(place)
    const office = await openOffice(database)
    await office.ask('POST /users', { email: 'bo@example.com' })
    const { token } = await office.tokenFor('user:bo@example.com')
    await database.kysely.schema.alterTable('team_members').renameTo('elsewhere').execute()
    expect(await office.identity.identify(`Bearer ${token}`, 'api')).toMatchObject({
      rejected: 'identity.unavailable',
    })
    await database.kysely.schema.alterTable('elsewhere').renameTo('team_members').execute()
    expect(await office.identity.identify(`Bearer ${token}`, 'api')).toMatchObject({ name: 'bo@example.com' })
  })

  it('keeps no token in clear', async () => {
    const office = await openOffice(await open())
    await office.ask('POST /users', { email: 'bo@example.com' })
    const { token } = await office.tokenFor('user:bo@example.com')
    const rows = await office.database.kysely.selectFrom('tokens').selectAll().execute()
    expect(rows[0]!.hash).toMatch(/^[\w-]{43}$/)
    expect(JSON.stringify([rows, office.audit.events])).not.toContain(token.slice(8, 40))
  })
})

describe('Identifier', () => {
  const principal = { kind: 'user', name: 'ana@example.com' } as unknown as Principal
  const good: Known = {
    principal,
    expiresAt: Number.MAX_SAFE_INTEGER,
    again: async () => good,
  }
  const takes = (text: string) => tokenKind(text) === 'pat'
  const token = newToken('pat')
  const header = `Bearer ${token}`

  it('T003: rejects whatever throws, wherever it throws', async () => {
    const fault = fc.record({
      at: fc.constantFrom('load', 'load later', 'clock', 'used', 'reload'),
      thrown: fc.anything(),
      remembered: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(fault, async ({ at, thrown, remembered }) => {
        let isBroken = false
        const trip = (place: string) => {
          if (isBroken && at === place) throw thrown
          return undefined
        }
        const known: Known = {
          ...good,
          used: () => trip('used'),
          async again() {
            trip('reload')
            return good
          },
        }
        const identifier = new Identifier({
          verifiers: [
            {
              takes,
              verify(): Promise<Known> {
                trip('load')
                return isBroken && at === 'load later' ? Promise.reject(thrown) : Promise.resolve(known)
              },
            },
          ],
          proofs: noProofs,
          clock: { now: () => trip('clock') ?? 0, elapsed: () => 0 },
          log: silentLog,
        })
        if (remembered || at === 'reload') expect(await identifier.identify(header, 'api')).toBe(principal)
        isBroken = true
        const outcome =
          at === 'reload' ? await identifier.recheck(principal) : await identifier.identify(header, 'api')
        if (remembered && at.startsWith('load')) expect(outcome).toBe(principal)
        else expect(outcome).toMatchObject({ rejected: 'identity.unavailable' })
        isBroken = false
        expect(await identifier.identify(header, 'api')).toBe(principal)
      }),
    )
  })

  it('gives a principal or a rejection for any header at all', async () => {
    const { identifier } = watched()
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.string().map(text => `Bearer ${text}`),
        ),
        async text => {
          expect(isRejection(await identifier.identify(text, 'api'))).toBe(true)
        },
      ),
    )
  })

  function watched(load: () => Promise<Known> = async () => good) {
    const used: string[] = []
    const spy = vi.fn(async () => ({ ...(await load()), used: () => used.push('t1') }))
    const identifier = new Identifier({
      verifiers: [{ takes, verify: spy }],
      proofs: noProofs,
      clock: handClock(),
      log: silentLog,
    })
    return { identifier, load: spy, used }
  }

  it('T003: rejects when the store never answers', async () => {
    vi.useFakeTimers()
    const { identifier } = watched(() => new Promise(() => undefined))
    const outcome = identifier.identify(header, 'api')
    await vi.advanceTimersByTimeAsync(60_000)
    expect(await outcome).toMatchObject({ rejected: 'identity.unavailable' })
    vi.useRealTimers()
  })

  it('does not ask the store about garbage', async () => {
    const { identifier, load } = watched()
    for (const text of [
      'x',
      token.slice(1),
      `${token}0`,
      token.replace(/.$/, it => (it === 'a' ? 'b' : 'a')),
    ]) {
      expect(identifier.identify(`Bearer ${text}`, 'api')).toMatchObject({ rejected: 'identity.bad_token' })
    }
    expect(load).not.toHaveBeenCalled()
  })

  it('asks once for many requests with one token, and notes every use it admits', async () => {
    const { identifier, load, used } = watched()
    const outcomes = await Promise.all([1, 2, 3].map(() => identifier.identify(header, 'api')))
    expect(outcomes).toEqual([principal, principal, principal])
    identifier.identify(header, 'api')
    expect(load).toHaveBeenCalledTimes(1)
    expect(used).toHaveLength(4)
  })

  it('remembers nothing that was read before it was told to forget', async () => {
    const { promise, resolve } = Promise.withResolvers<typeof good>()
    const { identifier, load } = watched(() => promise)
    const before = identifier.identify(header, 'api')
    identifier.forget()
    resolve(good)
    await before
    await identifier.identify(header, 'api')
    expect(load).toHaveBeenCalledTimes(2)
  })

  it('admits a token only where it is for', async () => {
    const { identifier } = watched(async () => ({ ...good, admits: resource => resource === '/mcp/a/b' }))
    for (const round of ['first', 'remembered']) {
      expect(await identifier.identify(header, '/mcp/a/b'), round).toBe(principal)
      expect(await identifier.identify(header, 'api'), round).toEqual(bad('another resource'))
      expect(await identifier.identify(header, '/mcp'), round).toEqual(bad('another resource'))
    }
  })

  it('does not remember bad tokens', async () => {
    const { identifier, load } = watched(async () => ({ rejected: 'identity.bad_token', why: 'no' }) as never)
    await identifier.identify(header, 'api')
    await identifier.identify(header, 'api')
    expect(load).toHaveBeenCalledTimes(2)
  })

  it('remembers a bounded number, the oldest going first', async () => {
    const { identifier } = watched()
    await identifier.identify(header, 'api')
    let last = header
    for (let i = 0; i < 10_000; i++) {
      last = `Bearer ${newToken('pat')}`
      await identifier.identify(last, 'api')
    }
    expect(identifier.identify(last, 'api')).toBe(principal)
    expect(identifier.identify(header, 'api')).toBeInstanceOf(Promise)
  })
})
