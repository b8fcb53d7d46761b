import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type IdentityProviderProcess, startIdentityProvider } from '../../test/fixtures/identity-provider.ts'
import { LAB, OTHER, openYard, type Yard } from '../../test/fixtures/machine-yard.ts'
import {
  type Asking,
  askToken,
  basic,
  clientAssertion,
  jwtBearerGrant,
  keyPair,
  type TokenAnswer,
} from '../../test/fixtures/machines.ts'

let yard: Yard
let company: IdentityProviderProcess
let portal: Record<string, string>
let other: Record<string, string>
const key = keyPair('k1')

beforeAll(async () => {
  yard = await openYard({ isPair: true })
  company = await startIdentityProvider({
    people: [{ id: 'ana', email: 'ana@acme.example', email_verified: true }],
  })
  const { operator } = yard.gateway
  await operator('POST /identity-providers', {
    name: 'acme',
    issuer: company.issuer,
    use: { idJag: true },
    domains: ['acme.example'],
    allowPrivateNetwork: true,
  })
  await operator('POST /groups/lab/grants', { subject: 'user:ana@acme.example' })
  const client = async (name: string, more: object) =>
    (
      await operator<{ secret: string }>('POST /oauth-clients', {
        name,
        redirectUris: ['https://portal.example/cb'],
        ...more,
      })
    ).secret
  portal = basic('portal', await client('portal', { authentication: 'secret' }))
  other = basic('other', await client('other', { authentication: 'secret' }))
  await client('signing', { authentication: 'key', keys: [key.jwk] })
  await client('open', { authentication: 'none' })
})

afterAll(async () => {
  await yard.stop()
  await company.stop()
})

const resource = () => yard.gateway.url + LAB
const now = () => Math.floor(Date.now() / 1000)

type Minted = { claims?: Record<string, unknown>; header?: Record<string, unknown>; key?: 'foreign' | 'none' }

const idJag = ({ claims = {}, header = {}, ...more }: Minted = {}) =>
  company.mint({
    claims: {
      sub: 'ana',
      email: 'ana@acme.example',
      email_verified: true,
      aud: yard.gateway.url,
      resource: resource(),
      client_id: 'portal',
      jti: crypto.randomUUID(),
      ...claims,
    },
    header: { typ: 'oauth-id-jag+jwt', ...header },
    ...more,
  })

const bring = (
  assertion: string,
  more: Asking = {},
  headers = portal,
  at = yard.gateway,
): Promise<TokenAnswer> => askToken(at.url, { grant_type: jwtBearerGrant, assertion, ...more }, headers)

async function expectRefused(answer: TokenAnswer, error: string, status = 400): Promise<void> {
  expect([answer.status, answer.body.error]).toEqual([status, error])
  expect(answer.body).not.toHaveProperty('access_token')
  expect((await yard.told())[0]).toMatchObject({ outcome: 'rejected', error })
}

describe('an ID-JAG', () => {
  it('lets a client act for a person, without a page of ours, at the resource it names', async () => {
    const { body } = await bring(await idJag())
    expect(body).toMatchObject({ token_type: 'Bearer', scope: 'mcp:use' })
    expect(body).not.toHaveProperty('refresh_token')
    expect(body.expires_in).toBeLessThanOrEqual(330)
    const token = body.access_token
    expect((await yard.initialize(LAB, { token })).status).toBe(200)
    expect((await yard.initialize(OTHER, { token })).status).toBe(401)
    const { operator } = yard.gateway
    expect((await yard.told())[0]).toMatchObject({
      outcome: 'ok',
      who: { kind: 'user', name: 'ana@acme.example' },
    })
    const { items } = await operator<{ items: { id: string; clientId: string; user: string }[] }>(
      'GET /oauth/authorizations',
    )
    const given = items.find(({ clientId }) => clientId === 'portal')
    expect(given?.user).toBe('ana@acme.example')
    await operator(`DELETE /oauth/authorizations/${given?.id}`)
    await yard.dies(LAB, token)
  })

  it('is taken of a client that signs', async () => {
    const assertion = await clientAssertion('signing', yard.gateway.url, key)
    const more = {
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
    }
    const { body } = await bring(await idJag({ claims: { client_id: 'signing' } }), more, {})
    expect((await yard.initialize(LAB, { token: body.access_token })).status).toBe(200)
  })

  it('gives as much as it says, or less', async () => {
    const read = { claims: { scope: 'mcp:read' } }
    expect((await bring(await idJag(read))).body.scope).toBe('mcp:read')
    expect((await bring(await idJag(), { scope: 'mcp:read' })).body.scope).toBe('mcp:read')
    await expectRefused(await bring(await idJag(read), { scope: 'mcp:use' }), 'invalid_scope')
  })

  it.each<[string, Minted]>([
    ['another type', { header: { typ: 'JWT' } }],
    ['the type of access tokens', { header: { typ: 'at+jwt' } }],
    ['another client', { claims: { client_id: 'other' } }],
    ['no client', { claims: { client_id: undefined } }],
    ['an audience that is somebody else', { claims: { aud: 'https://elsewhere.example' } }],
    ['no jti', { claims: { jti: undefined } }],
    ['a day to live', { claims: { exp: now() + 86_400 } }],
    ['T006: no signature', { header: { alg: 'none' }, key: 'none' }],
    ["T007: a stranger's signature", { key: 'foreign' }],
    ['T008: a key in the header', { header: { jwk: { kty: 'RSA' } }, key: 'foreign' }],
    ['T012: an issuer that is not known', { claims: { iss: 'https://elsewhere.example' } }],
    ['T016: an end 31 seconds ago', { claims: { iat: now() - 90, exp: now() - 31 } }],
    ['T016: no end', { claims: { exp: undefined } }],
    ['nobody it is about', { claims: { sub: undefined } }],
    ['a person nobody vouches for', { claims: { sub: 'eve', email: 'eve@elsewhere.example' } }],
  ])('refuses one with %s', async (_, minted) => {
    await expectRefused(await bring(await idJag(minted), { resource: resource() }), 'invalid_grant')
  })

  it('is for the audience alone: a list has one member, and the token endpoint is none', async () => {
    expect((await bring(await idJag({ claims: { aud: [yard.gateway.url] } }))).status).toBe(200)
    for (const aud of [
      [yard.gateway.url, 'https://elsewhere.example'],
      [yard.gateway.url, yard.gateway.url],
      `${yard.gateway.url}/oauth/token`,
    ])
      await expectRefused(await bring(await idJag({ claims: { aud } })), 'invalid_grant')
  })

  it.each<[string, Minted, Asking]>([
    ['names no resource', { claims: { resource: undefined } }, {}],
    ['names two', { claims: { resource: ['https://a.example', 'https://b.example'] } }, {}],
    ['names one of somebody else', { claims: { resource: 'https://elsewhere.example/mcp' } }, {}],
    ['is brought for another', {}, { resource: 'https://elsewhere.example/mcp' }],
  ])('gives nothing where it %s, and makes nobody known', async (_, minted, more) => {
    const claims = { ...minted.claims, sub: 'bob', email: 'bob@acme.example' }
    await expectRefused(await bring(await idJag({ claims }), more), 'invalid_target')
    const { items } = await yard.gateway.operator<{ items: { email: string }[] }>('GET /users')
    expect(items.map(({ email }) => email)).not.toContain('bob@acme.example')
  })

  it('T043: is of no use to another client, nor to one that proves nothing', async () => {
    await expectRefused(await bring(await idJag(), {}, other), 'invalid_grant')
    await expectRefused(
      await bring(await idJag({ claims: { client_id: 'open' } }), { client_id: 'open' }, {}),
      'invalid_request',
    )
  })

  it('replay: it is good once, in whichever process', async () => {
    const made = await idJag()
    const answers = await Promise.all([bring(made), bring(made, {}, portal, yard.beside), bring(made)])
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 400, 400])
  })

  it('is no bearer token', async () => {
    const { operator } = yard.gateway
    await operator('PATCH /identity-providers/acme', {
      use: { idJag: true, bearer: ['mcp'] },
      audiences: [yard.gateway.url],
    })
    expect((await yard.initialize(LAB, { token: await idJag() })).status).toBe(401)
    await operator('PATCH /identity-providers/acme', { use: { idJag: true } })
  })

  it('of a person who is disabled gives nothing, and what was given ends', async () => {
    const { operator } = yard.gateway
    const token = (await bring(await idJag())).body.access_token
    await operator('PATCH /users/ana@acme.example', { disabled: true })
    await yard.dies(LAB, token)
    await expectRefused(await bring(await idJag()), 'invalid_grant')
    await operator('PATCH /users/ana@acme.example', { disabled: false })
  })

  it('is told of in the metadata while somebody may send one, and ends with that', async () => {
    const { operator, url } = yard.gateway
    const profiles = async () => {
      const metadata = await fetch(`${url}/.well-known/oauth-authorization-server`)
      return ((await metadata.json()) as Record<string, unknown>).authorization_grant_profiles_supported
    }
    expect(await profiles()).toEqual(['urn:ietf:params:oauth:grant-profile:id-jag'])
    const token = (await bring(await idJag())).body.access_token
    await operator('PATCH /identity-providers/acme', { use: { signIn: false } })
    expect(await profiles()).toBeUndefined()
    await yard.dies(LAB, token)
    await expectRefused(await bring(await idJag()), 'invalid_grant')
  })
})
