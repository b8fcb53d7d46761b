import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startEcho } from '../../test/fixtures/echo-http.ts'
import { type GatewayInside, openGatewayInside } from '../../test/fixtures/gateway-inside.ts'
import { call } from '../../test/fixtures/http-call.ts'
import { hello, inEra } from '../../test/fixtures/mcp-call.ts'
import { Browser, signedInBrowser } from '../../test/fixtures/oauth-browser.ts'
import { authorizeUrl, challengeOf, login, newVerifier, register } from '../../test/fixtures/oauth-client.ts'

let gateway: GatewayInside
let echo: Awaited<ReturnType<typeof startEcho>>

beforeAll(async () => {
  gateway = await openGatewayInside()
  echo = await startEcho()
  await gateway.operator('POST /users', { email: 'ana@example.com' })
  await gateway.operator('POST /groups', { name: 'lab' })
  await gateway.operator('POST /groups/lab/grants', { subject: 'user:ana@example.com' })
  await gateway.operator('POST /servers', { group: 'lab', name: 'echo', transport: echo.transport })
})

afterAll(async () => {
  await gateway.stop()
  await echo.stop()
})

const ana = () => signedInBrowser(gateway, 'ana@example.com')
const initialize = (path: string, token?: string) =>
  call(gateway.url + path, { ...inEra('session', { id: 1, method: 'initialize', params: hello }), token })

describe('a client that has nothing but a URL', () => {
  it('finds its way from the 401 to a call', async () => {
    const refused = await initialize('/mcp/lab/echo/server')
    expect(refused.status).toBe(401)
    expect(refused.headers['www-authenticate']).toBe(
      `Bearer resource_metadata="${gateway.url}/.well-known/oauth-protected-resource/mcp/lab/echo/server", scope="mcp:use"`,
    )
    const described = await call(`${gateway.url}/.well-known/oauth-protected-resource/mcp/lab/echo/server`)
    expect(JSON.parse(described.text)).toEqual({
      resource: `${gateway.url}/mcp/lab/echo/server`,
      authorization_servers: [gateway.url],
      scopes_supported: ['mcp:use', 'mcp:read'],
      bearer_methods_supported: ['header'],
      dpop_signing_alg_values_supported: ['ES256', 'ES384', 'EdDSA', 'Ed25519', 'PS256', 'RS256'],
      resource_name: 'lab/echo (Gatehouse)',
    })
    const { tokens } = await login(gateway.url, await ana(), {
      resource: `${gateway.url}/mcp/lab/echo/server`,
    })
    expect(tokens).toMatchObject({
      access_token: expect.stringMatching(/^gth_oat_/),
      refresh_token: expect.stringMatching(/^gth_ort_/),
      expires_in: 900,
      scope: 'mcp:use',
      token_type: 'Bearer',
    })
    expect((await initialize('/mcp/lab/echo/server', tokens.access_token)).status).toBe(200)
  })

  it('is told everything the metadata has to say', async () => {
    const { text } = await call(`${gateway.url}/.well-known/oauth-authorization-server`)
    const metadata = JSON.parse(text)
    expect(metadata).toMatchObject({
      issuer: gateway.url,
      authorization_endpoint: `${gateway.url}/oauth/authorize`,
      token_endpoint: `${gateway.url}/oauth/token`,
      registration_endpoint: `${gateway.url}/oauth/register`,
      revocation_endpoint: `${gateway.url}/oauth/revoke`,
      introspection_endpoint: `${gateway.url}/oauth/introspect`,
      jwks_uri: `${gateway.url}/oauth/jwks`,
      scopes_supported: ['mcp:use', 'mcp:read', 'openid', 'offline_access'],
      response_types_supported: ['code'],
      response_modes_supported: ['query'],
      grant_types_supported: [
        'authorization_code',
        'refresh_token',
        'client_credentials',
        'urn:ietf:params:oauth:grant-type:jwt-bearer',
        'urn:ietf:params:oauth:grant-type:token-exchange',
      ],
      token_endpoint_auth_signing_alg_values_supported: ['RS256', 'PS256', 'ES256', 'Ed25519', 'EdDSA'],
      dpop_signing_alg_values_supported: ['ES256', 'ES384', 'EdDSA', 'Ed25519', 'PS256', 'RS256'],
      code_challenge_methods_supported: ['S256'],
      authorization_response_iss_parameter_supported: true,
      client_id_metadata_document_supported: true,
    })
    expect(metadata.token_endpoint_auth_methods_supported).toContain('none')
    // Nobody may send an ID-JAG yet, so nobody is told of them.
    expect(metadata).not.toHaveProperty('authorization_grant_profiles_supported')
    expect(JSON.parse((await call(`${gateway.url}/.well-known/openid-configuration`)).text)).toEqual(metadata)
  })
})

describe('a browser in which nobody is signed in', () => {
  it('is sent to sign in, and comes back to where it was', async () => {
    const client_id = (await register(gateway.url)).body.client_id
    const browser = new Browser()
    const question = { client_id, resource: `${gateway.url}/mcp`, code_challenge: challengeOf(newVerifier()) }
    const shown = await browser.go(authorizeUrl(gateway.url, question))
    expect(shown.status).toBe(302)
    expect(shown.headers.get('location')).toMatch(/^\/sign-in\?return=%2Foauth%2Finteraction%2F[\w-]+$/)
  })
})
