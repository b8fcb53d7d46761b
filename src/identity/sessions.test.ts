import { expect, it } from 'vitest'
import { z } from 'zod'
import { onEachDatabase } from '../../test/fixtures/databases.ts'
import { openOffice } from '../../test/fixtures/identity.ts'

const minute = 60_000

onEachDatabase(open => {
  async function signedIn() {
    const office = await openOffice(await open())
    const { id: userId } = await office.signIn('ana@example.com')
    const { cookie } = await office.identity.sessions.open({ userId, method: 'passkey' })
    return { office, userId, cookie, sessions: office.identity.sessions }
  }

  it('knows who is signed in', async () => {
    const { cookie, sessions } = await signedIn()
    const session = await sessions.find(cookie)
    expect(session).toMatchObject({ method: 'passkey', principal: { name: 'ana@example.com', kind: 'user' } })
    expect(await sessions.find(undefined)).toBeUndefined()
    expect(await sessions.find('')).toBeUndefined()
    expect(await sessions.find(cookie.replace(/.$/, ''))).toBeUndefined()
  })

  it('T126: ends when idle, after half a day, on sign-out everywhere, and with its user', async () => {
    const { office, cookie, sessions, userId } = await signedIn()
    for (let used = 0; used < 24; used++) {
      office.clock.move(29 * minute)
      expect(await sessions.find(cookie), `after ${used}`).toBeDefined()
    }
    office.clock.move(29 * minute)
    expect(await sessions.find(cookie)).toBeUndefined()
    const idle = await sessions.open({ userId, method: 'passkey' })
    office.clock.move(30 * minute)
    expect(await sessions.find(idle.cookie)).toBeUndefined()
    const two = [
      await sessions.open({ userId, method: 'link' }),
      await sessions.open({ userId, method: 'claim' }),
    ]
    await sessions.endAll(userId)
    for (const { cookie } of two) expect(await sessions.find(cookie)).toBeUndefined()
    const last = await sessions.open({ userId, method: 'passkey' })
    await office.ask('PATCH /users/ana@example.com', { disabled: true })
    expect(await sessions.find(last.cookie)).toBeUndefined()
  })

  it('knows a browser by its one cookie, and nobody by two', async () => {
    const { office, cookie } = await signedIn()
    const { sessionOf, sessionCookie } = office.identity
    const pair = `__Host-gatehouse_session=${cookie}`
    const from = (...cookies: string[]) => sessionOf({ headersDistinct: { cookie: cookies } })
    expect(await from(`a=1; ${pair}; b=2`)).toMatchObject({ principal: { name: 'ana@example.com' } })
    expect(await sessionOf({ headersDistinct: {} })).toBeUndefined()
    expect(await from(`${pair}; ${pair}`)).toBeUndefined()
    expect(await from(pair, 'a=1')).toBeUndefined()
    expect(await from(`gatehouse_session=${cookie}`)).toBeUndefined()
    expect(sessionCookie({ cookie, maxAgeSeconds: 60 })).toBe(
      `${pair}; Path=/; HttpOnly; SameSite=Lax; Max-Age=60; Secure`,
    )
    expect(sessionCookie()).toBe(
      '__Host-gatehouse_session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0; Secure',
    )
  })

  it('keeps no cookie in clear', async () => {
    const { office, cookie } = await signedIn()
    const rows = await office.database.kysely.selectFrom('browser_sessions').selectAll().execute()
    expect(JSON.stringify(rows)).not.toContain(cookie.slice(8, 40))
  })

  it('a flow is good once, for its kind, and in time', async () => {
    const { office } = await signedIn()
    const { flows } = office.identity
    const schema = z.object({ nonce: z.string() })
    const secret = await flows.begin('sign-in', { nonce: 'n' }, { seconds: 600 })
    expect(await flows.take('link', secret, schema)).toBeUndefined()
    expect(await flows.peek('sign-in', secret, schema)).toEqual({ nonce: 'n' })
    const taken = await Promise.all([1, 2, 3].map(() => flows.take('sign-in', secret, schema)))
    expect(taken.filter(what => what !== undefined)).toEqual([{ nonce: 'n' }])
    const late = await flows.begin('sign-in', { nonce: 'n' }, { seconds: 600 })
    office.clock.move(10 * minute)
    expect(await flows.take('sign-in', late, schema)).toBeUndefined()
    const rows = await office.database.kysely.selectFrom('flows').selectAll().execute()
    expect(JSON.stringify(rows)).not.toContain(secret.slice(8, 40))
  })
})
