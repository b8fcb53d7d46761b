/** A platform with two customers: each one's people come with tokens of their own identity provider, and reach what is theirs. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Api, apiOf } from '../fixtures/api.ts'
import { startEcho } from '../fixtures/echo-http.ts'
import { type Gateway, startGateway } from '../fixtures/gateway.ts'
import { call } from '../fixtures/http-call.ts'
import { type IdentityProviderProcess, startIdentityProvider } from '../fixtures/identity-provider.ts'
import { type Era, inEra, messagesOf, openSession } from '../fixtures/mcp-call.ts'

let acme: IdentityProviderProcess
let umbrella: IdentityProviderProcess
let echo: Awaited<ReturnType<typeof startEcho>>
let gateway: Gateway
let api: Api

const provider = (name: string, issuer: string, bound: object) => ({
  name,
  issuer,
  bound,
  use: { bearer: ['mcp', 'api'] },
  audiences: ['api://platform'],
  allowPrivateNetwork: true,
})

beforeAll(async () => {
  const people = [{ id: 'u-1', email: 'root@example.com', email_verified: true }]
  acme = await startIdentityProvider({ people })
  umbrella = await startIdentityProvider({ people })
  echo = await startEcho()
  const server = (group: string) => ({ group, name: 'files', transport: echo.transport })
  gateway = await startGateway({
    user: 'root@example.com',
    manifest: {
      identityProviders: [
        provider('acme', acme.issuer, { groupPrefix: 'acme-' }),
        provider('umbrella', umbrella.issuer, { team: 'umbrella' }),
      ],
      users: [{ email: 'root@example.com', role: 'admin' }],
      teams: [{ name: 'umbrella' }],
      groups: [
        { name: 'acme-eng', access: [{ subject: 'everyone' }] },
        { name: 'umbrella-eng', access: [{ subject: 'team:umbrella' }] },
        { name: 'shared', access: [{ subject: 'everyone' }, { subject: 'user:root@example.com' }] },
      ],
      servers: ['acme-eng', 'umbrella-eng', 'shared'].map(server),
      policies: [{ name: 'open', text: 'permit(principal, action, resource in Group::"shared");' }],
    },
  })
  api = apiOf(gateway.url, gateway.token)
})

afterAll(async () => {
  await gateway?.stop()
  await echo?.stop()
  await acme?.stop()
  await umbrella?.stop()
})

const urlOf = (group: string) => `${gateway.url}/mcp/${group}/files/server`
const tokenOf = (company: IdentityProviderProcess, jti: string, audience = 'api://platform') =>
  company.tokenOf('u-1', audience, { jti })

async function reaches(group: string, token: string, era: Era): Promise<boolean> {
  const session =
    era === 'session' ? await openSession(urlOf(group), token).catch(() => undefined) : undefined
  if (era === 'session' && session === undefined) return false
  const answer = await call(urlOf(group), { ...inEra(era, { id: 1, method: 'tools/list', session }), token })
  if (answer.status !== 200) return false
  return messagesOf(answer).some(({ result }) => Array.isArray(result?.tools) && result.tools.length > 0)
}

it.each(['session', 'stateless'] as const)('each reaches what is theirs, in the era %s', async era => {
  for (const [company, own] of [
    [acme, 'acme-eng'],
    [umbrella, 'umbrella-eng'],
  ] as const) {
    const token = await tokenOf(company, `first-${own}`)
    for (const group of ['acme-eng', 'umbrella-eng', 'shared'])
      expect(await reaches(group, token, era), `${own}: ${group}`).toBe(group === own)
    const { text } = await call(`${gateway.url}/mcp?tools=list`, {
      ...inEra('stateless', { id: 1, method: 'tools/list' }),
      token,
    })
    for (const group of ['acme-eng', 'umbrella-eng', 'shared']) {
      const isThere = JSON.stringify(
        messagesOf({ headers: { 'content-type': 'application/json' }, text }),
      ).includes(`${group}`)
      if (group !== own) expect(isThere, `${own} at /mcp: ${group}`).toBe(false)
    }
  }
})

it('what they make of a token has the same bounds, whatever is granted to them by name', async () => {
  const theirs = apiOf(gateway.url, await tokenOf(umbrella, 'for-the-api'))
  const me = await theirs<{ name: string; role: string; subjects: string[] }>('GET /me')
  expect(me).toMatchObject({ role: 'member', subjects: ['team:umbrella'] })
  expect(me.name).toMatch(/^root\.[0-9a-f]{12}@umbrella\.invalid$/)
  await api('POST /groups/shared/grants', { subject: `user:${me.name}` })
  const { token } = await theirs<{ token: string }>('POST /tokens', { expires: '1d' })
  expect(await reaches('shared', token, 'stateless')).toBe(false)
  expect(await reaches('umbrella-eng', token, 'stateless')).toBe(true)
  const why = await api<{ allowed: boolean; steps: { says: string }[]; wouldChange: unknown[] }>(
    `GET /access/explain?subject=user:${me.name}&server=shared/files`,
  )
  expect(why).toMatchObject({ allowed: false, wouldChange: [] })
  expect(why.steps.map(({ says }) => says).join('\n')).toContain('bound to what team:umbrella is granted')
  const groups = await theirs<{ items: { name: string }[] }>('GET /groups')
  expect(groups.items.map(({ name }) => name)).toEqual(['umbrella-eng'])
  await expect(theirs('GET /users')).rejects.toThrow('403')
})

it('T011: a token for one endpoint is refused at the next and at the API', async () => {
  const token = await tokenOf(acme, 'narrow', urlOf('acme-eng'))
  expect(await reaches('acme-eng', token, 'stateless')).toBe(true)
  const elsewhere = await call(`${gateway.url}/mcp`, {
    ...inEra('stateless', { id: 1, method: 'tools/list' }),
    token,
  })
  expect([elsewhere.status, elsewhere.headers['www-authenticate']]).toEqual([
    401,
    expect.stringContaining('invalid_token'),
  ])
  expect((await call(`${gateway.url}/api/v1/me`, { token })).status).toBe(401)
})

/** Signed with the key before the last rotation. */
const formerKeys = (jti: string) =>
  acme.mint({ claims: { sub: 'u-1', aud: 'api://platform', jti }, key: 'former' })

it('a key is rotated without a failed call', async () => {
  await acme.rotate()
  for (let i = 0; i < 3; i++)
    expect(await reaches('acme-eng', await formerKeys(`old-${i}`), 'stateless')).toBe(true)
})

it('what they did is theirs in the audit, by the token that did it', async () => {
  const { items } = await api<{
    items: { who: { name: string; tokenId: string }; target: string; action: string }[]
  }>('GET /audit?action=tools/list')
  const of = (tokenId: string) =>
    items.filter(({ who }) => who.tokenId === tokenId).map(({ target }) => target)
  expect(of('umbrella:first-umbrella-eng')).toContain('umbrella-eng/files')
  expect(of('acme:first-acme-eng')).toContain('acme-eng/files')
  const names = new Set(items.map(({ who }) => who.name))
  expect([...names].filter(name => name.endsWith('.invalid'))).toHaveLength(2)
})

it('what they used is counted for each: by tenant, by person, by server and tool', async () => {
  const called = async (group: string, token: string, name: string) => {
    const asked = inEra('stateless', {
      id: 1,
      method: 'tools/call',
      params: { name, arguments: { text: 'x' } },
    })
    await call(urlOf(group), { ...asked, token })
  }
  const [theirs, ours] = [await tokenOf(umbrella, 'using'), await formerKeys('using')]
  for (let n = 0; n < 3; n++) await called('umbrella-eng', theirs, 'echo')
  await called('acme-eng', ours, 'echo')
  await called('umbrella-eng', ours, 'echo')
  const { items } = await api<{ items: object[] }>('GET /usage?by=provider,group,tool')
  expect(items).toEqual([
    { provider: 'umbrella', group: 'umbrella-eng', tool: 'echo', calls: 3, refused: 0, failed: 0 },
    { provider: 'acme', group: 'acme-eng', tool: 'echo', calls: 1, refused: 0, failed: 0 },
  ])
  const csv = await gateway.cli('usage', '--provider', 'umbrella', '--by', 'provider,who,server', '--csv')
  expect(csv).toMatch(
    /^provider,who,server,calls,refused,failed\numbrella,user:root\.[0-9a-f]{12}@umbrella\.invalid,files,3,0,0\n$/,
  )
  expect(await gateway.cli('usage', '--by', 'provider')).toMatch(/^umbrella +3 +0 +0$/m)
  // A tenant sees its own use, and nobody else's.
  const own = apiOf(gateway.url, theirs)
  expect(await own('GET /usage?by=provider')).toMatchObject({ items: [{ provider: 'umbrella', calls: 3 }] })
})

it('T018: failing JWTs of one address slow that address down, and nobody else, and no token that is good', async () => {
  const good = await formerKeys('good')
  const forged = `${good.slice(0, -8)}AAAAAAAA`
  const asked = (token: string, from: string) =>
    call(urlOf('acme-eng'), { ...inEra('stateless', { id: 1, method: 'tools/list' }), token, from })
  expect((await asked(good, '127.0.0.9')).status).toBe(200)
  const answers = []
  for (let n = 0; n < 102; n++) answers.push(await asked(forged, '127.0.0.9'))
  expect(answers.slice(0, 100).every(({ status }) => status === 401)).toBe(true)
  expect(answers.at(-1)).toMatchObject({
    status: 429,
    headers: { 'retry-after': expect.stringMatching(/^\d+$/) },
  })
  expect((await asked(good, '127.0.0.9')).status).toBe(200)
  expect((await asked(await formerKeys('another'), '127.0.0.9')).status).toBe(200)
  expect((await asked(forged, '127.0.0.10')).status).toBe(401)
})

it('a tenant that is disabled is out soon, also with what is remembered', async () => {
  const token = await tokenOf(umbrella, 'last')
  expect(await reaches('umbrella-eng', token, 'stateless')).toBe(true)
  expect(await gateway.cli('identity-provider', 'list')).toContain(umbrella.issuer)
  expect(await gateway.cli('identity-provider', 'test', 'umbrella')).toContain(
    'It names exactly this issuer.',
  )
  await expect(gateway.cli('identity-provider', 'remove', 'umbrella')).rejects.toThrow('--disable-people')
  expect(await gateway.cli('identity-provider', 'remove', 'umbrella', '--disable-people')).toContain(
    'Removed',
  )
  await expect.poll(() => reaches('umbrella-eng', token, 'stateless')).toBe(false)
  expect(await reaches('acme-eng', await formerKeys('still'), 'stateless')).toBe(true)
})
