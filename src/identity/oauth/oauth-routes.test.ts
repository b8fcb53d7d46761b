import { describe, expect, it } from 'vitest'
import { onEachDatabase } from '../../../test/fixtures/databases.ts'
import { openOffice } from '../../../test/fixtures/identity.ts'

onEachDatabase(open => {
  const office = async () => openOffice(await open())
  const client = { name: 'desk', redirectUris: ['https://desk.example.com/callback'] }

  describe('OAuth clients of the company', () => {
    it('are made, shown, changed and removed; a secret is shown once and kept sealed', async () => {
      const { ask, database, audit } = await office()
      const made = await ask<{ secret: string }>('POST /oauth-clients', {
        ...client,
        title: 'Desk',
        authentication: 'secret',
      })
      expect(made).toMatchObject({ clientId: 'desk', title: 'Desk', registeredBy: 'company', usedAt: null })
      expect(made.secret).toMatch(/^gth_ocs_/)
      expect(await ask('GET /oauth-clients/desk')).not.toHaveProperty('secret')
      const rows = await database.kysely.selectFrom('oauth_clients').selectAll().execute()
      expect(JSON.stringify(rows)).not.toContain(made.secret.slice(8, 40))
      const renewed = await ask<{ secret: string }>('POST /oauth-clients/desk/secret')
      expect(renewed.secret).not.toBe(made.secret)
      await ask('PUT /oauth-clients/desk', { ...client, redirectUris: ['http://127.0.0.1/cb'] })
      expect(await ask('GET /oauth-clients')).toMatchObject({
        items: [{ redirectUris: ['http://127.0.0.1/cb'] }],
      })
      await ask('DELETE /oauth-clients/desk')
      expect(await ask('GET /oauth-clients')).toEqual({
        items: [],
        why: 'No OAuth client is registered yet.',
      })
      expect(audit.events.map(event => event.action)).toEqual([
        'identity.create_oauth_client',
        'identity.renew_secret_of_oauth_client',
        'identity.update_oauth_client',
        'identity.delete_oauth_client',
      ])
    })

    it.each([
      'javascript:alert(1)',
      'http://desk.example.com/cb',
      'https://desk.example.com/cb#x',
      'https://*.example.com/cb',
      'https://ana@desk.example.com/cb',
      'http://localhost.evil.test/cb',
      'data:text/html,x',
    ])('are never answered at %s', async uri => {
      const { ask } = await office()
      await expect(ask('POST /oauth-clients', { ...client, redirectUris: [uri] })).rejects.toThrow()
      expect(await ask('GET /oauth-clients')).toMatchObject({ items: [] })
    })
  })

  describe('signing keys', () => {
    it('are made once, renewed by age, and the old ones stay for as long as they can matter', async () => {
      const { identity, clock, database } = await office()
      const [first, again] = await Promise.all([identity.oauth.keys.current(), identity.oauth.keys.current()])
      expect(first.map(key => key.alg).toSorted()).toEqual(['ES256', 'RS256'])
      expect(again.map(({ kid }) => kid)).toEqual(first.map(({ kid }) => kid))
      const rows = await database.kysely.selectFrom('oauth_keys').selectAll().execute()
      expect(JSON.stringify(rows)).not.toContain(String(first[0]?.d))
      clock.move(91 * 86_400_000)
      const renewed = await identity.oauth.keys.current()
      expect(renewed).toHaveLength(4)
      expect(
        renewed
          .slice(2)
          .map(({ kid }) => kid)
          .toSorted(),
      ).toEqual(first.map(({ kid }) => kid).toSorted())
      clock.move(3 * 86_400_000)
      await identity.oauth.keys.rotate({ caller: identity.operator(), requestId: 'r' })
      const kids = (await identity.oauth.keys.current()).map(({ kid }) => kid)
      expect(kids).toHaveLength(4)
      expect(kids).not.toContain(first[0]?.kid)
    })
  })
})
