import { createHash } from 'node:crypto'
import { exportJWK } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call } from '../../test/fixtures/http-call.ts'
import { type IdentityProviderProcess, startIdentityProvider } from '../../test/fixtures/identity-provider.ts'
import { LAB, OTHER, openYard, type Secret, type Yard } from '../../test/fixtures/machine-yard.ts'
import {
  type Asking,
  accessTokenType,
  askToken,
  basic,
  exchangeGrant,
  type KeyPair,
  keyPair,
  proof,
  type TokenAnswer,
} from '../../test/fixtures/machines.ts'

let yard: Yard
let company: IdentityProviderProcess
let own: Record<string, string>
let token: string
const key = keyPair()
const stranger = keyPair()

beforeAll(async () => {
  yard = await openYard({ isPair: true })
  company = await startIdentityProvider({
    people: [{ id: 'ana', email: 'ana@acme.example', email_verified: true }],
  })
  const { operator, url } = yard.gateway
  own = basic('account.ci', (await operator<Secret>('POST /accounts/ci/secrets', {})).secret)
  await operator('POST /groups/lab/grants', { subject: 'everyone' })
  await operator('POST /identity-providers', {
    name: 'acme',
    issuer: company.issuer,
    use: { bearer: ['mcp', 'api'] },
    audiences: [url],
    domains: ['acme.example'],
    allowPrivateNetwork: true,
  })
  token = (await bound()).body.access_token
})

afterAll(async () => {
  await yard.stop()
  await company.stop()
})

const htu = (path = LAB) => yard.gateway.url + path
const now = () => Math.floor(Date.now() / 1000)

function ask(
  headers: Record<string, string> = {},
  more: Asking = {},
  at = yard.gateway,
): Promise<TokenAnswer> {
  const fields = { grant_type: 'client_credentials', resource: htu(), ...more }
  return askToken(at.url, fields, { ...own, ...headers })
}

const atToken = (signing: object = {}, about: object = {}) =>
  proof(key, { htu: `${yard.gateway.url}/oauth/token`, ...about }, signing)

const bound = async (pair: KeyPair = key) =>
  ask({ dpop: await proof(pair, { htu: `${yard.gateway.url}/oauth/token` }) })

type Use = { token?: string; path?: string; at?: Yard['gateway']; scheme?: string }

async function use(
  dpop: string | undefined,
  { token: used = token, path = LAB, at, scheme = 'DPoP' }: Use = {},
) {
  const headers = { authorization: `${scheme} ${used}`, ...(dpop !== undefined && { dpop }) }
  return yard.initialize(path, { headers, ...(at !== undefined && { at }) })
}

const fresh = (signing: object = {}, about: object = {}) =>
  proof(key, { htu: htu(), token, ...about }, signing)

describe('at the token endpoint', () => {
  it('a proof binds the token to its key, and says so', async () => {
    const { body } = await bound()
    expect(body.token_type).toBe('DPoP')
    const form = new URLSearchParams({ token: body.access_token })
    const told = await fetch(`${yard.gateway.url}/oauth/introspect`, {
      method: 'POST',
      body: form,
      headers: own,
    })
    expect(await told.json()).toMatchObject({ token_type: 'DPoP', cnf: { jkt: expect.any(String) } })
  })

  it.each<[string, () => Promise<string>]>([
    ['for another address', () => atToken({}, { htu: htu() })],
    ['for another method', () => atToken({}, { htm: 'GET' })],
    ['without an id', () => atToken({ claims: { jti: undefined } })],
    ['of another type', () => atToken({ header: { typ: 'JWT' } })],
    ['with a key that did not sign it', () => atToken({ header: { jwk: stranger.jwk } })],
    ['that is none', async () => 'proof'],
  ])('T017: a proof %s gives nothing', async (_, made) => {
    const { status, body } = await ask({ dpop: await made() })
    expect([status, body.error]).toEqual([400, 'invalid_dpop_proof'])
    expect((await yard.told())[0]).toMatchObject({ outcome: 'rejected', error: 'invalid_dpop_proof' })
  })

  it('T017: one by a clock that is off is asked for a nonce, which any process takes', async () => {
    const old = await ask({ dpop: await atToken({ claims: { iat: now() - 3600 } }) })
    expect([old.status, old.body.error]).toEqual([400, 'use_dpop_nonce'])
    const nonce = old.headers.get('dpop-nonce') ?? ''
    for (const at of [yard.gateway, yard.beside]) {
      const made = await atToken({ claims: { iat: now() - 3600, nonce } })
      expect((await ask({ dpop: made }, {}, at)).status).toBe(200)
    }
  })

  it('T017: replay: a proof counts once, in whichever process', async () => {
    const dpop = await atToken()
    const answers = await Promise.all([ask({ dpop }), ask({ dpop }, {}, yard.beside), ask({ dpop })])
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 400, 400])
  })
})

describe('at an MCP endpoint', () => {
  it('a token and a new proof of its key open it, again and again', async () => {
    for (const _ of [1, 2]) expect((await use(await fresh())).status).toBe(200)
    expect((await use(await fresh(), { scheme: 'dpop' })).status).toBe(200)
    expect((await use(await fresh({}, { htu: `${htu()}?a=b#c` }))).status).toBe(200)
    const { items } = await yard.gateway.operator<{ items: { who: object }[] }>(
      'GET /audit?limit=1&action=initialize',
    )
    expect(items[0]?.who).toMatchObject({ kind: 'account', name: 'ci' })
  })

  it.each<[string, () => Promise<string | undefined>, string]>([
    ['no proof', async () => undefined, 'invalid_dpop_proof'],
    ['a proof of another key', () => proof(stranger, { htu: htu(), token }), 'invalid_dpop_proof'],
    ['a proof that shows another key', () => fresh({ header: { jwk: stranger.jwk } }), 'invalid_dpop_proof'],
    ['a proof for another address', () => fresh({}, { htu: htu(OTHER) }), 'invalid_dpop_proof'],
    [
      'a proof for another host',
      () => fresh({}, { htu: `https://elsewhere.example${LAB}` }),
      'invalid_dpop_proof',
    ],
    ['a proof for another method', () => fresh({}, { htm: 'GET' }), 'invalid_dpop_proof'],
    ['a proof for another token', () => fresh({}, { token: `${token}x` }), 'invalid_dpop_proof'],
    ['a proof for no token', () => fresh({}, { token: undefined }), 'invalid_dpop_proof'],
    ['a proof without an id', () => fresh({ claims: { jti: undefined } }), 'invalid_dpop_proof'],
    [
      'a proof with an id that is long',
      () => fresh({ claims: { jti: 'x'.repeat(300) } }),
      'invalid_dpop_proof',
    ],
    ['a proof without a time', () => fresh({ claims: { iat: undefined } }), 'invalid_dpop_proof'],
    [
      'T006: a proof signed by nobody',
      async () => `${(await fresh({ header: {} })).split('.', 2).join('.')}.`,
      'invalid_dpop_proof',
    ],
    ['a proof that is two', async () => `${await fresh()}, ${await fresh()}`, 'invalid_dpop_proof'],
    ['a proof of six kilobytes', async () => 'eyJ'.repeat(2000), 'invalid_dpop_proof'],
    [
      'a proof that shows a private key',
      async () => fresh({ header: { jwk: await exportJWK(key.privateKey) } }),
      'invalid_dpop_proof',
    ],
    ['a proof of yesterday', () => fresh({ claims: { iat: now() - 86_400 } }), 'use_dpop_nonce'],
    ['a proof of tomorrow', () => fresh({ claims: { iat: now() + 86_400 } }), 'use_dpop_nonce'],
    ['a stale nonce', () => fresh({ claims: { nonce: 'stale' } }), 'use_dpop_nonce'],
  ])('T017: %s does not', async (_, made, error) => {
    const answer = await use(await made())
    expect(answer.status).toBe(401)
    const challenge = answer.headers['www-authenticate'] ?? ''
    expect(challenge).toMatch(/^DPoP resource_metadata="/)
    expect(challenge).toContain(`error="${error}"`)
    expect(challenge).toContain('algs="ES256 ')
    expect(answer.headers['dpop-nonce'] !== undefined).toBe(error === 'use_dpop_nonce')
  })

  it('T017: a nonce of the gateway makes up for the clock, in any process', async () => {
    const asked = await use(await fresh({ claims: { iat: 1 } }))
    const nonce = asked.headers['dpop-nonce']
    for (const at of [yard.gateway, yard.beside]) {
      const made = await proof(key, { htu: at.url + LAB, token }, { claims: { iat: 1, nonce } })
      expect((await use(made, { at })).status).toBe(200)
    }
  })

  it('T017: replay: a proof counts once, on another replica too', async () => {
    // Behind one address all replicas see the same Host.
    const headers = {
      host: new URL(yard.gateway.url).host,
      authorization: `DPoP ${token}`,
      dpop: await fresh(),
    }
    const ask = (at: Yard['gateway']) => yard.initialize(LAB, { headers, at })
    const answers = [await ask(yard.gateway), await ask(yard.beside), await ask(yard.gateway)]
    expect(answers.map(({ status }) => status)).toEqual([200, 401, 401])
  })

  it('T017: a bound token is no bearer token, with a proof or without', async () => {
    for (const dpop of [undefined, await fresh()]) {
      const answer = await use(dpop, { scheme: 'Bearer' })
      expect(answer.status).toBe(401)
      expect(answer.headers['www-authenticate']).toMatch(/^DPoP .*error="invalid_dpop_proof"/)
    }
  })

  it('T017: a token that is bound to nothing is no DPoP token', async () => {
    const bearer = (await ask()).body.access_token
    const made = await proof(key, { htu: htu(), token: bearer })
    expect((await use(made, { token: bearer })).status).toBe(401)
    expect((await use(undefined, { token: bearer, scheme: 'Bearer' })).status).toBe(200)
  })

  it('ends with its account in every process', async () => {
    const { operator } = yard.gateway
    await operator('PATCH /accounts/ci', { disabled: true })
    expect((await use(await fresh())).status).toBe(401)
    await operator('PATCH /accounts/ci', { disabled: false })
    expect((await use(await fresh())).status).toBe(200)
  })
})

describe('an account that demands it', () => {
  it('gives and takes no other tokens', async () => {
    const { operator } = yard.gateway
    const bearer = (await ask()).body.access_token
    const { token: stored } = await operator<{ token: string }>('POST /tokens', { account: 'ci' })
    await operator('PUT /accounts/ci/credentials', { dpop: 'required' })
    for (const each of [bearer, stored]) await yard.dies(LAB, each)
    const { status, body } = await ask()
    expect([status, body.error]).toEqual([400, 'invalid_dpop_proof'])
    const { access_token } = (await bound()).body
    expect(
      (await use(await proof(key, { htu: htu(), token: access_token }), { token: access_token })).status,
    ).toBe(200)
    await operator('PUT /accounts/ci/credentials', {})
  })
})

describe('a bound token in exchange', () => {
  it('is for its holder, and so is what they get', async () => {
    const fields = {
      grant_type: exchangeGrant,
      subject_token: token,
      subject_token_type: accessTokenType,
      resource: htu(),
    }
    const plain = await askToken(yard.gateway.url, fields, own)
    expect([plain.status, plain.body.error]).toEqual([400, 'invalid_request'])
    const foreign = await proof(stranger, { htu: `${yard.gateway.url}/oauth/token` })
    expect((await askToken(yard.gateway.url, fields, { ...own, dpop: foreign })).status).toBe(400)
    const { body } = await askToken(yard.gateway.url, fields, { ...own, dpop: await atToken() })
    expect(body.token_type).toBe('DPoP')
  })
})

describe('a JWT of an identity provider that is bound to a key', () => {
  const jkt = () =>
    createHash('sha256')
      .update(JSON.stringify({ crv: key.jwk.crv, kty: key.jwk.kty, x: key.jwk.x, y: key.jwk.y }))
      .digest('base64url')

  it('T017: needs the proof, at MCP endpoints and the management API', async () => {
    const jwt = await company.tokenOf('ana', yard.gateway.url, { cnf: { jkt: jkt() } })
    expect((await use(await proof(key, { htu: htu(), token: jwt }), { token: jwt })).status).toBe(200)
    expect((await use(undefined, { token: jwt, scheme: 'Bearer' })).status).toBe(401)
    expect((await use(await proof(stranger, { htu: htu(), token: jwt }), { token: jwt })).status).toBe(401)
    const me = `${yard.gateway.url}/api/v1/me`
    const dpop = await proof(key, { htm: 'GET', htu: me, token: jwt })
    expect((await call(me, { headers: { authorization: `DPoP ${jwt}`, dpop } })).status).toBe(200)
    const replayed = await call(me, { headers: { authorization: `DPoP ${jwt}`, dpop } })
    expect(replayed.headers['www-authenticate']).toMatch(/^DPoP .*error="invalid_dpop_proof"/)
    expect((await call(me, { token: jwt })).status).toBe(401)
  })

  it('is refused where it is bound to what cannot be checked here', async () => {
    const cnf = { jkt: jkt(), 'x5t#S256': 'A'.repeat(43) }
    const jwt = await company.tokenOf('ana', yard.gateway.url, { cnf })
    expect((await use(await proof(key, { htu: htu(), token: jwt }), { token: jwt })).status).toBe(401)
  })
})
