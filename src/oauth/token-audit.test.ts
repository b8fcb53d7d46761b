import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AuditItem, LAB, openYard, type Secret, type Yard } from '../../test/fixtures/machine-yard.ts'
import { basic, clientAssertion, keyPair } from '../../test/fixtures/machines.ts'

let yard: Yard
let own: Record<string, string>

beforeAll(async () => {
  yard = await openYard()
  const { secret } = await yard.gateway.operator<Secret>('POST /accounts/ci/secrets', {})
  own = basic('account.ci', secret)
  // Its keys are made when they are first needed, which is an event too.
  await fetch(`${yard.gateway.url}/oauth/jwks`)
})

afterAll(() => yard.stop())

const form = { 'content-type': 'application/x-www-form-urlencoded' }
const good = () => `grant_type=client_credentials&resource=${encodeURIComponent(yard.gateway.url + LAB)}`

type Sent = {
  readonly method?: string
  readonly headers?: () => Record<string, string>
  readonly body?: () => string
  readonly path?: string
}

const refusals: readonly [string, Sent, number][] = [
  ['another method', { method: 'GET' }, 405],
  ['another method at the older address', { method: 'PUT', path: '/token', body: good }, 405],
  [
    'a page of elsewhere',
    { headers: () => ({ ...own, ...form, origin: 'https://evil.example' }), body: good },
    403,
  ],
  ['no body', { headers: () => own }, 400],
  ['JSON', { headers: () => ({ ...own, 'content-type': 'application/json' }), body: () => '{}' }, 400],
  [
    'a body that is too long',
    { headers: () => ({ ...own, ...form }), body: () => `scope=${'x'.repeat(70_000)}` },
    400,
  ],
  [
    'a field twice',
    { headers: () => ({ ...own, ...form }), body: () => `${good()}&scope=mcp:use&scope=mcp:read` },
    400,
  ],
  ['two resources', { headers: () => ({ ...own, ...form }), body: () => `${good()}&resource=x` }, 400],
  ['no grant type', { headers: () => ({ ...own, ...form }), body: () => 'scope=mcp:use' }, 400],
  ['an unknown grant type', { headers: () => ({ ...own, ...form }), body: () => 'grant_type=magic' }, 400],
  ['nobody', { headers: () => form, body: good }, 400],
  ['a broken Authorization', { headers: () => ({ ...form, authorization: 'Basic %%%' }), body: good }, 400],
  [
    'two ways to prove it',
    { headers: () => ({ ...own, ...form }), body: () => `${good()}&client_secret=x` },
    400,
  ],
  ['a wrong secret', { headers: () => ({ ...basic('account.ci', 'x'), ...form }), body: good }, 401],
]

describe('the token endpoint', () => {
  it.each(refusals)('leaves one event of a refusal for %s', async (_, sent, status) => {
    const before = await newest()
    const { method = 'POST', path = '/oauth/token' } = sent
    const body = sent.body?.()
    const answer = await fetch(yard.gateway.url + path, {
      method,
      headers: sent.headers?.() ?? {},
      ...(body !== undefined && method !== 'GET' && { body }),
    })
    expect([answer.status, await answer.text()]).toEqual([status, expect.any(String)])
    const events = await since(before)
    expect(events.map(({ action, outcome }) => [action, outcome])).toEqual([['oauth.token', 'rejected']])
    expect(events[0]?.error).toEqual(expect.any(String))
    expect(events[0]?.decision?.reason).toEqual(expect.stringMatching(/./))
  })

  it('leaves one of what it gives, with who it is for', async () => {
    const before = await newest()
    const answer = await fetch(`${yard.gateway.url}/oauth/token`, {
      method: 'POST',
      headers: { ...own, ...form },
      body: good(),
    })
    const given = await answer.text()
    const events = await since(before)
    expect(events).toHaveLength(1)
    expect(events[0]).toMatchObject({ outcome: 'ok', who: { kind: 'account', name: 'ci' } })
    expect(JSON.stringify(events)).not.toContain((JSON.parse(given) as { access_token: string }).access_token)
  })

  it('says in the audit what the caller is not told', async () => {
    const key = keyPair()
    await yard.gateway.operator('PUT /accounts/ci/credentials', { keys: [key.jwk] })
    const body = new URLSearchParams({
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await clientAssertion('account.ci', [yard.gateway.url, 'https://other.example'], key),
    })
    const answer = await fetch(`${yard.gateway.url}/oauth/token`, { method: 'POST', body })
    expect(await answer.json()).toEqual({
      error: 'invalid_client',
      error_description: 'client authentication failed',
    })
    expect((await yard.told())[0]?.decision?.reason).toContain('one audience')
  })
})

type Listed = AuditItem & { readonly id: string }

async function events(): Promise<Listed[]> {
  return (await yard.gateway.operator<{ items: Listed[] }>('GET /audit?limit=20')).items
}

async function newest(): Promise<string | undefined> {
  return (await events())[0]?.id
}

async function since(id: string | undefined): Promise<Listed[]> {
  const all = await events()
  return all.slice(
    0,
    all.findIndex(event => event.id === id),
  )
}
