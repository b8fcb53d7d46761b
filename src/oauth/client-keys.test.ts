import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type DocumentServer, startDocumentServer } from '../../test/fixtures/document-server.ts'
import { type GatewayInside, openGatewayInside } from '../../test/fixtures/gateway-inside.ts'
import { type Browser, signedInBrowser } from '../../test/fixtures/oauth-browser.ts'
import {
  authorizeUrl,
  type ClientKey,
  challengeOf,
  newClientKey,
  newVerifier,
  type Question,
  REDIRECT,
  redeem,
  refresh,
  returned,
} from '../../test/fixtures/oauth-client.ts'

let documents: DocumentServer
let gateway: GatewayInside
let ana: Browser
let mine: ClientKey

beforeAll(async () => {
  documents = await startDocumentServer()
  gateway = await openGatewayInside({
    environment: { GATEHOUSE_OAUTH_CLIENT_METADATA_PRIVATE_HOSTS: 'localhost' },
  })
  await gateway.operator('POST /users', { email: 'ana@example.com' })
  ana = await signedInBrowser(gateway, 'ana@example.com')
  mine = await newClientKey()
  const client = { name: 'desk', redirectUris: [REDIRECT], authentication: 'key', keys: [mine.jwk] }
  await gateway.operator('POST /oauth-clients', client)
})
afterAll(async () => {
  await gateway?.stop()
  await documents?.stop()
})

async function codeFor(client_id: string): Promise<Question> {
  const code_verifier = newVerifier()
  const asked = { client_id, resource: `${gateway.url}/mcp`, code_challenge: challengeOf(code_verifier) }
  const page = await ana.go(authorizeUrl(gateway.url, asked))
  const done = page.status === 200 ? await ana.submit(page, { decision: 'approve' }) : page
  return { client_id, code_verifier, code: returned(done).get('code') ?? '' }
}

describe('a client of the company with a key', () => {
  it('redeems and refreshes with assertions that its key signed', async () => {
    const code = await codeFor('desk')
    const redeemed = await redeem(gateway.url, { ...code, ...(await mine.prove('desk', gateway.url)) })
    expect(redeemed.status).toBe(200)
    const { refresh_token } = redeemed.body
    const proof = await mine.prove('desk', `${gateway.url}/oauth/token`)
    expect((await refresh(gateway.url, { client_id: 'desk', refresh_token, ...proof })).status).toBe(200)
  })

  it.each<[string, (proof: ClientKey) => Promise<Question>]>([
    ['none', async () => ({})],
    ['one for another server', key => key.prove('desk', 'https://other.example.com')],
    ['one of another client', key => key.prove('desk', gateway.url, { iss: 'other' })],
    ['one that is over', key => key.prove('desk', gateway.url, { exp: Math.floor(Date.now() / 1000) - 60 })],
    ['one without an id', key => key.prove('desk', gateway.url, { jti: undefined })],
    ['one of another key', async () => (await newClientKey()).prove('desk', gateway.url)],
    ['a secret', async () => ({ client_secret: 'made-up' })],
  ])('gets nothing with %s, and its code stays good', async (_, prove) => {
    const code = await codeFor('desk')
    const { status, body } = await redeem(gateway.url, { ...code, ...(await prove(mine)) })
    expect([status, body.error]).toEqual([401, 'invalid_client'])
    const { status: then } = await redeem(gateway.url, {
      ...code,
      ...(await mine.prove('desk', gateway.url)),
    })
    expect(then).toBe(200)
  })

  it('publishes its keys itself', async () => {
    documents.show({ body: { keys: [mine.jwk] } })
    const client = { name: 'shelf', redirectUris: [REDIRECT], authentication: 'key' }
    await gateway.operator('POST /oauth-clients', { ...client, jwksUri: `${documents.url}/jwks` })
    const redeemed = async (key: ClientKey) => {
      const code = await codeFor('shelf')
      return (await redeem(gateway.url, { ...code, ...(await key.prove('shelf', gateway.url)) })).status
    }
    expect(await redeemed(mine)).toBe(200)
    expect(await redeemed(await newClientKey('two'))).toBe(401)
  })

  it('is never entered with a private key, or with two places of keys', async () => {
    const client = { name: 'bad', redirectUris: [REDIRECT], authentication: 'key' }
    const entered = (more: object) => gateway.operator('POST /oauth-clients', { ...client, ...more })
    await expect(entered({ keys: [{ ...mine.jwk, d: 'AAAA' }] })).rejects.toThrow('private key')
    await expect(entered({ keys: [{ kty: 'oct', k: 'AAAA' }] })).rejects.toThrow('400')
    await expect(entered({ keys: [mine.jwk], jwksUri: `${documents.url}/jwks` })).rejects.toThrow('400')
    await expect(entered({})).rejects.toThrow('400')
    await expect(entered({ authentication: 'none', keys: [mine.jwk] })).rejects.toThrow('400')
    await expect(entered({ jwksUri: 'http://app.example.com/jwks' })).rejects.toThrow('400')
  })
})
