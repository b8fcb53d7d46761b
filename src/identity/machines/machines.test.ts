import { describe, expect, it } from 'vitest'
import { onEachDatabase } from '../../../test/fixtures/databases.ts'
import { openOffice } from '../../../test/fixtures/identity.ts'
import { isRejection } from '../principal.ts'
import { newToken } from '../token-format.ts'
import { accountOfClient, clientIdOf } from './credentials.ts'
import type { IssuedSecret } from './views.ts'

const hour = 3_600_000
const day = 24 * hour
const path = '/mcp/lab/echo'

onEachDatabase(open => {
  async function house() {
    const office = await openOffice(await open())
    await office.ask('POST /accounts', { name: 'ci' })
    const first = await office.ask<IssuedSecret>('POST /accounts/ci/secrets', { expires: '30d' })
    const { machines, artifacts } = office.identity.oauth
    const find = async () => {
      const machine = await machines.find('account.ci')
      if (machine === undefined) throw new Error('no machine')
      return machine
    }
    /** A token that was given for the secret, as the authorization server keeps it. */
    const given = async (secretId: string) => {
      const token = newToken('oat')
      const ground = { by: 'secret', id: secretId }
      const payload = { aud: `https://gate.example${path}`, scope: 'mcp:use', clientId: 'account.ci', ground }
      const accountId = (await find()).id
      await artifacts.put('ClientCredentials', token, {
        payload,
        accountId,
        expiresAt: office.clock.now() + 60 * day,
      })
      return token
    }
    const isGood = async (token: string) =>
      !isRejection(await office.identity.identify(`Bearer ${token}`, path))
    return { ...office, first, find, given, isGood, machines }
  }

  it('two secrets are good until the deadline of the older, and tokens as long as theirs', async () => {
    const { ask, first, find, given, isGood, machines, clock } = await house()
    const next = await ask<IssuedSecret>('POST /accounts/ci/secrets/rotate', {
      deadline: '2h',
      expires: '30d',
    })
    const known = async () =>
      Promise.all([first, next].map(async ({ secret }) => machines.secret(await find(), secret)))
    expect(await known()).toEqual([first.id, next.id])
    const tokens = [await given(first.id), await given(next.id)]
    expect(await Promise.all(tokens.map(isGood))).toEqual([true, true])
    clock.move(2 * hour)
    expect(await known()).toEqual([undefined, next.id])
    expect(await Promise.all(tokens.map(isGood))).toEqual([false, true])
    const third = await ask<IssuedSecret>('POST /accounts/ci/secrets/rotate', {})
    expect(third.id).not.toBe(next.id)
  })

  it('a secret is of one account only, and ends by itself', async () => {
    const { ask, first, find, machines, clock } = await house()
    await ask('POST /accounts', { name: 'other' })
    const other = await machines.find('account.other')
    if (other === undefined) throw new Error('no machine')
    expect(await machines.secret(other, first.secret)).toBeUndefined()
    clock.move(30 * day)
    expect(await machines.secret(await find(), first.secret)).toBeUndefined()
    await ask('POST /accounts/ci/secrets', {})
  })

  it('is in the audit with who made, rotated and revoked it, and never with its text', async () => {
    const { ask, first, audit } = await house()
    const next = await ask<IssuedSecret>('POST /accounts/ci/secrets/rotate', {})
    await ask(`DELETE /accounts/ci/secrets/${first.id}`)
    const told = audit.events.filter(({ action }) => action.includes('account_secret'))
    expect(told.map(({ action, target }) => [action, target])).toEqual([
      ['identity.create_account_secret', 'account:ci'],
      ['identity.rotate_account_secret', 'account:ci'],
      ['identity.revoke_account_secret', 'account:ci'],
    ])
    for (const { secret } of [first, next]) expect(JSON.stringify(audit.events)).not.toContain(secret)
  })

  it('a proof is remembered by the database: of all who bring it, one is first', async () => {
    const { identity, clock } = await house()
    const { artifacts } = identity.oauth
    const asked = Array.from({ length: 10 }, () => artifacts.once('replay', 'x', clock.now() + hour))
    expect((await Promise.all(asked)).filter(isFirst => isFirst)).toHaveLength(1)
  })
})

describe('the client_id of a virtual account', () => {
  it('names it, and nothing else names one', () => {
    expect(accountOfClient(clientIdOf('ci'))).toBe('ci')
    for (const other of [
      'ci',
      'dcr_ci',
      'account.',
      'account.CI',
      'account.-ci',
      'account.a.b',
      'https://a/account.ci',
    ])
      expect(accountOfClient(other)).toBeUndefined()
  })
})
