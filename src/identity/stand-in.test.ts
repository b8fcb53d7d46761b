import { expect, it } from 'vitest'
import { onEachDatabase } from '../../test/fixtures/databases.ts'
import { openRooms } from '../../test/fixtures/rooms.ts'

onEachDatabase(open => {
  async function office() {
    const rooms = await openRooms(await open())
    await rooms.ask('POST /users', { email: 'ana@x.io' })
    await rooms.ask('POST /teams', { name: 'crew', members: ['ana@x.io'] })
    await rooms.ask('POST /accounts', { name: 'robot', owner: 'user:ana@x.io' })
    return rooms
  }

  it('is whom a token would stand for', async () => {
    const { identity, ask } = await office()
    for (const [subject, body] of [
      ['user:ana@x.io', { user: 'ana@x.io' }],
      ['account:robot', { account: 'robot' }],
    ] as const) {
      const { token } = await ask<{ token: string }>('POST /tokens', body)
      const known = await identity.identify(`Bearer ${token}`, 'api')
      const found = await identity.standInOf(subject)
      expect({ ...found?.caller, tokenId: 't' }).toEqual({ ...known, tokenId: 't' })
      expect(found?.refused).toBeUndefined()
    }
  })

  it('says why tokens are refused, and nothing of who is not there', async () => {
    const { identity, ask } = await office()
    await ask('PATCH /users/ana@x.io', { disabled: true })
    expect((await identity.standInOf('user:ana@x.io'))?.refused).toContain('disabled')
    expect((await identity.standInOf('account:robot'))?.refused).toContain('owner')
    expect(await identity.standInOf('user:bo@x.io')).toBeUndefined()
    expect(await identity.standInOf('account:other')).toBeUndefined()
    expect([await identity.hasTeam('crew'), await identity.hasTeam('ghosts')]).toEqual([true, false])
  })

  it('is as a transaction has it', async () => {
    const { identity, database } = await office()
    const teams = await database.change(async tx => {
      await identity.putTeam(tx, { name: 'crew', members: [] })
      return (await identity.standInOf('user:ana@x.io', tx))?.caller.subjects
    })
    expect(teams).toEqual(['user:ana@x.io', 'everyone'])
  })
})
