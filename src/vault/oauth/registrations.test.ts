/** What the gateway registers itself as: once, and taken back when nobody uses it any more. */

import type { DatabaseSync } from 'node:sqlite'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Connecting, openConnecting } from '../../../test/fixtures/connecting.ts'
import { openDatabaseFile } from '../../../test/fixtures/database-file.ts'

let yard: Connecting

beforeAll(async () => {
  yard = await openConnecting(['ana', 'bo'])
})

afterAll(() => yard.stop())

afterEach(() => yard.tidy())

const clients = () =>
  inDatabase(database => database.prepare('select client_id from upstream_clients').all().length)

function inDatabase<T>(work: (database: DatabaseSync) => T): T {
  const database = openDatabaseFile(yard.gateway.dataDir)
  try {
    return work(database)
  } finally {
    database.close()
  }
}

/** The last client of the gateway there. */
const last = () => `client-${yard.there.registered.length}`
const takenBack = () => yard.there.unregistered.map(({ client }) => client)

describe('a registration', () => {
  it('is one, however many come at once', async () => {
    const server = await yard.register()
    const before = yard.there.registered.length
    const pages = await Promise.all([yard.connect('ana', server), yard.connect('bo', server)])
    expect(pages.map(({ status }) => status)).toEqual([200, 200])
    expect(yard.there.registered.length - before).toBe(1)
  })

  it('is taken back when its server is removed, with the token that was given for that', async () => {
    const server = await yard.register()
    await yard.connect('ana', server)
    const [client, kept] = [last(), clients()]
    await yard.gateway.operator(`DELETE /servers/${server}`)
    const token = `Bearer registration-token-of-${client}`
    await expect.poll(() => yard.there.unregistered.at(-1)).toEqual({ client, token })
    expect(clients()).toBe(kept - 1)
  })

  it('is taken back when tokens come from another issuer, and only then', async () => {
    const [server, other] = [await yard.register(), await yard.register()]
    await yard.connect('ana', server)
    const client = last()
    await yard.connect('ana', other)
    const { operator } = yard.gateway
    await operator(`PATCH /servers/${server}`, { auth: { kind: 'oauth2', issuer: yard.there.origin } })
    await operator(`DELETE /servers/${other}`)
    await expect.poll(takenBack).toContain(last())
    expect(takenBack()).not.toContain(client)
    await operator(`PATCH /servers/${server}`, { auth: { kind: 'oauth2', issuer: 'https://other.example' } })
    await expect.poll(takenBack).toContain(client)
    expect(await yard.events('vault.unregister', server)).toMatchObject([
      { outcome: 'ok', detail: { issuer: yard.there.origin, clientId: client } },
    ])
  })

  it('that nobody used for a day is taken back; one that somebody is connected with is not', async () => {
    const [idle, used] = [await yard.register(), await yard.register()]
    await yard.connect('ana', idle)
    const forgotten = last()
    await yard.connect('ana', used)
    const { id } = await yard.connection('ana', idle)
    await yard.gateway.operator(`DELETE /connections/${id}`)
    await expect.poll(() => yard.there.revoked.length).toBe(2)
    const long = Date.now() - 25 * 3_600_000
    inDatabase(database => database.prepare('update upstream_clients set used_at = ?').run(long))
    await yard.gateway.operator('POST /users', { email: 'somebody@example.com' })
    await expect.poll(takenBack).toContain(forgotten)
    expect(takenBack()).not.toContain(last())
  })

  it('that does not say well how to take it back is of use all the same, and nothing is asked there in the end', async () => {
    const [told, kept] = [yard.there.unregistered.length, clients()]
    const servers: string[] = []
    for (const more of [
      { registration_client_uri: undefined },
      { registration_client_uri: 'javascript:alert(1)' },
      { registration_client_uri: 'http://example.com/register/1' },
      { registration_access_token: 'a\r\nHost: x' },
      { registration_client_uri: 7, registration_access_token: {} },
    ]) {
      yard.there.manners.registration = answer => ({ ...answer, ...more })
      const server = await yard.register()
      expect((await yard.connect('ana', server)).text).toContain('is connected')
      servers.push(server)
    }
    for (const server of servers) await yard.gateway.operator(`DELETE /servers/${server}`)
    await expect.poll(clients).toBe(kept)
    expect(yard.there.unregistered.length).toBe(told)
  })

  it.each([
    ['no client_id', { client_id: undefined }],
    ['a client_id with a control character', { client_id: 'a\nb' }],
    ['a client_id that is a number', { client_id: 7 }],
    ['a secret that is an object', { client_secret: {} }],
    ['a secret with a line break', { client_secret: 'a\r\nb' }],
    ['a way to authenticate that was not asked for', { token_endpoint_auth_method: 'tls_client_auth' }],
  ])('with %s is not kept', async (_, more) => {
    yard.there.manners.registration = answer => ({ ...answer, ...more })
    const server = await yard.register()
    const kept = clients()
    expect((await yard.connect('ana', server)).status).toBe(502)
    expect(clients()).toBe(kept)
  })
})
