/** The foreign identity provider itself: a relying party made of openid-client alone, in a real browser. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { text } from 'node:stream/consumers'
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import * as oidc from 'openid-client'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type OpenBrowser, openBrowser } from '../fixtures/browser.ts'
import {
  GLEWLWYD_SCOPES,
  type Glewlwyd,
  goOnAtGlewlwyd,
  signInAtGlewlwyd,
  signOutAtGlewlwyd,
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

/** What Glewlwyd posted to the relying party. */
const told: URLSearchParams[] = []
let browser: OpenBrowser
let glewlwyd: Glewlwyd
let relyingParty: Server
let redirectUri: string
let config: oidc.Configuration

beforeAll(async () => {
  const port = await freePort()
  redirectUri = `http://127.0.0.1:${port}/callback`
  relyingParty = createServer((request, response) => {
    response.end('back at the relying party')
    if (request.method === 'POST') text(request).then(body => told.push(new URLSearchParams(body)))
  })
  await once(relyingParty.listen(port, '127.0.0.1'), 'listening')
  browser = await openBrowser()
  glewlwyd = await startGlewlwyd({
    redirectUri,
    clientId,
    clientSecret,
    person: ana,
    backChannelLogoutUri: new URL('/signed-out', redirectUri).href,
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
  it('gives an id token of the person', async () => {
    const { page } = await browser.person()
    const tokens = await flow(page, () => signInAtGlewlwyd(page, ana))
    const claims = tokens.claims()
    const said = {
      name: 'Ana Bela',
      email: 'ana@example.com',
      email_verified: true,
      groups: ['cooks', 'staff'],
    }
    expect(claims).toMatchObject({
      ...said,
      iss: glewlwyd.issuer,
      aud: clientId,
      sub: expect.stringMatching(/^\w{32}$/),
      sid: expect.any(String),
    })
    expect(decodeProtectedHeader(tokens.id_token!)).toMatchObject({ typ: 'JWT', alg: 'RS256' })
    expect(await oidc.fetchUserInfo(config, tokens.access_token, claims!.sub)).toMatchObject(said)
  })

  it('tells of an email that nobody verified', async () => {
    const rui = { ...ana, login: 'rui', email: 'rui@example.com', isEmailVerified: false }
    await glewlwyd.add(rui)
    const { page } = await browser.person()
    const claims = (await flow(page, () => signInAtGlewlwyd(page, rui))).claims()
    expect(claims).toMatchObject({ email: 'rui@example.com', email_verified: false })
  })

  it('asks for the password once, and again when the relying party wants it', async () => {
    const { page } = await browser.person()
    const first = await flow(page, () => signInAtGlewlwyd(page, ana))
    const second = await flow(page, () => goOnAtGlewlwyd(page))
    const third = await flow(page, () => signInAtGlewlwyd(page, ana), { prompt: 'login' })
    const subjects = [first, second, third].map(tokens => tokens.claims()?.sub)
    expect(subjects[0]).toEqual(expect.any(String))
    expect(new Set(subjects).size).toBe(1)
  })

  it('never tells when that was', async () => {
    const { page } = await browser.person()
    const tokens = await flow(page, () => signInAtGlewlwyd(page, ana), { prompt: 'login' })
    expect(tokens.claims()?.auth_time).toBe(0)
  })

  it('gives nothing for another verifier', async () => {
    const { page } = await browser.person()
    const pkceCodeVerifier = oidc.randomPKCECodeVerifier()
    await expect(
      flow(page, () => signInAtGlewlwyd(page, ana), {}, { pkceCodeVerifier }),
    ).rejects.toMatchObject({
      error: 'invalid_code',
    })
  })
})

describe('signing out at Glewlwyd', () => {
  it('is told to the relying party with a logout token of the session', async () => {
    const { page } = await browser.person()
    const claims = (await flow(page, () => signInAtGlewlwyd(page, ana))).claims()!
    await signOutAtGlewlwyd(page, glewlwyd)
    await expect.poll(() => told.length).toBe(1)
    const token = told[0]!.get('logout_token')!
    const { payload, protectedHeader } = await jwtVerify(token, keys(), {
      issuer: glewlwyd.issuer,
      audience: clientId,
    })
    expect(protectedHeader).toMatchObject({ typ: 'JWT', alg: 'RS256' })
    expect(payload).toMatchObject({
      sub: claims.sub,
      sid: claims.sid,
      jti: expect.any(String),
      events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
    })
    expect(payload).not.toHaveProperty('exp')
  })
})

describe('what Glewlwyd tells relying parties', () => {
  it('advertises PKCE, and not that its answers have an issuer', () => {
    const metadata = config.serverMetadata()
    expect(metadata.issuer).toBe(glewlwyd.issuer)
    expect(metadata.code_challenge_methods_supported).toEqual(['S256'])
    expect(metadata.authorization_response_iss_parameter_supported).toBeUndefined()
  })

  it('does not decode the credentials of clients', async () => {
    const encoded = `%${clientId.charCodeAt(0).toString(16)}${clientId.slice(1)}`
    const ask = async (id: string) => {
      const authorization = `Basic ${Buffer.from(`${id}:${clientSecret}`).toString('base64')}`
      const body = new URLSearchParams({ grant_type: 'client_credentials', scope: 'machines' })
      const url = config.serverMetadata().token_endpoint!
      return (await fetch(url, { method: 'POST', headers: { authorization }, body })).status
    }
    expect(await ask(clientId)).toBe(200)
    expect(await ask(encoded)).toBe(403)
  })

  it('begins with PKCE only', async () => {
    const begin = async (pkce: Record<string, string>) => {
      const asked = { redirect_uri: redirectUri, scope: 'openid', state: oidc.randomState(), ...pkce }
      const answer = await fetch(
        oidc.buildAuthorizationUrl(config, { ...asked, nonce: oidc.randomNonce() }),
        {
          redirect: 'manual',
        },
      )
      return new URL(answer.headers.get('location')!)
    }
    const code_challenge = await oidc.calculatePKCECodeChallenge(oidc.randomPKCECodeVerifier())
    expect((await begin({ code_challenge, code_challenge_method: 'S256' })).pathname).toBe('/login.html')
    expect((await begin({})).searchParams.get('error')).toBe('invalid_request')
    const plain = await begin({ code_challenge, code_challenge_method: 'plain' })
    expect(plain.searchParams.get('error')).toBe('invalid_request')
  })
})

describe('access tokens of Glewlwyd', () => {
  const verify = async (token: string) => {
    return (await jwtVerify(token, keys(), { issuer: glewlwyd.issuer, typ: 'at+jwt' })).payload
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

/** One code flow in the person's browser, from the relying party and back to it. */
async function flow(
  page: Page,
  signIn: () => Promise<void>,
  parameters: Record<string, string> = {},
  otherChecks: oidc.AuthorizationCodeGrantChecks = {},
) {
  const pkceCodeVerifier = oidc.randomPKCECodeVerifier()
  const [expectedState, expectedNonce] = [oidc.randomState(), oidc.randomNonce()]
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope: GLEWLWYD_SCOPES.join(' '),
    state: expectedState,
    nonce: expectedNonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    ...parameters,
  })
  await page.goto(url.href)
  await signIn()
  await page.waitForURL(back => back.href.startsWith(redirectUri))
  const answer = new URL(page.url())
  expect(answer.searchParams.get('iss')).toBe(glewlwyd.issuer)
  const checks = { pkceCodeVerifier, expectedState, expectedNonce, ...otherChecks }
  return await oidc.authorizationCodeGrant(config, answer, checks)
}

function keys() {
  return createRemoteJWKSet(new URL(config.serverMetadata().jwks_uri!))
}
