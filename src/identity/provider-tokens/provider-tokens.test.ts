/** What identity providers gave at sign-in: one person's, renewed once in all processes, and gone when they are. */
import { setTimeout as rest } from 'node:timers/promises'
import { beforeEach, expect, it } from 'vitest'
import { onEachDatabase } from '../../../test/fixtures/databases.ts'
import { handClock, type Office, openOffice, testMasterKey } from '../../../test/fixtures/identity.ts'
import type { Database } from '../../database/index.ts'
import { GatewayError } from '../../foundation/errors.ts'
import { openSeals } from '../../vault/index.ts'
import type { IdentityProvider } from '../providers/provider.ts'
import { type Given, keepGiven } from './kept.ts'
import { openProviderTokens, type ProviderTokens, type Renewed } from './open.ts'

onEachDatabase(open => {
  const { seals } = openSeals({ masterKey: testMasterKey })
  let database: Database
  let office: Office
  let provider: IdentityProvider
  const ids = { ana: '', bo: '' }
  let refreshed: string[]
  let answer: (given: Given) => Promise<Renewed>

  beforeEach(async () => {
    database = await open()
    office = await openOffice(database, handClock())
    await office.ask('POST /identity-providers', {
      name: 'acme',
      issuer: 'https://login.example',
      clientId: 'gate',
      use: { signIn: true },
      onBehalf: {},
    })
    const found = office.identity.providers.byName('acme')
    if (found === undefined) throw new Error('no provider')
    provider = found
    for (const who of ['ana', 'bo'] as const)
      ids[who] = (await office.ask<{ id: string }>('POST /users', { email: `${who}@acme.example` })).id
    refreshed = []
    answer = async given => ({
      ...given,
      access: `access ${refreshed.length}`,
      accessUntil: office.clock.now() + 100_000,
      refresh: `refresh ${refreshed.length}`,
    })
  })

  /** As another process has it. */
  const process = (): ProviderTokens => {
    const refresh = async (_: unknown, given: Given) => {
      refreshed.push(given.refresh ?? '')
      await new Promise(setImmediate)
      return answer(given)
    }
    return openProviderTokens({ database, audit: office.audit, clock: office.clock, seals, refresh })
  }

  const signedIn = async (who: 'ana' | 'bo', given: Partial<Given> = {}) => {
    const { id: sessionId } = await office.identity.sessions.open({ userId: ids[who], method: 'provider' })
    const now = office.clock.now()
    const all = {
      subject: who,
      idUntil: null,
      access: who,
      accessUntil: now + 100_000,
      refresh: 'r',
      ...given,
    }
    const whose = { userId: ids[who], providerId: provider.id }
    await keepGiven(database.kysely, seals, {
      ...whose,
      sessionId,
      providerSession: undefined,
      given: all,
      now,
    })
    return sessionId
  }

  const tokenOf = async (tokens: ProviderTokens, who: 'ana' | 'bo') =>
    (await tokens.of(ids[who], provider, 'access'))?.token.reveal()

  it('is the one of the person, and of the kind that is wanted', async () => {
    await signedIn('ana', { id: 'an ID token' })
    await signedIn('bo')
    const tokens = process()
    expect(await tokenOf(tokens, 'ana')).toBe('ana')
    expect(await tokenOf(tokens, 'bo')).toBe('bo')
    expect((await tokens.of(ids.ana, provider, 'id'))?.token.reveal()).toBe('an ID token')
    expect(String((await tokens.of(ids.ana, provider, 'id'))?.token)).toBe('[secret]')
    await signedIn('ana', { access: 'of the second sign-in' })
    expect(await tokenOf(tokens, 'ana')).toBe('of the second sign-in')
  })

  it('opens as nobody else, wherever it is copied to', async () => {
    await signedIn('ana')
    await signedIn('bo')
    const { sealed } = await database.kysely
      .selectFrom('provider_tokens')
      .select('sealed')
      .where('user_id', '=', ids.ana)
      .executeTakeFirstOrThrow()
    await database.kysely
      .updateTable('provider_tokens')
      .set({ sealed })
      .where('user_id', '=', ids.bo)
      .execute()
    await expect(tokenOf(process(), 'bo')).rejects.toThrow(/cannot be opened/)
    expect(sealed).not.toContain('ana')
  })

  it('is renewed once by two processes that find it ended, and each refresh token is used once', async () => {
    await signedIn('ana')
    const [one, two] = [process(), process()]
    for (let round = 1; round <= 3; round++) {
      office.clock.move(95_000)
      const got = await Promise.all([one, two, one, two].map(each => tokenOf(each, 'ana')))
      expect(got).toEqual(Array(4).fill(`access ${round}`))
    }
    expect(refreshed).toEqual(['r', 'refresh 1', 'refresh 2'])
  })

  it('stays as it was while the provider is away, and is over when it refuses: one event', async () => {
    await signedIn('ana')
    const tokens = process()
    office.clock.move(95_000)
    answer = async () => {
      throw new GatewayError('identity.provider_trouble')
    }
    await expect(tokenOf(tokens, 'ana')).rejects.toThrow(GatewayError)
    expect(await tokens.signedIn(ids.ana, provider, 'access')).toMatchObject({ isUsable: true })
    answer = async () => 'refused'
    expect(await Promise.all([tokens, process()].map(each => tokenOf(each, 'ana')))).toEqual([
      undefined,
      undefined,
    ])
    expect(await tokens.signedIn(ids.ana, provider, 'access')).toMatchObject({ isUsable: false })
    expect(office.audit.events.filter(({ action }) => action === 'identity.sign_in_ended')).toHaveLength(1)
    expect(refreshed).toHaveLength(2)
  })

  it('is to be had no more where the provider renews without an ID token, and nobody is asked for it', async () => {
    await signedIn('ana', { id: 'an ID token', idUntil: office.clock.now() + 90_000 })
    answer = async given => ({ ...given, id: undefined, refresh: 'next', givesNoId: true })
    const tokens = process()
    office.clock.move(95_000)
    expect(await tokens.of(ids.ana, provider, 'id')).toBeUndefined()
    expect(await tokens.signedIn(ids.ana, provider, 'id')).toMatchObject({ isUsable: false })
    expect(await tokens.of(ids.ana, provider, 'id')).toBeUndefined()
    expect(refreshed).toHaveLength(1)
    expect(await tokens.signedIn(ids.ana, provider, 'access')).toMatchObject({ isUsable: true })
  })

  it('is of the later sign-in, where one came while the former was renewed', async () => {
    await signedIn('ana')
    office.clock.move(95_000)
    answer = async given => {
      await signedIn('ana', { access: 'newer' })
      return { ...given, access: 'older', accessUntil: null }
    }
    expect(await tokenOf(process(), 'ana')).toBe('newer')
  })

  it('goes with its browser, with all browsers, and with the person', async () => {
    const { sessions, signIn } = office.identity
    const has = async () => (await process().signedIn(ids.ana, provider, 'access')) !== undefined
    const first = await signedIn('ana')
    const other = await sessions.open({ userId: ids.ana, method: 'passkey' })
    await sessions.end(other.id)
    expect(await has()).toBe(true)
    await sessions.end(first)
    expect(await has()).toBe(false)
    await signedIn('ana')
    const by = {
      caller: office.identity.operator(),
      visitor: { requestId: 'r', address: null, client: null },
    }
    await signIn.endAll({ id: ids.ana, email: 'ana@acme.example' }, by)
    expect(await has()).toBe(false)
    await signedIn('ana')
    await office.ask('PATCH /users/ana@acme.example', { disabled: true })
    expect(await has()).toBe(false)
  })

  it('goes at a sign-out when no session is open that it came in, and stays while one is', async () => {
    const tokens = process()
    const passkey = { userId: ids.ana, method: 'passkey' } as const
    await signedIn('ana')
    const beside = await office.identity.sessions.open(passkey)
    await office.identity.sessions.end(beside.id)
    expect(await tokenOf(tokens, 'ana')).toBe('ana')
    // It is used as long as nobody signs out, whatever becomes of the browser.
    office.clock.move(31 * 60_000)
    expect(await tokens.signedIn(ids.ana, provider, 'access')).toMatchObject({ isUsable: true })
    const later = await office.identity.sessions.open(passkey)
    await office.identity.sessions.end(later.id)
    expect(await tokens.signedIn(ids.ana, provider, 'access')).toBeUndefined()
  })

  it('stays when its person signs out elsewhere at the very moment they sign in', async () => {
    const { sessions } = office.identity
    await signedIn('ana')
    office.clock.move(31 * 60_000)
    const elsewhere = await sessions.open({ userId: ids.ana, method: 'passkey' })
    const given = { subject: 'ana', idUntil: null, access: 'newer', accessUntil: null }
    const whose = { userId: ids.ana, providerId: provider.id, providerSession: undefined }
    const now = office.clock.now()
    let leaving: Promise<void> | undefined
    await database.kysely.transaction().execute(async tx => {
      const { id: sessionId } = await sessions.open({ userId: ids.ana, method: 'provider' }, tx)
      await keepGiven(tx, seals, { ...whose, sessionId, given, now })
      leaving = sessions.end(elsewhere.id)
      // It has come to the row, and waits for it, where transactions run beside each other.
      await rest(200)
    })
    await leaving
    expect(await tokenOf(process(), 'ana')).toBe('newer')
  })

  it('follows its browser when the same person shows once more who they are, and nobody else', async () => {
    const { sessions } = office.identity
    const first = await sessions.open({ userId: ids.ana, method: 'provider' })
    const given = { subject: 'ana', idUntil: null, access: 'ana', accessUntil: null }
    const whose = {
      userId: ids.ana,
      providerId: provider.id,
      sessionId: first.id,
      providerSession: undefined,
    }
    await keepGiven(database.kysely, seals, { ...whose, given, now: office.clock.now() })
    const before = await sessions.find(first.cookie)
    if (before === undefined) throw new Error('no session')
    const again = await sessions.open({ userId: ids.ana, method: 'passkey' })
    await sessions.replace(before, again, database.kysely)
    expect(await tokenOf(process(), 'ana')).toBe('ana')
    const now = await sessions.find(again.cookie)
    if (now === undefined) throw new Error('no session')
    await sessions.replace(now, await sessions.open({ userId: ids.bo, method: 'passkey' }), database.kysely)
    expect(await tokenOf(process(), 'ana')).toBeUndefined()
  })
})
