/** Machines with the SDK: each finds everything by the URL of its server, gets a token without a person, and calls a tool. */
import {
  Client,
  ClientCredentialsProvider,
  CrossAppAccessProvider,
  DpopSession,
  type OAuthClientProvider,
  PrivateKeyJwtProvider,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client'
import { exportJWK } from 'jose'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type IdentityProviderProcess, startIdentityProvider } from '../fixtures/identity-provider.ts'
import { LAB, openYard, type Secret, type Yard } from '../fixtures/machine-yard.ts'
import { keyPair } from '../fixtures/machines.ts'

let yard: Yard
let company: IdentityProviderProcess
let secret: string
const key = keyPair('k1')

beforeAll(async () => {
  yard = await openYard()
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
  await operator('PUT /accounts/ci/credentials', { keys: [key.jwk] })
  secret = (await operator<Secret>('POST /accounts/ci/secrets', {})).secret
})

afterAll(async () => {
  await yard.stop()
  await company.stop()
})

/** Who a call of a tool was by, as the audit has it. */
async function callsAs(authProvider: OAuthClientProvider): Promise<object | undefined> {
  const client = new Client({ name: 'machine', version: '1' })
  const transport = new StreamableHTTPClientTransport(new URL(yard.gateway.url + LAB), { authProvider })
  await client.connect(transport)
  await client.callTool({ name: 'echo', arguments: { text: 'hi' } })
  await client.close()
  const { items } = await yard.gateway.operator<{ items: { who: object }[] }>(
    'GET /audit?limit=1&action=tools/call',
  )
  return items[0]?.who
}

const account = { kind: 'account', name: 'ci' }

it('comes in by a client secret', async () => {
  const provider = new ClientCredentialsProvider({
    clientId: 'account.ci',
    clientSecret: secret,
    expectedIssuer: yard.gateway.url,
  })
  expect(await callsAs(provider)).toMatchObject(account)
  expect(provider.tokens()).toMatchObject({ token_type: 'Bearer' })
})

it('comes in by a key', async () => {
  const provider = new PrivateKeyJwtProvider({
    clientId: 'account.ci',
    privateKey: { ...(await exportJWK(key.privateKey)), kid: 'k1' },
    algorithm: 'ES256',
    expectedIssuer: yard.gateway.url,
  })
  expect(await callsAs(provider)).toMatchObject(account)
})

it('comes in with a token that is bound to its key, and proves it with every request', async () => {
  await yard.gateway.operator('PUT /accounts/ci/credentials', { keys: [key.jwk], dpop: 'required' })
  const session = DpopSession.create()
  const provider = Object.assign(
    new ClientCredentialsProvider({
      clientId: 'account.ci',
      clientSecret: secret,
      expectedIssuer: yard.gateway.url,
    }),
    { dpop: () => session },
  )
  expect(await callsAs(provider)).toMatchObject(account)
  expect(provider.tokens()).toMatchObject({ token_type: 'DPoP' })
  await yard.gateway.operator('PUT /accounts/ci/credentials', { keys: [key.jwk] })
})

it('comes in for a person by the word of their company (ID-JAG)', async () => {
  const { operator } = yard.gateway
  const portal = await operator<{ secret: string }>('POST /oauth-clients', {
    name: 'portal',
    redirectUris: ['https://portal.example/cb'],
    authentication: 'secret',
  })
  const provider = new CrossAppAccessProvider({
    clientId: 'portal',
    clientSecret: portal.secret,
    expectedIssuer: yard.gateway.url,
    assertion: ({ authorizationServerUrl, resourceUrl }) =>
      company.mint({
        claims: {
          sub: 'ana',
          email: 'ana@acme.example',
          email_verified: true,
          aud: authorizationServerUrl.replace(/\/$/, ''),
          resource: resourceUrl,
          client_id: 'portal',
          jti: crypto.randomUUID(),
        },
        header: { typ: 'oauth-id-jag+jwt' },
      }),
  })
  expect(await callsAs(provider)).toMatchObject({ kind: 'user', name: 'ana@acme.example' })
})
