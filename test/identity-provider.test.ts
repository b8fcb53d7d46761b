import { decodeJwt, decodeProtectedHeader } from 'jose'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type IdentityProviderProcess, startIdentityProvider } from './fixtures/identity-provider.ts'

let company: IdentityProviderProcess
beforeAll(async () => {
  company = await startIdentityProvider({
    path: '/realms/acme',
    people: [{ id: 'ana', email: 'ana@acme.example', email_verified: true, groups: ['crew'] }],
    clients: [
      {
        client_id: 'robot',
        client_secret: 'robot-secret-robot-secret',
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        token_endpoint_auth_method: 'client_secret_post',
      },
    ],
  })
})
afterAll(() => company?.stop())

it('says where everything is, and counts who asks for its keys', async () => {
  const { issuer } = company
  const found = await fetch(`${issuer}/.well-known/openid-configuration`)
  const metadata = (await found.json()) as { jwks_uri: string }
  expect(metadata).toMatchObject({
    issuer,
    jwks_uri: `${issuer}/jwks`,
    end_session_endpoint: expect.anything(),
  })
  const { keys } = (await (await fetch(metadata.jwks_uri)).json()) as { keys: { kid: string }[] }
  expect(keys).toHaveLength(2)
  expect((await company.seen()).keysFetched).toBe(1)
})

it('gives programs access tokens for what they ask for', async () => {
  const token = await company.clientToken(
    { id: 'robot', secret: 'robot-secret-robot-secret' },
    'https://gate.example/mcp/a/b',
  )
  expect(decodeProtectedHeader(token)).toMatchObject({ typ: 'at+jwt', alg: 'RS256' })
  expect(decodeJwt(token)).toMatchObject({
    iss: company.issuer,
    sub: 'robot',
    aud: 'https://gate.example/mcp/a/b',
  })
})

it('signs a person in by two forms', async () => {
  await company.setClients([
    {
      client_id: 'gate',
      client_secret: 'gate-secret-gate-secret',
      redirect_uris: ['http://127.0.0.1:9/back'],
    },
  ])
  const query = new URLSearchParams({
    client_id: 'gate',
    response_type: 'code',
    redirect_uri: 'http://127.0.0.1:9/back',
    scope: 'openid email groups',
    code_challenge: 'x'.repeat(43),
    code_challenge_method: 'S256',
  })
  const jar = new Map<string, string>()
  const go = async (url: string, body?: URLSearchParams): Promise<{ url: string; text: string }> => {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await fetch(url, {
      redirect: 'manual',
      headers: { cookie },
      ...(body && { method: 'POST', body }),
    })
    for (const set of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? []
      jar.set(name, value)
    }
    const next = answer.headers.get('location')
    if (next === null) return { url, text: await answer.text() }
    const to = new URL(next, url).href
    return to.startsWith('http://127.0.0.1:9/') ? { url: to, text: '' } : go(to)
  }
  const login = await go(`${company.issuer}/auth?${query}`)
  expect(login.text).toContain('name="login"')
  const consent = await go(login.url, new URLSearchParams({ login: 'ana', password: 'x' }))
  expect(consent.text).toContain('Allow')
  const back = await go(consent.url, new URLSearchParams())
  expect(new URL(back.url).searchParams.get('code')).toBeTruthy()
  expect(new URL(back.url).searchParams.get('iss')).toBe(company.issuer)
})
