import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startEcho } from '../../test/fixtures/echo-http.ts'
import { type GatewayInside, openGatewayInside } from '../../test/fixtures/gateway-inside.ts'
import { call } from '../../test/fixtures/http-call.ts'
import { askToken, basic, clientAssertion, keyPair } from '../../test/fixtures/machines.ts'
import { hello, inEra } from '../../test/fixtures/mcp-call.ts'

let gateway: GatewayInside
let echo: Awaited<ReturnType<typeof startEcho>>
const key = keyPair('k1')

type Secret = { readonly id: string; readonly clientId: string; readonly secret: string }

beforeAll(async () => {
  gateway = await openGatewayInside()
  echo = await startEcho()
  await gateway.operator('POST /groups', { name: 'lab' })
  await gateway.operator('POST /accounts', { name: 'ci' })
  await gateway.operator('POST /groups/lab/grants', { subject: 'account:ci' })
  await gateway.operator('POST /servers', { group: 'lab', name: 'echo', transport: echo.transport })
  await gateway.operator('PUT /accounts/ci/credentials', { keys: [key.jwk] })
})

afterAll(async () => {
  await gateway.stop()
  await echo.stop()
})

const path = '/mcp/lab/echo/server'
const resource = () => gateway.url + path
const initialize = (at: string, token?: string) =>
  call(gateway.url + at, { ...inEra('session', { id: 1, method: 'initialize', params: hello }), token })

describe('a virtual account with a secret', () => {
  it('asks for a token and uses it', async () => {
    const made = await gateway.operator<Secret>('POST /accounts/ci/secrets', {})
    expect(made).toMatchObject({ clientId: 'account.ci', secret: expect.stringMatching(/^gth_ocs_/) })
    const answer = await askToken(
      gateway.url,
      { grant_type: 'client_credentials', resource: resource() },
      basic('account.ci', made.secret),
    )
    expect(answer.body).toEqual({
      access_token: expect.stringMatching(/^gth_oat_/),
      token_type: 'Bearer',
      expires_in: 900,
      scope: 'mcp:use',
    })
    expect((await initialize(path, answer.body.access_token)).status).toBe(200)
    expect((await initialize('/mcp', answer.body.access_token)).status).toBe(401)
  })
})

describe('a virtual account with a key', () => {
  it('asks for a token with an assertion', async () => {
    const answer = await askToken(gateway.url, {
      grant_type: 'client_credentials',
      resource: resource(),
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await clientAssertion('account.ci', gateway.url, key),
    })
    expect(answer.body.error_description).toBeUndefined()
    expect((await initialize(path, answer.body.access_token)).status).toBe(200)
  })
})
