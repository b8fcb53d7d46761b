import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { acme, openCompanyOffice, startCompany } from '../../../../test/fixtures/company-office.ts'
import { directories } from '../../../../test/fixtures/databases.ts'
import type { Office } from '../../../../test/fixtures/identity.ts'
import type { IdentityProviderProcess, Minting } from '../../../../test/fixtures/identity-provider.ts'
import { type Database, openDatabase } from '../../../database/index.ts'

const newDirectory = directories()
let company: IdentityProviderProcess
let database: Database
let office: Office

beforeAll(async () => {
  company = await startCompany()
})
afterAll(() => company?.stop())
beforeEach(async () => {
  await company.setPeople(acme.people ?? [])
  await company.answerKeys('ok')
  database = await openDatabase({ dataDir: newDirectory() })
  office = await openCompanyOffice(database, company)
})
afterEach(() => database.close())

const identify = (token: string, resource = 'api') => office.identity.identify(`Bearer ${token}`, resource)
const bad = { rejected: 'identity.bad_token' }
const seconds = () => Math.floor(office.clock.now() / 1000)
const ana = (more: object = {}) => ({
  sub: 'ana',
  aud: 'api://gate',
  jti: 'j-1',
  email: 'ana@acme.example',
  email_verified: true,
  ...more,
})
const minted = (more: object = {}, how: Omit<Minting, 'claims'> = {}) =>
  company.mint({ claims: ana(more), ...how })

it('is the person the token is about, once and as long as it lives', async () => {
  const token = await company.tokenOf('ana', 'api://gate', { jti: 'first' })
  const first = await identify(token)
  expect(first).toMatchObject({
    kind: 'user',
    name: 'ana@acme.example',
    role: 'member',
    tokenId: 'acme:first',
  })
  await identify(token)
  const remembered = identify(token)
  expect(remembered).not.toBeInstanceOf(Promise)
  expect(remembered).toMatchObject({ name: 'ana@acme.example' })
  office.clock.move(331_000)
  expect(identify(token)).toMatchObject(bad)
})

it('T006: an algorithm of none is none', async () => {
  for (const alg of ['none', 'None', 'NONE', 'nOnE'])
    expect(await identify(await minted({}, { header: { alg }, key: 'none' }))).toMatchObject(bad)
  const whole = await minted()
  expect(await identify(`${whole.split('.').slice(0, 2).join('.')}.`)).toMatchObject(bad)
})

it('T007: the public key is no secret to sign with', async () => {
  const { publicKey } = await company.seen()
  for (const secret of Object.values(publicKey))
    for (const alg of ['HS256', 'RS256'])
      expect(await identify(await minted({}, { header: { alg }, key: { secret } }))).toMatchObject(bad)
})

it('T008: keys that a token brings or points at are nothing, and nobody is asked', async () => {
  await identify(await minted())
  const before = (await company.seen()).requests.length
  const { publicKey } = await company.seen()
  const elsewhere = `${company.issuer}/attacker`
  for (const header of [
    { jwk: JSON.parse(publicKey.jwk) },
    { jku: elsewhere },
    { x5u: elsewhere },
    { x5c: [Buffer.from(publicKey.der, 'latin1').toString('base64')] },
  ])
    expect(await identify(await minted({}, { header, key: 'foreign' }))).toMatchObject(bad)
  const asked = (await company.seen()).requests.slice(before)
  expect(asked.filter(line => !line.includes('/control/'))).toEqual([])
  expect(await identify(await minted({}, { header: { crit: ['exp'], exp: 1 } }))).toMatchObject(bad)
})

it('T009: a key id is a name and nothing else', async () => {
  for (const kid of ['../../etc/passwd', "' or 1=1 --", 'x'.repeat(10_240), 'a\u0000b', 7, {}, '']) {
    const outcome = await identify(await minted({}, { header: { kid } }))
    expect(outcome).toMatchObject(bad)
    expect(JSON.stringify(outcome)).not.toMatch(/etc|1=1|xxx|\\u0000/)
  }
})

it('T010: an ID token, a refresh token and a logout token are no access tokens', async () => {
  await office.ask('PATCH /identity-providers/acme', { clientId: 'gate', audiences: ['api://gate', 'gate'] })
  const jwt = { header: { typ: 'JWT' } }
  expect(await identify(await minted({}, jwt))).toMatchObject({ name: 'ana@acme.example' })
  expect(await identify(await minted({ aud: 'gate' }, jwt))).toMatchObject(bad)
  expect(await identify(await minted({ aud: ['api://gate', 'gate'] }, jwt))).toMatchObject(bad)
  expect(await identify(await minted({ aud: 'gate' }, { header: { typ: null } }))).toMatchObject(bad)
  for (const more of [
    { nonce: 'n' },
    { at_hash: 'h' },
    { typ: 'ID' },
    { typ: 'Refresh' },
    { token_use: 'id' },
    { events: { 'http://schemas.openid.net/event/backchannel-logout': {} } },
    { cnf: { jkt: 'thumb' } },
  ])
    expect(await identify(await minted(more, jwt)), JSON.stringify(more)).toMatchObject(bad)
  for (const typ of ['logout+jwt', 'dpop+jwt', 'oauth-id-jag+jwt', 'secevent+jwt', 'application/x'])
    expect(await identify(await minted({}, { header: { typ } })), typ).toMatchObject(bad)
  expect(await identify(await minted({}, { header: { typ: 'application/AT+JWT' } }))).toMatchObject({
    kind: 'user',
  })
})

it('T011: a token for one MCP endpoint is for that one', async () => {
  const url = 'https://gate.example/mcp/eng/files/server'
  const token = await minted({ aud: url })
  for (const path of [
    '/mcp/eng/files/server',
    '/mcp/eng/files',
    '/mcp/eng/files/sse',
    '/mcp/eng/files/server/',
  ])
    expect(await identify(token, path), path).toMatchObject({ name: 'ana@acme.example' })
  for (const path of [
    '/mcp/eng/filesx/server',
    '/mcp/eng/other/server',
    '/mcp',
    '/mcp/ops/files/server',
    'api',
  ])
    expect(await identify(token, path), path).toMatchObject(bad)
  for (const aud of [
    `${url}/`,
    url.toUpperCase(),
    'https://gate.example/mcp/Eng/files/server',
    'https://gate.example.evil/mcp/eng/files/server',
    'http://gate.example/mcp/eng/files/server',
    'https://gate.example/mcp/eng/files/server?x',
    'https://gate.example',
    'https://gate.example/',
  ])
    expect(await identify(await minted({ aud }), '/mcp/eng/files/server'), aud).toMatchObject(bad)
})

it("T011: every audience must be known; one that is not makes the token somebody else's", async () => {
  for (const aud of [
    undefined,
    '',
    [],
    'api://gate/',
    'API://gate',
    ['api://gate', 'other'],
    ['other', 'api://gate'],
    [7],
    { a: 1 },
  ])
    expect(await identify(await minted({ aud })), JSON.stringify(aud)).toMatchObject(bad)
  expect(await identify(await minted({ aud: ['api://gate', 'api://gate'] }))).toMatchObject({ kind: 'user' })
  const narrow = await minted({ aud: ['api://gate', 'https://gate.example/mcp/eng/files'] })
  expect(await identify(narrow, '/mcp/eng/files/server')).toMatchObject({ kind: 'user' })
  expect(await identify(narrow, '/mcp/eng/other/server')).toMatchObject(bad)
  expect(await identify(narrow)).toMatchObject(bad)
})

it("where tokens are taken is the provider's to say", async () => {
  const token = await minted()
  await office.ask('PATCH /identity-providers/acme', { use: { bearer: ['mcp'] } })
  expect(await identify(token)).toMatchObject(bad)
  expect(await identify(token, '/mcp/eng/files/server')).toMatchObject({ kind: 'user' })
  await office.ask('PATCH /identity-providers/acme', { use: { bearer: ['api'] } })
  expect(await identify(token, '/mcp/eng/files/server')).toMatchObject(bad)
  await office.ask('PATCH /identity-providers/acme', { use: { signIn: false } })
  expect(await identify(token)).toMatchObject(bad)
})

it("T012: who claims another issuer is held to that issuer's keys; equal subjects of two are two people", async () => {
  const other = await startCompany({
    people: [{ id: 'ana', email: 'ana@umbrella.example', email_verified: true }],
  })
  try {
    await office.ask('POST /identity-providers', {
      name: 'umbrella',
      issuer: other.issuer,
      use: { bearer: ['api'] },
      audiences: ['api://gate'],
      domains: ['umbrella.example'],
      allowPrivateNetwork: true,
    })
    const claims = ana({ iss: company.issuer })
    expect(await identify(await other.mint({ claims }))).toMatchObject(bad)
    for (const iss of [
      `${company.issuer}/`,
      company.issuer.toUpperCase(),
      [company.issuer],
      undefined,
      'https://nobody.example',
    ])
      expect(await identify(await minted({ iss })), String(iss)).toMatchObject(bad)
    const one = await identify(await company.tokenOf('ana', 'api://gate'))
    const two = await identify(await other.tokenOf('ana', 'api://gate'))
    expect([one, two]).toMatchObject([{ name: 'ana@acme.example' }, { name: 'ana@umbrella.example' }])
  } finally {
    await other.stop()
  }
})

it('T014: invented key ids make nobody ask for the keys more often', async () => {
  const before = (await company.seen()).keysFetched
  await identify(await minted())
  const flood = await Promise.all(
    Array.from({ length: 200 }, (_, i) => minted({ jti: `f${i}` }, { header: { kid: `invented-${i}` } })),
  )
  expect((await company.seen()).keysFetched).toBe(before + 1)
  for (const token of flood) expect(await identify(token)).toMatchObject(bad)
  expect((await company.seen()).keysFetched).toBe(before + 1)
  office.clock.move(30_000)
  await Promise.all(flood.map(token => identify(token)))
  expect((await company.seen()).keysFetched).toBe(before + 2)
})

it('takes a new key within half a minute, and no more what a key signed that is gone', async () => {
  const old = await minted()
  expect(await identify(old)).toMatchObject({ kind: 'user' })
  await company.rotate({ dropsFormer: true })
  const fresh = await minted({ jti: 'j-2' })
  expect(await identify(fresh)).toMatchObject(bad)
  office.clock.move(30_000)
  expect(await identify(fresh)).toMatchObject({ kind: 'user' })
  expect(await identify(old)).toMatchObject(bad)
})

it.each(['down', 'slow', '500', 'html', 'huge'] as const)(
  'T015: keys endpoint %s: what is known goes on',
  async trouble => {
    await identify(await minted())
    await company.answerKeys(trouble)
    office.clock.move(700_000)
    const later = seconds()
    const live = (jti: string, how = {}) => minted({ jti, iat: later, exp: later + 90_000 }, how)
    expect(await identify(await live('j-3'))).toMatchObject({ kind: 'user' })
    office.clock.move(31_000)
    // The slow one never answers: whoever asks there gives up by themselves.
    expect(await identify(await live('j-4', { header: { kid: 'unknown' } }))).toMatchObject(bad)
    office.clock.move(86_400_000)
    expect(await identify(await live('j-5'))).toMatchObject({ rejected: 'identity.unavailable' })
    await company.answerKeys('ok')
    office.clock.move(60_000)
    const end = seconds()
    expect(await identify(await minted({ jti: 'j-6', iat: end, exp: end + 60 }))).toMatchObject({
      kind: 'user',
    })
  },
)

it('T016: half a minute is forgiven, and no more', async () => {
  const now = seconds()
  const cases: [object, object][] = [
    [{ exp: now - 31 }, bad],
    [{ exp: now - 28 }, { kind: 'user' }],
    [{ nbf: now + 33 }, bad],
    [{ nbf: now + 28 }, { kind: 'user' }],
    [{ exp: undefined }, bad],
    [{ sub: undefined }, bad],
    [{ iat: undefined }, bad],
    [{ exp: 'tomorrow' }, bad],
    [{ exp: now - 31, jti: 'x', iat: now - 400 }, bad],
  ]
  for (const [more, wanted] of cases)
    expect(await identify(await minted(more)), JSON.stringify(more)).toMatchObject(wanted)
})

it('T020: a token of nobody costs no question of the database', async () => {
  const token = await minted({ iss: 'https://nobody.example' })
  await database.close()
  expect(await identify(token)).toMatchObject({ ...bad, why: 'The issuer of the token is not known here.' })
  database = await openDatabase({ dataDir: newDirectory() })
})

it('T020: how wrong a signature is does not show in time', async () => {
  const token = await minted()
  const [head, payload, signature = ''] = token.split('.')
  const bytes = Buffer.from(signature, 'base64url')
  const near = (n: number) => {
    const at = bytes.length - 1 - (n % 8)
    return Buffer.from(bytes.with(at, (bytes[at] ?? 0) ^ ((n % 255) + 1)))
  }
  const far = () => randomBytes(bytes.length)
  const took = async (wrong: Buffer) => {
    const from = performance.now()
    expect(await identify(`${head}.${payload}.${wrong.toString('base64url')}`)).toMatchObject(bad)
    return performance.now() - from
  }
  const times: [number[], number[]] = [[], []]
  for (let n = 0; n < 600; n++) {
    times[0].push(await took(near(n)))
    times[1].push(await took(far()))
  }
  const [a, b] = times.map(all => all.sort((x, y) => x - y)[300] ?? 0)
  expect((a ?? 0) / (b ?? 1)).toBeGreaterThan(0.75)
  expect((a ?? 0) / (b ?? 1)).toBeLessThan(1.33)
})

it('two tokens that begin or end alike are two (CVE-2026-35030)', async () => {
  const mine = await company.tokenOf('ana', 'api://gate')
  const [head, payload, signature] = mine.split('.')
  expect(await identify(mine)).toMatchObject({ kind: 'user' })
  const forged = Buffer.from(
    JSON.stringify({ ...JSON.parse(Buffer.from(payload ?? '', 'base64url').toString()), sub: 'bo' }),
  )
  for (const other of [`${mine}x`, mine.slice(0, -1), `${head}.${forged.toString('base64url')}.${signature}`])
    expect(await identify(other)).toMatchObject(bad)
})

it('what stays open is looked at again after each change, and for what it is used', async () => {
  let now = await identify(await minted(), '/mcp/eng/files/server')
  const again = async () => ('rejected' in now ? now : office.identity.recheck(now, '/mcp/eng/files/server'))
  for (let i = 0; i < 3; i++) {
    await office.ask('POST /teams', { name: `team-${i}`, members: ['ana@acme.example'] })
    now = await again()
    expect(now).toMatchObject({ subjects: expect.arrayContaining([`team:team-${i}`]) })
  }
  await office.ask('PATCH /identity-providers/acme', { use: { bearer: ['api'] } })
  expect(await again()).toMatchObject(bad)
})

it('is forgotten with the person, the provider, and what it may do', async () => {
  const token = await minted()
  const user = () => identify(token)
  expect(await user()).toMatchObject({ kind: 'user' })
  const principal = await user()
  await office.ask('PATCH /users/ana@acme.example', { disabled: true })
  expect(await user()).toMatchObject({ rejected: 'identity.not_admitted' })
  if ('rejected' in principal) throw new Error(principal.why)
  expect(await office.identity.recheck(principal)).toMatchObject(bad)
  await office.ask('PATCH /users/ana@acme.example', { disabled: false })
  expect(await office.identity.recheck(principal)).toMatchObject({ name: 'ana@acme.example' })
  await office.ask('PATCH /identity-providers/acme', { audiences: ['api://other'] })
  expect(await user()).toMatchObject(bad)
  expect(await office.identity.recheck(principal)).toMatchObject(bad)
})

it('a header or payload that two readers could read differently is refused', async () => {
  const encode = (text: string) => Buffer.from(text).toString('base64url')
  const whole = await minted()
  const [head = '', payload = '', signature = ''] = whole.split('.')
  const twice = encode('{"alg":"RS256","alg":"none"}')
  for (const token of [
    `${twice}.${payload}.${signature}`,
    `${head}.${encode('{"iss":1')}.${signature}`,
    'eyJ.eyJ.x',
    `eyJ${'A'.repeat(20_000)}.eyJ.x`,
  ])
    expect(await identify(token)).toMatchObject(bad)
})
