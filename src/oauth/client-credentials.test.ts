import { exportJWK } from 'jose'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { openGatewayInside } from '../../test/fixtures/gateway-inside.ts'
import { call } from '../../test/fixtures/http-call.ts'
import { LAB, OTHER, openYard, type Secret, type Yard } from '../../test/fixtures/machine-yard.ts'
import {
  type Asking,
  askToken,
  basic,
  clientAssertion,
  type KeyPair,
  keyPair,
  type TokenAnswer,
} from '../../test/fixtures/machines.ts'

let yard: Yard
let made: Secret
const key = keyPair('k1')
const later = keyPair('k2')

beforeAll(async () => {
  yard = await openYard({ isPair: true })
  const { operator } = yard.gateway
  made = await operator<Secret>('POST /accounts/ci/secrets', {})
  await operator('PUT /accounts/ci/credentials', { keys: [key.jwk, later.jwk] })
})

afterAll(() => yard.stop())

const resource = () => yard.gateway.url + LAB

function bySecret(secret: string, more: Asking = {}, at = yard.gateway): Promise<TokenAnswer> {
  const fields = { grant_type: 'client_credentials', resource: resource(), ...more }
  return askToken(at.url, fields, basic('account.ci', secret))
}

async function byKey(
  pair: KeyPair,
  how: { signing?: object; audience?: string | string[]; id?: string } = {},
) {
  const { signing = {}, audience = yard.gateway.url, id = 'account.ci' } = how
  return send(await clientAssertion(id, audience, pair, signing))
}

function send(client_assertion: string, more: Asking = {}, at = yard.gateway): Promise<TokenAnswer> {
  return askToken(at.url, {
    grant_type: 'client_credentials',
    resource: resource(),
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion,
    ...more,
  })
}

async function expectRefused(answer: TokenAnswer, status: number, error: string): Promise<void> {
  expect([answer.status, answer.body.error]).toEqual([status, error])
  expect(answer.body).not.toHaveProperty('access_token')
  const [event] = await yard.told()
  expect(event).toMatchObject({ outcome: 'rejected', error })
}

const dies = (token: string) => yard.dies(LAB, token)

describe('a virtual account with a secret', () => {
  it('gets a token for the resource, and is who the call is by', async () => {
    expect(made).toMatchObject({ clientId: 'account.ci', secret: expect.stringMatching(/^gth_ocs_/) })
    const { body } = await bySecret(made.secret)
    expect(body).toEqual({
      access_token: expect.stringMatching(/^gth_oat_/),
      token_type: 'Bearer',
      expires_in: 900,
      scope: 'mcp:use',
    })
    // The other process hears of new servers within a second.
    for (const at of [yard.gateway, yard.beside])
      await vi.waitFor(async () =>
        expect((await yard.initialize(LAB, { token: body.access_token, at })).status).toBe(200),
      )
    const [event] = await yard.told()
    expect(event).toMatchObject({
      outcome: 'ok',
      target: 'oauth-client:account.ci',
      who: { kind: 'account', name: 'ci' },
    })
    const { items } = await yard.gateway.operator<{ items: { who: object }[] }>(
      'GET /audit?limit=1&action=initialize',
    )
    expect(items[0]?.who).toMatchObject({ kind: 'account', name: 'ci' })
  })

  it('T011: is refused everywhere else, the management API included', async () => {
    const token = (await bySecret(made.secret)).body.access_token
    for (const path of [OTHER, '/mcp']) expect((await yard.initialize(path, { token })).status).toBe(401)
    for (const path of ['/api/v1/me', '/api/v1/accounts', '/scim/v2/Users'])
      expect((await call(yard.gateway.url + path, { token })).status).toBe(401)
  })

  it('has the scopes it asks for, and no others', async () => {
    const narrow = { scope: 'mcp:read:lab/echo mcp:admin', resource: `${yard.gateway.url}/mcp` }
    expect((await bySecret(made.secret, narrow)).body.scope).toBe('mcp:read:lab/echo')
    await expectRefused(await bySecret(made.secret, { scope: 'openid everything' }), 400, 'invalid_scope')
  })

  it.each([
    ['no resource', undefined],
    ['a resource of somebody else', 'https://elsewhere.example/mcp/lab/echo'],
    ['a resource that is no MCP address', '/api/v1'],
  ])('T041: %s is no target', async (_, wanted) => {
    const asked = wanted?.startsWith('/') ? yard.gateway.url + wanted : wanted
    await expectRefused(await bySecret(made.secret, { resource: asked }), 400, 'invalid_target')
  })

  it('T041: a wrong secret, one of nobody and none at all look the same', async () => {
    const wrong = made.secret.replace(/.$/, last => (last === 'a' ? 'b' : 'a'))
    const answers = [
      await bySecret(wrong),
      await askToken(
        yard.gateway.url,
        { grant_type: 'client_credentials', resource: resource() },
        basic('account.nobody', made.secret),
      ),
      await askToken(
        yard.gateway.url,
        { grant_type: 'client_credentials', resource: resource() },
        basic('account.nobody', wrong),
      ),
    ]
    for (const answer of answers) expect(answer.body).toEqual(answers[0]?.body)
    for (const answer of answers) await expectRefused(answer, 401, 'invalid_client')
    for (const client_id of ['account.ci', 'account.nobody'])
      await expectRefused(
        await askToken(yard.gateway.url, {
          grant_type: 'client_credentials',
          resource: resource(),
          client_id,
        }),
        400,
        'invalid_request',
      )
  })

  it.each(['password', 'implicit', 'authorization_code', 'urn:ietf:params:oauth:grant-type:saml2-bearer'])(
    'T041: grant_type=%s is refused',
    async grant_type => {
      const { status, body } = await bySecret(made.secret, { grant_type })
      expect([status, body.access_token]).toEqual([400, undefined])
    },
  )

  it('T041: a client of people gets none for itself', async () => {
    const client = { name: 'portal', redirectUris: ['https://portal.example/cb'], authentication: 'secret' }
    const { secret } = await yard.gateway.operator<{ secret: string }>('POST /oauth-clients', client)
    const fields = { grant_type: 'client_credentials', resource: resource() }
    await expectRefused(
      await askToken(yard.gateway.url, fields, basic('portal', secret)),
      400,
      'invalid_request',
    )
  })

  it('T041: is no client that a person could be asked about', async () => {
    const url = new URL(`${yard.gateway.url}/oauth/authorize`)
    const question = {
      client_id: 'account.ci',
      response_type: 'code',
      redirect_uri: 'https://evil.example/cb',
      resource: resource(),
      code_challenge: 'a'.repeat(43),
      code_challenge_method: 'S256',
    }
    for (const [name, value] of Object.entries(question)) url.searchParams.set(name, value)
    const answer = await fetch(url, { redirect: 'manual' })
    expect([answer.status, answer.headers.get('location')]).toEqual([400, null])
  })

  it('T042: tells of its own tokens only, and takes back only these', async () => {
    const token = (await bySecret(made.secret)).body.access_token
    const ask = async (endpoint: string, headers: Record<string, string>) => {
      const body = new URLSearchParams({ token })
      const answer = await fetch(`${yard.gateway.url}/oauth/${endpoint}`, { method: 'POST', body, headers })
      return { status: answer.status, text: await answer.text() }
    }
    expect((await ask('introspect', {})).status).toBe(400)
    const own = basic('account.ci', made.secret)
    expect(JSON.parse((await ask('introspect', own)).text)).toMatchObject({
      active: true,
      client_id: 'account.ci',
      aud: resource(),
      scope: 'mcp:use',
    })
    await yard.gateway.operator('POST /accounts', { name: 'spy' })
    const spy = await yard.gateway.operator<Secret>('POST /accounts/spy/secrets', {})
    expect(JSON.parse((await ask('introspect', basic('account.spy', spy.secret))).text)).toEqual({
      active: false,
    })
    expect((await ask('revoke', basic('account.spy', spy.secret))).status).toBe(200)
    expect((await yard.initialize(LAB, { token })).status).toBe(200)
    expect((await ask('revoke', own)).status).toBe(200)
  })
})

describe('secrets', () => {
  it('are two while one takes the place of the other, and tokens end with theirs', async () => {
    const { operator } = yard.gateway
    const old = (await bySecret(made.secret)).body.access_token
    const next = await operator<Secret>('POST /accounts/ci/secrets/rotate', { deadline: '1h' })
    const fresh = (await bySecret(next.secret)).body.access_token
    expect((await bySecret(made.secret)).status).toBe(200)
    await expect(operator('POST /accounts/ci/secrets', {})).rejects.toThrow('409')
    await expect(operator('POST /accounts/ci/secrets/rotate', {})).rejects.toThrow('409')
    const { secrets } = await operator<{ secrets: { id: string; replacedBy: string | null }[] }>(
      'GET /accounts/ci/credentials',
    )
    expect(secrets.map(({ id, replacedBy }) => [id, replacedBy])).toEqual([
      [made.id, next.id],
      [next.id, null],
    ])
    await operator(`DELETE /accounts/ci/secrets/${made.id}`)
    await dies(old)
    await expectRefused(await bySecret(made.secret), 401, 'invalid_client')
    expect((await yard.initialize(LAB, { token: fresh })).status).toBe(200)
    made = next
  })

  it('are nowhere in answers but the one, and nowhere in the audit', async () => {
    const { operator } = yard.gateway
    const shown = JSON.stringify(await operator('GET /accounts/ci/credentials'))
    expect(shown).not.toContain(made.secret)
    expect(JSON.stringify(await operator('GET /audit?limit=200'))).not.toContain(made.secret)
  })

  it('of a disabled account are none, and its tokens end in every process', async () => {
    const { operator } = yard.gateway
    const token = (await bySecret(made.secret)).body.access_token
    await operator('PATCH /accounts/ci', { disabled: true })
    await dies(token)
    await expectRefused(await bySecret(made.secret), 401, 'invalid_client')
    await expectRefused(await byKey(key), 401, 'invalid_client')
    await operator('PATCH /accounts/ci', { disabled: false })
    expect((await bySecret(made.secret)).status).toBe(200)
  })
})

describe('a virtual account with keys', () => {
  it('proves itself by any of them, by assertions for the issuer or the token endpoint', async () => {
    for (const audience of [yard.gateway.url, `${yard.gateway.url}/oauth/token`])
      for (const pair of [key, later]) {
        const { body } = await byKey(pair, { audience })
        expect((await yard.initialize(LAB, { token: body.access_token })).status).toBe(200)
      }
  })

  it('replay: an assertion is good once, in whichever process', async () => {
    const assertion = await clientAssertion('account.ci', yard.gateway.url, key)
    const both = await Promise.all([send(assertion), send(assertion, {}, yard.beside), send(assertion)])
    expect(both.map(({ status }) => status).toSorted()).toEqual([200, 401, 401])
    await expectRefused(await send(assertion), 401, 'invalid_client')
  })

  const now = () => Math.floor(Date.now() / 1000)
  it.each<[string, () => Promise<TokenAnswer>]>([
    ['T008: a key in the header', () => byKey(keyPair(), { signing: { header: { jwk: keyPair().jwk } } })],
    [
      'T008: the address of keys in the header',
      () => byKey(keyPair('k1'), { signing: { header: { jku: 'https://evil.example/' } } }),
    ],
    ['T009: a kid that is a path', () => byKey(keyPair(), { signing: { header: { kid: '../../k1' } } })],
    ["another's key", () => byKey(keyPair('k1'))],
    ["another client's assertion", () => byKey(key, { id: 'account.nobody' })],
    ['an assertion for another account', () => byKey(key, { signing: { claims: { sub: 'account.spy' } } })],
    ['an audience that is somebody else', () => byKey(key, { audience: 'https://elsewhere.example' })],
    [
      'an audience that is a list',
      () => byKey(key, { audience: [yard.gateway.url, 'https://elsewhere.example'] }),
    ],
    ['T016: one that expired', () => byKey(key, { signing: { claims: { exp: now() - 31 } } })],
    ['T016: one that is not good yet', () => byKey(key, { signing: { claims: { nbf: now() + 90 } } })],
    ['one that is good for a day', () => byKey(key, { signing: { claims: { exp: now() + 86_400 } } })],
    ['one without jti', () => byKey(key, { signing: { claims: { jti: undefined } } })],
  ])('refuses %s', async (_, ask) => {
    await expectRefused(await ask(), 401, 'invalid_client')
  })

  it('T006: takes no algorithm but those of keys', async () => {
    const part = (what: object) => Buffer.from(JSON.stringify(what)).toString('base64url')
    const claims = { iss: 'account.ci', sub: 'account.ci', aud: yard.gateway.url, jti: 'x', exp: now() + 60 }
    for (const alg of ['none', 'HS256'])
      await expectRefused(
        await send(`${part({ alg, kid: 'k1' })}.${part(claims)}.AAAA`),
        401,
        'invalid_client',
      )
  })

  it('loses what a key gave with that key, and nothing else', async () => {
    const gone = (await byKey(key)).body.access_token
    const stays = (await byKey(later)).body.access_token
    await yard.gateway.operator('PUT /accounts/ci/credentials', { keys: [later.jwk] })
    await dies(gone)
    expect((await yard.initialize(LAB, { token: stays })).status).toBe(200)
    await expectRefused(await byKey(key), 401, 'invalid_client')
  })

  it('never takes a private key, nor its own addresses', async () => {
    const { operator } = yard.gateway
    const { privateKey } = keyPair()
    const whole = await exportJWK(privateKey)
    await expect(operator('PUT /accounts/ci/credentials', { keys: [whole] })).rejects.toThrow('private key')
    for (const keysUrl of ['http://keys.example/jwks', 'file:///etc/passwd'])
      await expect(operator('PUT /accounts/ci/credentials', { keysUrl })).rejects.toThrow('400')
    await operator('PUT /accounts/ci/credentials', { keysUrl: 'https://127.0.0.1/jwks' })
    const answer = await byKey(later)
    expect(answer.status).toBeGreaterThanOrEqual(400)
    await operator('PUT /accounts/ci/credentials', { keys: [later.jwk] })
  })

  it('goes with the account: another of its name begins with nothing', async () => {
    const { operator } = yard.gateway
    const token = (await byKey(later)).body.access_token
    await operator('DELETE /accounts/ci')
    await operator('POST /accounts', { name: 'ci' })
    await dies(token)
    await expectRefused(await bySecret(made.secret), 401, 'invalid_client')
    expect(await operator('GET /accounts/ci/credentials')).toEqual({
      clientId: 'account.ci',
      workloads: [],
      dpop: 'accepted',
      secrets: [],
    })
  })
})

describe('whoever answers for an account', () => {
  it('makes secrets for it, and nobody else does', async () => {
    const gateway = await openGatewayInside()
    const { operator, url } = gateway
    const tokens: Record<string, string> = {}
    for (const name of ['owner', 'other']) {
      await operator('POST /users', { email: `${name}@example.com` })
      const { token } = await operator<{ token: string }>('POST /tokens', { user: `${name}@example.com` })
      tokens[name] = token
    }
    await operator('POST /accounts', { name: 'bot', owner: 'user:owner@example.com' })
    const ask = async (who: string, method: string, path: string) =>
      (await call(`${url}/api/v1/accounts/bot/${path}`, { method, token: tokens[who], body: {} })).status
    expect(await ask('other', 'POST', 'secrets')).toBe(404)
    expect(await ask('owner', 'POST', 'secrets')).toBe(201)
    expect(await ask('owner', 'POST', 'secrets/rotate')).toBe(201)
    expect(await ask('owner', 'PUT', 'credentials')).toBe(403)
    await gateway.stop()
  })
})
