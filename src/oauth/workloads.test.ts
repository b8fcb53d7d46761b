import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type IdentityProviderProcess, startIdentityProvider } from '../../test/fixtures/identity-provider.ts'
import { LAB, OTHER, openYard, type Secret, type Yard } from '../../test/fixtures/machine-yard.ts'
import {
  type Asking,
  accessTokenType,
  askToken,
  basic,
  exchangeGrant,
  jwtBearerGrant,
  jwtType,
  type TokenAnswer,
} from '../../test/fixtures/machines.ts'

let yard: Yard
let cluster: IdentityProviderProcess
let company: IdentityProviderProcess
const SUBJECT = 'system:serviceaccount:ci:runner'

beforeAll(async () => {
  yard = await openYard({ isPair: true })
  cluster = await startIdentityProvider()
  company = await startIdentityProvider({
    people: [{ id: 'ana', email: 'ana@acme.example', email_verified: true }],
  })
  const { operator, url } = yard.gateway
  await operator('POST /identity-providers', {
    name: 'cluster',
    issuer: cluster.issuer,
    use: { workloads: true },
    allowPrivateNetwork: true,
  })
  await operator('POST /identity-providers', {
    name: 'acme',
    issuer: company.issuer,
    use: { bearer: ['mcp'] },
    audiences: [url],
    domains: ['acme.example'],
    allowPrivateNetwork: true,
  })
  await operator('PUT /accounts/ci/credentials', { workloads: [workload()] })
  await operator('POST /groups/lab/grants', { subject: 'everyone' })
})

afterAll(async () => {
  await yard.stop()
  await cluster.stop()
  await company.stop()
})

const workload = (more: object = {}) => ({
  issuer: cluster.issuer,
  subject: SUBJECT,
  claims: { ref: 'main' },
  ...more,
})
const resource = () => yard.gateway.url + LAB
const now = () => Math.floor(Date.now() / 1000)

type Minted = { claims?: Record<string, unknown>; header?: Record<string, unknown>; key?: 'foreign' | 'none' }

const jwt = ({ claims = {}, header = {}, ...more }: Minted = {}) =>
  cluster.mint({
    claims: { sub: SUBJECT, aud: yard.gateway.url, jti: crypto.randomUUID(), ref: 'main', ...claims },
    header: { typ: 'JWT', ...header },
    ...more,
  })

const bring = (assertion: string, more: Asking = {}, at = yard.gateway) =>
  askToken(at.url, {
    grant_type: jwtBearerGrant,
    client_id: 'account.ci',
    resource: resource(),
    assertion,
    ...more,
  })

const exchange = (subject_token: string, more: Asking = {}, headers: Record<string, string> = {}) =>
  askToken(
    yard.gateway.url,
    { grant_type: exchangeGrant, subject_token, subject_token_type: jwtType, resource: resource(), ...more },
    headers,
  )

async function expectRefused(answer: TokenAnswer, error: string): Promise<void> {
  expect([answer.status, answer.body.error]).toEqual([400, error])
  expect(answer.body).not.toHaveProperty('access_token')
  expect((await yard.told())[0]).toMatchObject({ outcome: 'rejected', error })
}

describe('a workload', () => {
  it('gets a token of its account by the JWT it has, and by exchange', async () => {
    const { body } = await bring(await jwt())
    expect(body).toMatchObject({ token_type: 'Bearer', scope: 'mcp:use' })
    expect(body.expires_in).toBeLessThanOrEqual(330)
    expect((await yard.initialize(LAB, { token: body.access_token })).status).toBe(200)
    expect((await yard.initialize(OTHER, { token: body.access_token })).status).toBe(401)
    const exchanged = await exchange(await jwt(), { client_id: 'account.ci' })
    expect(exchanged.body).toMatchObject({ issued_token_type: accessTokenType, token_type: 'Bearer' })
    expect((await yard.told())[0]).toMatchObject({ outcome: 'ok', who: { kind: 'account', name: 'ci' } })
  })

  it('T043: never has one for longer than what it brought is good', async () => {
    const short = await bring(await jwt({ claims: { exp: now() + 20 } }))
    expect(short.body.expires_in).toBeLessThanOrEqual(50)
    const late = await bring(await jwt({ claims: { iat: now() - 60, exp: now() - 25 } }))
    expect(late.body.expires_in).toBeLessThanOrEqual(5)
  })

  it.each<[string, () => Promise<string>]>([
    ['another subject', () => jwt({ claims: { sub: 'system:serviceaccount:ci:other' } })],
    ['a subject that begins so', () => jwt({ claims: { sub: `${SUBJECT}-2` } })],
    ['another claim', () => jwt({ claims: { ref: 'feature' } })],
    ['a claim that is a list', () => jwt({ claims: { ref: ['main'] } })],
    ['an audience that is somebody else', () => jwt({ claims: { aud: 'https://elsewhere.example' } })],
    [
      'T014: an audience list with somebody else',
      () => jwt({ claims: { aud: [yard.gateway.url, 'https://elsewhere.example'] } }),
    ],
    ['T012: an issuer that is another', () => jwt({ claims: { iss: company.issuer } })],
    ['an issuer that nobody configured', () => jwt({ claims: { iss: 'https://elsewhere.example' } })],
    ['T006: no signature', () => jwt({ header: { alg: 'none' }, key: 'none' })],
    ["T007: a stranger's signature", () => jwt({ key: 'foreign' })],
    ['T008: a key in the header', () => jwt({ header: { jwk: { kty: 'RSA' } }, key: 'foreign' })],
    ['T009: a kid that is a path', () => jwt({ header: { kid: '../../../etc/passwd' } })],
    ['T010: an assertion of a client', () => jwt({ header: { typ: 'client-authentication+jwt' } })],
    ['T010: a logout token', () => jwt({ claims: { events: {} } })],
    ['T016: one that expired 31 seconds ago', () => jwt({ claims: { iat: now() - 90, exp: now() - 31 } })],
    ['T016: one that is good in 31 seconds', () => jwt({ claims: { nbf: now() + 32 } })],
    ['T016: one that never expires', () => jwt({ claims: { exp: undefined } })],
    ['T017: one that is bound to a key', () => jwt({ claims: { cnf: { jkt: 'a'.repeat(43) } } })],
    ['a text that is no JWT', async () => 'eyJhbGciOiJub25lIn0.e30.'],
  ])('refuses %s', async (_, made) => {
    await expectRefused(await bring(await made()), 'invalid_grant')
  })

  it('T010: is none by an ID-JAG, which is for clients that prove who they are', async () => {
    await expectRefused(
      await bring(await jwt({ header: { typ: 'oauth-id-jag+jwt' } })),
      'unauthorized_client',
    )
    const subject = await jwt({ header: { typ: 'oauth-id-jag+jwt' } })
    await expectRefused(await exchange(subject, { client_id: 'account.ci' }), 'invalid_grant')
  })

  it('is that of the account it names, whether that one is there or not', async () => {
    await yard.gateway.operator('POST /accounts', { name: 'spare' })
    for (const client_id of ['account.spare', 'account.nobody'])
      await expectRefused(await bring(await jwt(), { client_id }), 'invalid_grant')
    await expectRefused(await bring(await jwt(), { client_id: undefined }), 'invalid_request')
  })

  it('replay: a JWT is exchanged once, in whichever process and whichever way', async () => {
    const made = await jwt()
    const answers = await Promise.all([bring(made), bring(made, {}, yard.beside), bring(made)])
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 400, 400])
    await expectRefused(await exchange(made, { client_id: 'account.ci' }), 'invalid_grant')
  })

  it('is refused where its provider is not allowed workloads, and loses what it has', async () => {
    const { operator } = yard.gateway
    const token = (await bring(await jwt())).body.access_token
    await operator('PATCH /identity-providers/cluster', { use: { workloads: false } })
    await yard.dies(LAB, token)
    await expectRefused(await bring(await jwt()), 'invalid_grant')
    await expect(operator('PUT /accounts/ci/credentials', { workloads: [workload()] })).rejects.toThrow(
      'workloads',
    )
    await operator('PATCH /identity-providers/cluster', { use: { workloads: true } })
  })

  it('may have tokens for elsewhere, and bring one many times, where its account says so', async () => {
    const { operator } = yard.gateway
    const audience = 'api://AzureADTokenExchange'
    const token = (await bring(await jwt())).body.access_token
    await operator('PUT /accounts/ci/credentials', { workloads: [workload({ audience, mayRepeat: true })] })
    // What was given to the workload as it was before is given to nobody now.
    await yard.dies(LAB, token)
    const made = await jwt({ claims: { aud: audience } })
    for (const _ of [1, 2]) expect((await bring(made)).status).toBe(200)
    await operator('PUT /accounts/ci/credentials', { workloads: [workload()] })
  })

  it('never gets out of the bounds of its provider', async () => {
    const { operator } = yard.gateway
    await operator('PATCH /identity-providers/cluster', { bound: { groupPrefix: 'acme-' } })
    const { body } = await bring(await jwt())
    expect((await yard.initialize(LAB, { token: body.access_token })).status).toBe(404)
    await operator('PATCH /identity-providers/cluster', { bound: null })
  })
})

describe('a token in exchange for one', () => {
  let service: Record<string, string>
  let pat: { readonly id: string; readonly token: string }

  beforeAll(async () => {
    const { operator } = yard.gateway
    await operator('POST /users', { email: 'bea@example.com' })
    await operator('POST /accounts', { name: 'service' })
    const { secret } = await operator<Secret>('POST /accounts/service/secrets', {})
    service = basic('account.service', secret)
    pat = await operator('POST /tokens', { user: 'bea@example.com' })
  })

  const narrow = (token: string, more: Asking = {}) =>
    exchange(token, { subject_token_type: accessTokenType, ...more }, service)

  it('is narrower, says who acts, and ends with what it was given for', async () => {
    const { body } = await narrow(pat.token, { scope: 'mcp:read' })
    expect(body).toMatchObject({ issued_token_type: accessTokenType, scope: 'mcp:read' })
    const token = body.access_token
    expect((await yard.initialize(LAB, { token })).status).toBe(200)
    expect((await yard.initialize(OTHER, { token })).status).toBe(401)
    const form = new URLSearchParams({ token })
    const told = await fetch(`${yard.gateway.url}/oauth/introspect`, {
      method: 'POST',
      body: form,
      headers: service,
    })
    expect(await told.json()).toMatchObject({
      active: true,
      act: { sub: 'account.service' },
      scope: 'mcp:read',
    })
    await expectRefused(await narrow(token, { scope: 'mcp:use' }), 'invalid_scope')
    const again = (await narrow(token)).body.access_token
    const event = (await yard.told())[0]
    expect(event).toMatchObject({ outcome: 'ok', who: { kind: 'user', name: 'bea@example.com' } })
    expect(event?.detail).toMatchObject({ act: { sub: 'account.service', act: { sub: 'account.service' } } })
    await yard.gateway.operator(`DELETE /tokens/${pat.id}`)
    await yard.dies(LAB, token)
    await yard.dies(LAB, again)
    pat = await yard.gateway.operator('POST /tokens', { user: 'bea@example.com' })
  })

  it('is of a person whose identity provider vouches for them', async () => {
    const made = await company.tokenOf('ana', yard.gateway.url)
    const { body } = await narrow(made, { subject_token_type: jwtType })
    expect((await yard.initialize(LAB, { token: body.access_token })).status).toBe(200)
    expect(body.expires_in).toBeLessThanOrEqual(330)
    await yard.gateway.operator('PATCH /identity-providers/acme', { use: { bearer: ['api'] } })
    await yard.dies(LAB, body.access_token)
    await yard.gateway.operator('PATCH /identity-providers/acme', { use: { bearer: ['mcp'] } })
  })

  it('T043: is none where the subject token is for somebody else, or for another resource', async () => {
    await expectRefused(
      await narrow(await company.tokenOf('ana', 'https://elsewhere.example'), {
        subject_token_type: jwtType,
      }),
      'invalid_request',
    )
    const { body } = await narrow(pat.token)
    await expectRefused(
      await narrow(body.access_token, { resource: yard.gateway.url + OTHER }),
      'invalid_request',
    )
    await expectRefused(await narrow(pat.token.replace(/.$/, 'x')), 'invalid_request')
    await expectRefused(await narrow(pat.token, { resource: yard.gateway.url }), 'invalid_request')
  })

  it.each<[string, Asking, string]>([
    ['no subject token', { subject_token: undefined }, 'invalid_request'],
    [
      'another kind of subject',
      { subject_token_type: 'urn:ietf:params:oauth:token-type:saml2' },
      'invalid_request',
    ],
    [
      'another kind of token',
      { requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' },
      'invalid_request',
    ],
    ['an actor token', { actor_token: 'x', actor_token_type: accessTokenType }, 'invalid_request'],
    ['another audience', { audience: 'https://elsewhere.example' }, 'invalid_target'],
  ])('T043: refuses %s', async (_, more, error) => {
    await expectRefused(await narrow(pat.token, more), error)
  })

  it('is for clients that prove who they are', async () => {
    const answer = await exchange(pat.token, {
      client_id: 'account.service',
      subject_token_type: accessTokenType,
    })
    await expectRefused(answer, 'invalid_grant')
  })
})
