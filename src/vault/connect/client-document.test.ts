/** Where authorization servers read documents about clients, the gateway is known by its own: nothing is registered. */
import { createLocalJWKSet, jwtVerify } from 'jose'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { z } from 'zod'
import { type GatewayInside, openGatewayInside } from '../../../test/fixtures/gateway-inside.ts'
import { call } from '../../../test/fixtures/http-call.ts'
import { type Browser, signedInBrowser } from '../../../test/fixtures/oauth-browser.ts'
import { type ProtectedServer, startProtectedServer } from '../../../test/fixtures/protected-server.ts'

const publicUrl = 'https://gate.example'
let gateway: GatewayInside
let there: ProtectedServer
let ana: Browser
let servers = 0

beforeAll(async () => {
  gateway = await openGatewayInside({ environment: { GATEHOUSE_PUBLIC_URL: publicUrl } })
  there = await startProtectedServer()
  const { operator, dataDir } = gateway
  await operator('POST /users', { email: 'ana@example.com' })
  await operator('POST /groups', { name: 'lab' })
  await operator('POST /groups/lab/grants', { subject: 'user:ana@example.com' })
  ana = await signedInBrowser({ dataDir, publicUrl }, 'ana@example.com')
})

afterAll(async () => {
  await gateway.stop()
  await there.stop()
})

beforeEach(async () => {
  const transport = { kind: 'streamable-http', url: there.url, allowPrivateNetwork: true }
  await gateway.operator('POST /servers', {
    group: 'lab',
    name: `s${++servers}`,
    transport,
    auth: { kind: 'oauth2' },
  })
})

const documentSchema = z.object({
  client_id: z.string(),
  redirect_uris: z.array(z.string()),
  token_endpoint_auth_method: z.string(),
  jwks: z.object({ keys: z.array(z.looseObject({ kty: z.string() })) }).optional(),
})

/** What stands at an address of the gateway as the world has it. */
async function documentAt(address: string) {
  const { status, text } = await call(address.replace(publicUrl, gateway.url))
  expect(status).toBe(200)
  return documentSchema.parse(JSON.parse(text))
}

/** Connects, at an authorization server that takes these ways to authenticate; gives the two requests that it had. */
async function connect(authentications: readonly string[]) {
  there.manners.metadata = metadata => ({
    ...metadata,
    client_id_metadata_document_supported: true,
    token_endpoint_auth_methods_supported: authentications,
  })
  const page = await ana.go(`${gateway.url}/connect/lab/s${servers}`)
  const onward = await ana.submit(page, {}, { origin: publicUrl })
  const to = /content="0; url=([^"]+)"/.exec(onward.text)?.[1]?.replaceAll('&amp;', '&') ?? ''
  const back = (await fetch(to, { redirect: 'manual' })).headers.get('location') ?? ''
  expect((await ana.go(back.replace(publicUrl, gateway.url))).text).toContain('is connected')
  expect(there.registered).toEqual([])
  const [authorized, asked] = [there.authorized.at(-1), there.asked.at(-1)]
  if (authorized === undefined || asked === undefined) throw new Error('nothing was asked')
  return { authorized, asked, clientId: authorized.get('client_id') ?? '' }
}

it('has its own address as client id, and signs with the key in it', async () => {
  const { authorized, asked, clientId } = await connect(['none', 'private_key_jwt'])
  const { client_id, redirect_uris, token_endpoint_auth_method, jwks } = await documentAt(clientId)
  expect(client_id).toBe(clientId)
  expect(redirect_uris).toEqual([authorized.get('redirect_uri')])
  expect(token_endpoint_auth_method).toBe('private_key_jwt')
  const assertion = asked.get('client_assertion') ?? ''
  const keys = createLocalJWKSet(jwks ?? { keys: [] })
  const { payload } = await jwtVerify(assertion, keys, { audience: there.origin, issuer: clientId })
  expect(payload.sub).toBe(clientId)
})

it('has another as a public client, where no signatures are taken', async () => {
  const { asked, clientId } = await connect(['none', 'client_secret_basic'])
  expect(await documentAt(clientId)).toMatchObject({
    client_id: clientId,
    token_endpoint_auth_method: 'none',
  })
  expect([asked.get('client_id'), asked.get('client_assertion')]).toEqual([clientId, null])
})
