import { expect, it } from 'vitest'
import { onEachDatabase } from '../../test/fixtures/databases.ts'
import { openOffice, testAddresses, testMasterKey } from '../../test/fixtures/identity.ts'
import { openAnnouncements } from '../foundation/announcements.ts'
import { silentLog } from '../foundation/log.ts'
import { openSeals } from '../vault/index.ts'
import { openIdentity } from './index.ts'
import type { IssuedToken } from './schemas.ts'

const refused = { code: 'identity.claim_refused' }
const email = 'ana@example.com'

onEachDatabase((open, _name, newPlace) => {
  async function claimable() {
    const office = await openOffice(await open())
    const opened = await office.identity.openClaim()
    return { ...office, secret: opened!.secret.reveal(), expiresAt: opened!.expiresAt }
  }

  it('makes the first admin, whose token works', async () => {
    const { ask, audit, principalOf, secret } = await claimable()
    expect(secret).toMatch(/^[\w-]{22}$/)
    const { token } = await ask<IssuedToken>('POST /claim', { secret, email: 'Ana@example.com' })
    expect(await principalOf(token)).toMatchObject({ name: email, role: 'admin' })
    expect(audit.events).toMatchObject([
      { action: 'identity.claim', target: `user:${email}`, who: { kind: 'nobody' } },
    ])
  })

  it('is good once', async () => {
    const { ask, identity, secret } = await claimable()
    await ask('POST /claim', { secret, email })
    await expect(ask('POST /claim', { secret, email: 'bo@example.com' })).rejects.toMatchObject(refused)
    expect(await identity.openClaim()).toBeUndefined()
  })

  it('is good once however many try at the same moment, in two processes', async () => {
    const place = await newPlace()
    const offices = [await openOffice(await open(place)), await openOffice(await open(place))]
    const { secret } = (await offices[0]!.identity.openClaim())!
    const claims = Array.from({ length: 8 }, (_, i) =>
      offices[i % 2]!.identity.claim(secret.reveal(), { email: `u${i}@example.com`, requestId: 'r' }),
    )
    const outcomes = await Promise.allSettled(claims)
    expect(outcomes.filter(outcome => outcome.status === 'fulfilled')).toHaveLength(1)
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject(refused)
    expect(await offices[0]!.ask('GET /users')).toMatchObject({ items: [{ role: 'admin' }] })
  })

  it('refuses wrong secrets, and the right one still works after', async () => {
    const { ask, secret } = await claimable()
    for (const wrong of ['x', `${secret}x`, secret.slice(1), secret.toUpperCase().padEnd(23, 'x')]) {
      await expect(ask('POST /claim', { secret: wrong, email })).rejects.toMatchObject(refused)
    }
    await ask('POST /claim', { secret, email })
  })

  it('is good for 15 minutes', async () => {
    const { ask, clock, expiresAt, secret } = await claimable()
    expect(expiresAt - clock.now()).toBe(15 * 60_000)
    clock.move(15 * 60_000)
    await expect(ask('POST /claim', { secret, email })).rejects.toMatchObject(refused)
    expect(await ask('GET /users')).toMatchObject({ items: [] })
  })

  it('is replaced by the next start', async () => {
    const { ask, identity, secret } = await claimable()
    const next = await identity.openClaim()
    await expect(ask('POST /claim', { secret, email })).rejects.toMatchObject(refused)
    await ask('POST /claim', { secret: next!.secret.reveal(), email })
  })

  it('is over as soon as there is an admin made another way', async () => {
    const { ask, secret } = await claimable()
    await ask('POST /users', { email: 'bo@example.com', role: 'admin' })
    await expect(ask('POST /claim', { secret, email })).rejects.toMatchObject(refused)
  })

  it('makes an admin of somebody who was a member', async () => {
    const { ask, principalOf, secret } = await claimable()
    await ask('POST /users', { email })
    await ask(`PATCH /users/${email}`, { disabled: true })
    const { token } = await ask<IssuedToken>('POST /claim', { secret, email })
    expect(await principalOf(token)).toMatchObject({ role: 'admin' })
  })

  it('is stored as a hash', async () => {
    const { database, secret } = await claimable()
    const facts = await database.kysely.selectFrom('instance_facts').selectAll().execute()
    expect(facts.map(fact => fact.name)).toContain('claim')
    expect(JSON.stringify(facts)).not.toContain(secret)
  })

  it('refuses to open a database that was used with another master key', async () => {
    const office = await openOffice(await open())
    const masterKey = { derive: (label: string) => Buffer.from(`other ${label}`) }
    const { database, audit, clock } = office
    const { seals, sealSecret } = openSeals({ masterKey: testMasterKey })
    const announcements = openAnnouncements()
    const parts = {
      database,
      audit,
      clock,
      masterKey,
      announcements,
      log: silentLog,
      seals,
      sealSecret,
      addresses: testAddresses,
    }
    await expect(openIdentity(parts)).rejects.toMatchObject({ code: 'vault.unsealable' })
  })
})
