import { afterAll, beforeAll, expect, it } from 'vitest'
import { LAB, openYard, type Yard } from '../../test/fixtures/machine-yard.ts'
import { keyPair, proof } from '../../test/fixtures/machines.ts'
import { signedInBrowser } from '../../test/fixtures/oauth-browser.ts'
import {
  authorizeUrl,
  challengeOf,
  newVerifier,
  redeem,
  refresh,
  returned,
  someClient,
} from '../../test/fixtures/oauth-client.ts'

let yard: Yard
const key = keyPair()

beforeAll(async () => {
  yard = await openYard()
  await yard.gateway.operator('POST /users', { email: 'ana@example.com' })
  await yard.gateway.operator('POST /groups/lab/grants', { subject: 'user:ana@example.com' })
})

afterAll(() => yard.stop())

it('T017: tokens of a client of people are bound too, through every refresh', async () => {
  const { url } = yard.gateway
  const dpop = () => proof(key, { htu: `${url}/oauth/token` })
  const browser = await signedInBrowser(yard.gateway, 'ana@example.com')
  const client_id = await someClient(url)
  const code_verifier = newVerifier()
  const question = { client_id, resource: url + LAB, code_challenge: challengeOf(code_verifier) }
  const page = await browser.go(authorizeUrl(url, question))
  const code = returned(await browser.submit(page, { decision: 'approve' })).get('code') ?? ''
  const first = await redeem(url, { code, client_id, code_verifier }, { dpop: await dpop() })
  expect(first.body.token_type).toBe('DPoP')
  const { refresh_token } = first.body
  expect((await refresh(url, { refresh_token, client_id })).body.error).toBe('invalid_grant')
  const stranger = await proof(keyPair(), { htu: `${url}/oauth/token` })
  expect((await refresh(url, { refresh_token, client_id }, { dpop: stranger })).status).toBe(400)
  const second = await refresh(url, { refresh_token, client_id }, { dpop: await dpop() })
  const token = second.body.access_token
  const made = await proof(key, { htu: url + LAB, token })
  const use = (headers: Record<string, string>) => yard.initialize(LAB, { headers })
  expect((await use({ authorization: `DPoP ${token}`, dpop: made })).status).toBe(200)
  expect((await use({ authorization: `Bearer ${token}` })).status).toBe(401)
})
