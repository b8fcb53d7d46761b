import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type GatewayInside, openGatewayInside } from '../../test/fixtures/gateway-inside.ts'
import { call } from '../../test/fixtures/http-call.ts'
import { inEra } from '../../test/fixtures/mcp-call.ts'
import { type Browser, roomOf, signedInBrowser } from '../../test/fixtures/oauth-browser.ts'
import {
  authorizeUrl,
  challengeOf,
  login,
  newVerifier,
  redeem,
  refresh,
  register,
  returned,
  someClient,
  type Tokens,
} from '../../test/fixtures/oauth-client.ts'
import { type PostgresServer, startPostgres } from '../../test/fixtures/postgres-server.ts'

type Pair = {
  /** Two gateways over one database, or one twice. */
  readonly gateways: readonly [GatewayInside, GatewayInside]
  readonly place: { readonly dataDir: string; readonly databaseUrl?: string }
  stop(): Promise<void>
}

async function twoOnPostgres(): Promise<Pair> {
  const server: PostgresServer = await startPostgres()
  const databaseUrl = await server.createDatabase()
  const environment = { DATABASE_URL: databaseUrl }
  const first = await openGatewayInside({ environment })
  const second = await openGatewayInside({ environment, beside: first })
  return {
    gateways: [first, second],
    place: { dataDir: first.dataDir, databaseUrl },
    async stop() {
      await first.stop()
      await second.stop()
      await server.stop()
    },
  }
}

async function oneOnSqlite(): Promise<Pair> {
  const gateway = await openGatewayInside()
  return { gateways: [gateway, gateway], place: gateway, stop: gateway.stop }
}

describe.each([
  ['two gateways over one PostgreSQL', twoOnPostgres],
  ['one gateway on SQLite', oneOnSqlite],
])('%s', (_, open) => {
  let pair: Pair
  let browser: Browser
  /** The same client may ask either gateway: its issuer is that of the first. */
  let issuer: string

  beforeAll(async () => {
    pair = await open()
    issuer = pair.gateways[0].url
    await pair.gateways[0].operator('POST /users', { email: 'ana@example.com' })
    browser = await signedInBrowser(pair.place, 'ana@example.com')
  })
  afterAll(() => pair.stop())

  const at = (n: number) => pair.gateways[n % 2 === 0 ? 0 : 1].url
  const isGood = async (token: string, n = 0) => {
    const asked = { ...inEra('stateless', { id: 1, method: 'tools/list' }), token }
    return (await call(`${at(n)}/mcp`, asked)).status === 200
  }
  const isDeadSoon = (token: string, n: number) =>
    expect.poll(() => isGood(token, n), { interval: 100 }).toBe(false)

  async function code() {
    const client_id = await someClient(issuer)
    const code_verifier = newVerifier()
    const question = { client_id, resource: `${issuer}/mcp`, code_challenge: challengeOf(code_verifier) }
    const page = await browser.go(authorizeUrl(issuer, question))
    const done = await browser.submit(page, { decision: 'approve' })
    return { client_id, code_verifier, code: returned(done).get('code') ?? '' }
  }

  it('T024: a code is good once, and what came of it dies with a second use, everywhere', async () => {
    const asked = await code()
    const first = await redeem(at(0), asked)
    expect(first.status).toBe(200)
    expect(await isGood(first.body.access_token, 1)).toBe(true)
    expect(await redeem(at(1), asked)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
    for (const n of [0, 1]) await isDeadSoon(first.body.access_token, n)
    const { refresh_token } = first.body
    expect((await refresh(at(0), { refresh_token, client_id: asked.client_id })).body.error).toBe(
      'invalid_grant',
    )
  })

  it('T025: of 20 parallel uses of a code exactly one succeeds', async () => {
    const asked = await code()
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => redeem(at(n), asked)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(new Set(answers.map(({ body }) => body.error))).toEqual(new Set([undefined, 'invalid_grant']))
  })

  it('T026: a code is for its client, its redirect and its resource', async () => {
    const asked = await code()
    const other = (await register(issuer)).body.client_id
    expect((await redeem(at(0), { ...asked, client_id: other })).body.error).toBe('invalid_grant')
    expect((await redeem(at(0), { ...asked, redirect_uri: 'http://127.0.0.1:1/other' })).body.error).toBe(
      'invalid_grant',
    )
    expect((await redeem(at(0), { ...asked, resource: `${issuer}/mcp/a/b` })).body.error).toBe(
      'invalid_target',
    )
  })

  it('T021, T027: the verifier is asked for, and compared', async () => {
    for (const code_verifier of ['', newVerifier(), 'a'.repeat(42), 'a'.repeat(129)]) {
      const asked = await code()
      const { status, body } = await redeem(at(0), { ...asked, code_verifier })
      expect([status, ['invalid_grant', 'invalid_request'].includes(body.error ?? '')]).toEqual([400, true])
    }
  })

  it('T029: a refresh repeated by its client gets the same answer, at whichever gateway', async () => {
    const { clientId: client_id, tokens } = await login(issuer, browser)
    const asked = { client_id, refresh_token: tokens.refresh_token }
    const first = await refresh(at(0), asked)
    expect(first).toMatchObject({ status: 200, body: { scope: 'mcp:use' } })
    expect(first.body.refresh_token).not.toBe(tokens.refresh_token)
    for (const n of [0, 1, 1]) expect(await refresh(at(n), asked)).toEqual(first)
    const next = await refresh(at(1), { client_id, refresh_token: first.body.refresh_token })
    expect(next.status).toBe(200)
    expect(await isGood(next.body.access_token, 0)).toBe(true)
  })

  it('T029: brought by another client, it ends everything', async () => {
    const { tokens } = await login(issuer, browser)
    const thief = (await register(issuer)).body.client_id
    const stolen = await refresh(at(0), { client_id: thief, refresh_token: tokens.refresh_token })
    expect(stolen).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
    for (const n of [0, 1]) await isDeadSoon(tokens.access_token, n)
  })

  it('T028: used again after the grace, it ends everything, and the audit says so', async () => {
    const { clientId: client_id, tokens } = await login(issuer, browser)
    const asked = { client_id, refresh_token: tokens.refresh_token }
    const next = (await refresh(at(0), asked)).body
    const { database, close } = await roomOf(pair.place)
    await database.kysely
      .updateTable('oauth_artifacts')
      .set(row => ({ consumed_at: row('consumed_at', '-', 11_000) }))
      .where('consumed_at', 'is not', null)
      .execute()
    await close()
    expect(await refresh(at(1), asked)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
    for (const n of [0, 1]) await isDeadSoon(next.access_token, n)
    expect((await refresh(at(0), { client_id, refresh_token: next.refresh_token })).body.error).toBe(
      'invalid_grant',
    )
    const { items } = await pair.gateways[1].operator<{
      items: { action: string; detail: { why?: string } }[]
    }>('GET /audit?limit=50')
    expect(
      items.filter(({ action }) => action === 'oauth.revoke_grant').map(({ detail }) => detail.why),
    ).toContain('a refresh token was used a second time')
    // Its person is told, until they say that they have seen it.
    const page = await browser.go(`${issuer}/account`)
    expect(page.text).toContain('was given to act for you was used twice')
    const seen = /action="(\/account\/notices\/[^"]+)"/.exec(page.text)?.[1] ?? ''
    const form_token = /name="form_token" value="([^"]+)"/.exec(page.text)?.[1] ?? ''
    const post = { method: 'POST', body: new URLSearchParams({ form_token }), headers: { origin: issuer } }
    const count = (text: string) => text.split('was used twice').length - 1
    const after = await browser.go(`${issuer}${seen}`, post)
    expect(count(after.text)).toBe(count(page.text) - 1)
  })

  it('T031: a refresh stays with its resource and scope', async () => {
    const { clientId: client_id, tokens } = await login(issuer, browser, { scope: 'mcp:read' })
    const asked = { client_id, refresh_token: tokens.refresh_token }
    expect((await refresh(at(0), { ...asked, resource: `${issuer}/mcp/lab/echo` })).body.error).toBe(
      'invalid_target',
    )
    expect((await refresh(at(0), { ...asked, scope: 'mcp:use' })).body.error).toBe('invalid_scope')
    expect((await refresh(at(0), asked)).body.scope).toBe('mcp:read')
  })

  it('T030: whatever is refreshed in parallel, one family lives and every token that was given works', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 3 }),
        async rounds => {
          const { clientId: client_id, tokens } = await login(issuer, browser)
          let current: Tokens = tokens
          for (const parallel of rounds) {
            const asked = { client_id, refresh_token: current.refresh_token }
            const answers = await Promise.all(
              Array.from({ length: parallel }, (_, n) => refresh(at(n), asked)),
            )
            expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
            expect(new Set(answers.map(({ body }) => body.refresh_token)).size).toBe(1)
            current = answers[0]?.body ?? current
            expect(await Promise.all([0, 1].map(n => isGood(current.access_token, n)))).toEqual([true, true])
          }
        },
      ),
      { numRuns: 8 },
    )
  }, 60_000)
})
