import { expect, it } from 'vitest'
import { onEachDatabase } from '../../test/fixtures/databases.ts'
import { openOffice } from '../../test/fixtures/identity.ts'
import { silentLog } from '../foundation/log.ts'
import { remind } from './reminders.ts'
import type { IssuedToken, TokenView } from './schemas.ts'

const day = 86_400_000
type Rotated = IssuedToken & { replaces: { id: string; expiresAt: string } }

onEachDatabase(open => {
  async function withAccount() {
    const office = await openOffice(await open())
    await office.ask('POST /users', { email: 'ana@example.com' })
    await office.ask('POST /accounts', { name: 'nightly', owner: 'user:ana@example.com' })
    const first = await office.tokenFor('account:nightly')
    const rotate = (id: string, body = {}) => office.ask<Rotated>(`POST /tokens/${id}/rotate`, body)
    const works = async (token: string) =>
      !('rejected' in (await office.identity.identify(`Bearer ${token}`, '/mcp')))
    return { office, first, rotate, works }
  }

  it('lets both secrets live until the deadline, then the new one alone', async () => {
    const { office, first, rotate, works } = await withAccount()
    const second = await rotate(first.id, { deadline: '2d', expires: '30d' })
    expect(second).toMatchObject({ kind: 'vat', subject: 'account:nightly', replaces: { id: first.id } })
    expect([await works(first.token), await works(second.token)]).toEqual([true, true])
    office.clock.move(2 * day)
    expect([await works(first.token), await works(second.token)]).toEqual([false, true])
    expect(office.audit.events.at(-1)).toMatchObject({
      action: 'identity.rotate_token',
      target: 'account:nightly',
      detail: { id: first.id, successor: second.id, deadline: '2d' },
    })
  })

  it('never makes an old token live longer', async () => {
    const { office, first, rotate } = await withAccount()
    office.clock.move(89 * day)
    const { replaces } = await rotate(first.id, { deadline: '30d' })
    const { items } = await office.ask<{ items: TokenView[] }>('GET /tokens')
    expect(Date.parse(replaces.expiresAt) - office.clock.now()).toBe(day)
    expect(items.find(({ id }) => id === first.id)?.expiresAt).toBe(replaces.expiresAt)
  })

  it('keeps two of a chain at most', async () => {
    const { office, first, rotate } = await withAccount()
    const second = await rotate(first.id)
    const conflict = { code: 'http.conflict' }
    await expect(rotate(first.id)).rejects.toMatchObject(conflict)
    await expect(rotate(second.id)).rejects.toMatchObject({
      ...conflict,
      fix: expect.stringContaining(first.id),
    })
    await office.ask(`DELETE /tokens/${first.id}`)
    const third = await rotate(second.id)
    await office.ask(`DELETE /tokens/${third.id}`)
    await expect(rotate(third.id)).rejects.toMatchObject(conflict)
  })

  it('is for who may handle the token, and says nothing to others', async () => {
    const { office, first } = await withAccount()
    const ana = await office.signIn('cho@example.com')
    await expect(office.ask(`POST /tokens/${first.id}/rotate`, {}, ana)).rejects.toMatchObject({
      code: 'identity.unknown',
    })
    const events = office.audit.events.length
    await expect(office.ask('POST /tokens/none/rotate', {})).rejects.toMatchObject({
      code: 'identity.unknown',
    })
    expect(office.audit.events).toHaveLength(events)
  })

  it('lists what expires soon and what nobody uses', async () => {
    const { office, first, rotate } = await withAccount()
    const short = await office.tokenFor('user:ana@example.com', '12d')
    const ids = async (query: string) => {
      const { items } = await office.ask<{ items: TokenView[] }>(`GET /tokens?${query}`)
      return items.map(({ id }) => id)
    }
    expect(await ids('expiring=14d')).toEqual([short.id])
    expect(await ids('unused=5d')).toEqual([])
    office.clock.move(5 * day)
    expect((await ids('unused=5d')).sort()).toEqual([first.id, short.id].sort())
    office.clock.move(2 * day)
    expect(await office.identity.expiringTokens(5)).toMatchObject([
      { id: short.id, subject: 'user:ana@example.com' },
    ])
    await rotate(short.id)
    expect(await office.identity.expiringTokens(5)).toEqual([])
    expect(await office.ask('GET /tokens?expiring=1d')).toMatchObject({ items: [], why: expect.any(String) })
  })

  it('reminds once for each threshold, whichever process looks first', async () => {
    const { office, first } = await withAccount()
    const parts = { kysely: office.database.kysely, audit: office.audit, clock: office.clock, log: silentLog }
    const reminded = async () => {
      const before = office.audit.events.length
      await Promise.all([remind(parts), remind(parts)])
      return office.audit.events.slice(before)
    }
    expect(await reminded()).toEqual([])
    for (const days of [76, 11, 2]) {
      office.clock.move(days * day)
      expect(await reminded(), `after ${days} more days`).toMatchObject([
        { action: 'identity.token_expires_soon', target: 'account:nightly', detail: { id: first.id } },
      ])
      expect(await reminded()).toEqual([])
    }
  })
})
