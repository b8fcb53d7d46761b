import { expect, it } from 'vitest'
import { onEachDatabase } from '../../test/fixtures/databases.ts'
import { openOffice } from '../../test/fixtures/identity.ts'
import type { DeclaredPeople } from './index.ts'

const people: DeclaredPeople = {
  identityProviders: [],
  users: [
    { email: 'ana@example.com', role: 'admin' },
    { email: 'bo@example.com', role: 'member' },
  ],
  teams: [{ name: 'red', members: ['ana@example.com', 'bo@example.com'] }],
  virtualAccounts: [{ name: 'nightly', owner: 'user:ana@example.com' }, { name: 'weekly' }],
}

onEachDatabase(open => {
  async function declaring() {
    const { identity, database } = await openOffice(await open())
    const declare = ({ users, teams, virtualAccounts }: DeclaredPeople) =>
      database.change(async tx => {
        for (const user of users) await identity.putUser(tx, user)
        for (const team of teams) await identity.putTeam(tx, team)
        for (const account of virtualAccounts) await identity.putAccount(tx, account)
      })
    return { identity, database, declare }
  }

  it('reads back what was declared, sorted, and again after declaring it twice', async () => {
    const { identity, declare } = await declaring()
    await declare({
      ...people,
      users: people.users.toReversed(),
      virtualAccounts: people.virtualAccounts.toReversed(),
    })
    expect(await identity.readDeclared()).toEqual(people)
    await declare(people)
    expect(await identity.readDeclared()).toEqual(people)
  })

  it('changes roles, members and owners to what is declared now', async () => {
    const { identity, declare } = await declaring()
    await declare(people)
    const next: DeclaredPeople = {
      identityProviders: [],
      users: [people.users[0]!, { email: 'bo@example.com', role: 'auditor' }],
      teams: [{ name: 'red', members: ['bo@example.com'] }],
      virtualAccounts: [{ name: 'nightly' }, { name: 'weekly', owner: 'user:bo@example.com' }],
    }
    await declare(next)
    expect(await identity.readDeclared()).toEqual(next)
  })

  it('reads inside the transaction, and leaves nothing when it fails', async () => {
    const { identity, database } = await declaring()
    const work = database.change(async tx => {
      await identity.putUser(tx, people.users[0]!)
      expect((await identity.readDeclared(tx)).users).toHaveLength(1)
      await identity.putTeam(tx, { name: 'red', members: ['nobody@example.com'] })
    })
    await expect(work).rejects.toMatchObject({ code: 'identity.unknown' })
    expect(await identity.readDeclared()).toEqual({
      identityProviders: [],
      users: [],
      teams: [],
      virtualAccounts: [],
    })
  })

  it('removes accounts, teams and users, but not the last admin', async () => {
    const { identity, database, declare } = await declaring()
    await declare(people)
    await database.change(async tx => {
      await identity.removeAccount(tx, 'nightly')
      await identity.removeTeam(tx, 'red')
      await identity.removeUser(tx, 'bo@example.com')
    })
    expect(await identity.readDeclared()).toEqual({
      identityProviders: [],
      users: [{ email: 'ana@example.com', role: 'admin' }],
      teams: [],
      virtualAccounts: [{ name: 'weekly' }],
    })
    const last = database.change(tx => identity.removeUser(tx, 'ana@example.com'))
    await expect(last).rejects.toMatchObject({ code: 'http.conflict' })
    const demoted = database.change(tx => identity.putUser(tx, { email: 'ana@example.com', role: 'member' }))
    await expect(demoted).rejects.toMatchObject({ code: 'http.conflict' })
  })
})
