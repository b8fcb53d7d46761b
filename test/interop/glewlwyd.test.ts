/** The foreign identity provider itself: a relying party made of openid-client alone, in a real browser. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import * as oidc from 'openid-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type OpenBrowser, openBrowser } from '../fixtures/browser.ts'
import {
  GLEWLWYD_SCOPES,
  type Glewlwyd,
  goOnAtGlewlwyd,
  signInAtGlewlwyd,
  startGlewlwyd,
} from '../fixtures/glewlwyd.ts'
import { freePort } from '../fixtures/process.ts'

const INSTALLING_MS = 10 * 60_000
const ana = {
  login: 'ana',
  password: 'ana has a password',
  name: 'Ana Bela',
  email: 'ana@example.com',
  groups: ['cooks', 'staff'],
}
const clientId = 'gatehouse'
const clientSecret = 'sixteenplainletters'
const resource = 'http://127.0.0.1:9/mcp/lab'

let browser: OpenBrowser
let glewlwyd: Glewlwyd
let relyingParty: Server
let redirectUri: string
let config: oidc.Configuration

beforeAll(async () => {
  const port = await freePort()
  redirectUri = `http://127.0.0.1:${port}/callback`
  relyingParty = createServer((_, response) => response.end('back at the relying party'))
  await once(relyingParty.listen(port, '127.0.0.1'), 'listening')
  browser = await openBrowser()
  glewlwyd = await startGlewlwyd({
    redirectUri,
    clientId,
    clientSecret,
    person: ana,
    resources: [resource],
    accessTokenClaims: ['email', 'groups'],
  })
  config = await discover(oidc.ClientSecretBasic(clientSecret))
}, INSTALLING_MS)

afterAll(async () => {
  await browser?.close()
  await glewlwyd?.stop()
  relyingParty?.close()
})

describe('signing in at Glewlwyd', () => {
  it('comes back with a code that is good for an id token of the person', async () => {
    const { page } = await browser.person()
    const flow = await begin()
    await page.goto(flow.url.href)
    await signInAtGlewlwyd(page, ana)
    await page.waitForURL(url => url.href.startsWith(redirectUri))
    const answer = new URL(page.url())
    expect(answer.searchParams.get('iss')).toBe(glewlwyd.issuer)

    const tokens = await oidc.authorizationCodeGrant(config, answer, flow.checks)
    const claims = tokens.claims()
    expect(claims).toMatchObject({
      iss: glewlwyd.issuer,
      aud: clientId,
      sub: expect.stringMatching(/^\w{32}$/),
      name: 'Ana Bela',
      email: 'ana@example.com',
      email_verified: true,
      groups: ['cooks', 'staff'],
    })
    const told = await oidc.fetchUserInfo(config, tokens.access_token, claims!.sub)
    expect(told).toMatchObject({ email: 'ana@example.com', email_verified: true, groups: ['cooks', 'staff'] })
    expect(decodeProtectedHeader(tokens.id_token!)).toMatchObject({ typ: 'JWT', alg: 'RS256' })
  })

  it('the second time asks for no password, for the same person', async () => {
    const { page } = await browser.person()
    const subjects: (string | undefined)[] = []
    for (const step of [() => signInAtGlewlwyd(page, ana), () => goOnAtGlewlwyd(page)]) {
      const flow = await begin()
      await page.goto(flow.url.href)
      await step()
      await page.waitForURL(url => url.href.startsWith(redirectUri))
      const tokens = await oidc.authorizationCodeGrant(config, new URL(page.url()), flow.checks)
      subjects.push(tokens.claims()?.sub)
    }
    expect(subjects[0]).toEqual(expect.any(String))
    expect(subjects[1]).toBe(subjects[0])
  })

  it('refuses a code with another verifier', async () => {
    const { page } = await browser.person()
    const flow = await begin()
    await page.goto(flow.url.href)
    await signInAtGlewlwyd(page, ana)
    await page.waitForURL(url => url.href.startsWith(redirectUri))
    const checks = { ...flow.checks, pkceCodeVerifier: oidc.randomPKCECodeVerifier() }
    await expect(oidc.authorizationCodeGrant(config, new URL(page.url()), checks)).rejects.toMatchObject({
      error: 'invalid_code',
    })
  })
})

describe('what Glewlwyd tells relying parties', () => {
  it('advertises PKCE, and not that its answers have an issuer', () => {
    const metadata = config.serverMetadata()
    expect(metadata.issuer).toBe(glewlwyd.issuer)
    expect(metadata.code_challenge_methods_supported).toEqual(['S256'])
    expect(metadata.authorization_response_iss_parameter_supported).toBeUndefined()
  })
})

describe('access tokens of Glewlwyd', () => {
  const verify = async (token: string) => {
    const keys = createRemoteJWKSet(new URL(config.serverMetadata().jwks_uri!))
    return (await jwtVerify(token, keys, { issuer: glewlwyd.issuer, typ: 'at+jwt' })).payload
  }

  it('are for the resource that was asked for', async () => {
    expect(await verify(await glewlwyd.personToken(resource))).toMatchObject({
      aud: resource,
      client_id: clientId,
      scope: GLEWLWYD_SCOPES.join(' '),
      email: 'ana@example.com',
      groups: 'cooks,staff',
    })
    expect(await verify(await glewlwyd.clientToken(resource))).toMatchObject({
      aud: resource,
      sub: clientId,
      client_id: clientId,
    })
  })

  it('are for the list of scopes when no resource was asked for', async () => {
    expect(await verify(await glewlwyd.personToken())).toMatchObject({ aud: GLEWLWYD_SCOPES.join(' ') })
    expect(await verify(await glewlwyd.clientToken())).toMatchObject({ aud: 'machines' })
  })

  it('are refused for a resource nobody set up', async () => {
    await expect(glewlwyd.personToken('http://127.0.0.1:9/mcp/other')).rejects.toThrow('invalid_target')
  })
})

function discover(authentication: oidc.ClientAuth): Promise<oidc.Configuration> {
  const issuer = new URL(glewlwyd.issuer)
  return oidc.discovery(issuer, clientId, undefined, authentication, {
    execute: [oidc.allowInsecureRequests],
  })
}

async function begin(): Promise<{ url: URL; checks: oidc.AuthorizationCodeGrantChecks }> {
  const pkceCodeVerifier = oidc.randomPKCECodeVerifier()
  const expectedState = oidc.randomState()
  const expectedNonce = oidc.randomNonce()
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope: GLEWLWYD_SCOPES.join(' '),
    state: expectedState,
    nonce: expectedNonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
  })
  return { url, checks: { pkceCodeVerifier, expectedState, expectedNonce } }
}
