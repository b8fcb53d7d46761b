/** Servers that are called with what a caller's own identity provider gave for them: exchanged, or vouched for. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { apiOf, tokenFor } from '../../../test/fixtures/api.ts'
import { CompanyGateway, crew, emails, type Person, people } from '../../../test/fixtures/company-gateway.ts'
import { type Jar, openJar } from '../../../test/fixtures/cookie-jar.ts'
import { call } from '../../../test/fixtures/http-call.ts'
import { answerOf, inEra } from '../../../test/fixtures/mcp-call.ts'
import { claimsOf } from '../../../test/fixtures/protected-server.ts'
import { openDatabase } from '../../database/index.ts'
import type { Connection } from '../connect/view.ts'

let all: CompanyGateway

beforeAll(async () => {
  all = await CompanyGateway.open()
})

afterAll(() => all.stop())

afterEach(() => all.calm())

describe('token exchange', () => {
  const auth = { kind: 'token-exchange', audience: 'api://notes', scopes: ['use'] }

  it('shows the token of the call to the identity provider, and the server what came of it', async () => {
    await all.register(auth)
    const mine = await all.company.tokenOf('ana', 'api://gate')
    expect(await all.who(mine)).toBe(emails.ana)
    expect((await all.exchanges()).at(-1)).toMatchObject({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: mine,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      audience: 'api://notes',
      scope: 'use',
      client: 'gate',
    })
    expect(all.there.seen).not.toContain(mine)
    expect(claimsOf(all.there.seen.at(-1) ?? '')).toMatchObject({ sub: 'ana', aud: 'api://notes' })
  })

  it('uses what the sign-in left where the call came with a token of the gateway', async () => {
    await all.register(auth)
    expect(await all.connection('ana')).toMatchObject({ id: null, state: 'ready', repair: null })
    expect(await all.who(all.pats.ana)).toBe(emails.ana)
    expect((await all.exchanges()).at(-1)?.subject_token).not.toContain('gth_')
    expect(await all.connection('ana')).toMatchObject({
      state: 'connected',
      issuer: all.company.issuer,
      scopes: ['use'],
      renews: true,
    })
    expect(await all.events('vault.exchange')).toHaveLength(1)
  })

  it('asks once for all calls that come at the same time, and not again while it is good', async () => {
    await all.register(auth)
    const before = (await all.exchanges()).length
    const said = await Promise.all(Array.from({ length: 8 }, () => all.who(all.pats.ana)))
    expect(said).toEqual(Array(8).fill(emails.ana))
    expect((await all.exchanges()).length - before).toBe(1)
  })

  it('is the way of Microsoft Entra where that is set', async () => {
    await all.register({
      kind: 'token-exchange',
      way: 'on-behalf-of',
      scopes: ['api://notes/.default'],
      tokenParameters: { resource: all.there.url },
    })
    const mine = await all.company.tokenOf('ana', 'api://gate')
    expect(await all.who(mine)).toBe(emails.ana)
    const [asked] = (await all.exchanges()).slice(-1)
    expect(asked).toMatchObject({
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      requested_token_use: 'on_behalf_of',
      assertion: mine,
      scope: 'api://notes/.default',
    })
    expect(asked?.subject_token).toBeUndefined()
  })

  it('goes to another authorization server only where an admin names it, as the client named there', async () => {
    const elsewhere = {
      ...auth,
      tokenUrl: `${all.there.origin}/token`,
      clientId: 'at-there',
      clientSecret: 'hush',
    }
    await all.register(elsewhere)
    all.there.manners.token = () => ({
      body: { access_token: 'given-there', token_type: 'Bearer', expires_in: 60 },
    })
    all.there.manners.takes = token => (token === 'given-there' ? 'somebody' : undefined)
    const mine = await all.company.tokenOf('ana', 'api://gate')
    expect(await all.who(mine)).toBe('somebody')
    expect(all.there.asked.at(-1)?.get('subject_token')).toBe(mine)
    await expect(
      all.register({ ...elsewhere, clientId: undefined, clientSecret: undefined }),
    ).rejects.toThrow(/who the gateway is/)
  })

  it('shows the ID token of the sign-in where that is wanted, renewed when it has ended', async () => {
    await all.register({ ...auth, subjectToken: 'id' })
    expect(await all.who(all.pats.ana)).toBe(emails.ana)
    const { subject_token: shown = '', subject_token_type: type } = (await all.exchanges()).at(-1) ?? {}
    expect(type).toBe('urn:ietf:params:oauth:token-type:id_token')
    const { aud, exp, iat } = claimsOf(shown)
    expect({ aud, lasts: Number(exp) - Number(iat) }).toEqual({ aud: 'gate', lasts: 600 })
    // A token that came with a call is an access token, and is not taken for another.
    expect(await all.who(await all.company.tokenOf('bo', 'api://gate'))).toBe(emails.bo)
    expect(claimsOf((await all.exchanges()).at(-1)?.subject_token ?? '')).toMatchObject({
      sub: 'bo',
      aud: 'gate',
    })
  })

  it('is got again when the server refuses it, by all that were refused at once with one exchange', async () => {
    await all.register(auth)
    await all.who(all.pats.ana)
    const [old] = all.there.seen.slice(-1)
    all.there.manners.takes = token => (token === old ? undefined : all.takes(token))
    const before = (await all.exchanges()).length
    expect(await Promise.all([all.who(all.pats.ana), all.who(all.pats.ana)])).toEqual([
      emails.ana,
      emails.ana,
    ])
    expect((await all.exchanges()).length - before).toBe(1)
  })

  it('reads a server for who lists everything, where the gateway itself has nothing there', async () => {
    await all.register(auth)
    const said = inEra('stateless', { id: 'l', method: 'tools/list' })
    const token = await all.company.tokenOf('ana', 'api://gate')
    const { result, error } = answerOf(await call(`${all.gateway.url}/mcp?tools=list`, { ...said, token }))
    expect(JSON.stringify(result ?? error)).toContain(`${all.server.split('/')[1]}`)
  })

  it('is never that of another person, however many call at once', async () => {
    await all.register(auth)
    const jwts = await Promise.all(people.map(person => all.company.tokenOf(person, 'api://gate')))
    const calls = Array.from({ length: 30 }, (_, at) => {
      const person = people[at % people.length] ?? 'ana'
      return all
        .who(at % 2 === 0 ? all.pats[person] : (jwts[at % people.length] ?? ''))
        .then(said => [person, said])
    })
    for (const [person, said] of await Promise.all(calls)) expect(said).toBe(emails[person as Person])
  })

  it.each([
    ['no JSON', { status: 200, body: '<h1>hello</h1>' }],
    ['no token', { status: 200, body: { token_type: 'Bearer' } }],
    [
      'a token with control characters',
      { status: 200, body: { access_token: 'a\r\nX: y', token_type: 'Bearer' } },
    ],
    ['what is no access token', { status: 200, body: { access_token: 'a', token_type: 'N_A' } }],
    ['a token bound to a key', { status: 200, body: { access_token: 'a', token_type: 'DPoP' } }],
    [
      'a lifetime that is none',
      { status: 200, body: { access_token: 'a', token_type: 'Bearer', expires_in: 'soon' } },
    ],
    ['trouble of its own', { status: 503, body: { error: 'temporarily_unavailable' } }],
  ])('keeps nothing of an answer that is %s, and goes on once there is another', async (_, answer) => {
    await all.register(auth)
    await all.company.answerExchanges(answer)
    const seen = all.there.seen.length
    expect(await all.who(all.pats.ana)).toMatch(/authorization server/)
    expect(all.there.seen.length).toBe(seen)
    expect(await all.connection('ana')).toMatchObject({ state: 'ready', trouble: null })
    await all.company.answerExchanges(undefined)
    expect(await all.who(all.pats.ana)).toBe(emails.ana)
  })

  it('tells the managers where the gateway itself is refused', async () => {
    await all.register(auth)
    await all.company.answerExchanges({ status: 400, body: { error: 'invalid_target' } })
    expect(await all.who(all.pats.ana)).toMatch(
      /refuses the gateway \(invalid_target\).*manager of the group lab/,
    )
    expect(await all.connection('ana')).toMatchObject({ state: 'ready' })
  })

  it('is marked once when the sign-in is refused, asks nobody again, and is repaired by signing in', async () => {
    await all.register(auth)
    await all.company.answerExchanges({ status: 400, body: { error: 'invalid_grant' } })
    const before = (await all.exchanges()).length
    const said = await Promise.all([all.who(all.pats.ana), all.who(all.pats.ana)])
    said.push(await all.who(all.pats.ana))
    for (const each of said) expect(each).toContain(`/connect/${all.server}?for=`)
    expect((await all.exchanges()).length - before).toBe(1)
    expect(await all.events('vault.connection_broken')).toMatchObject([{ detail: { reason: 'sign-in' } }])
    expect(await all.connection('ana')).toMatchObject({
      state: 'broken',
      trouble: expect.stringMatching(/sign in/),
    })
    await all.company.answerExchanges(undefined)
    const link = new URL(/http:[^\s"]*\/connect\/[^\s"]*/.exec(said[0] ?? '')?.[0] ?? '')
    const page = await all.jars.ana.get(link.href)
    expect(page.text).toContain('Sign in at')
    const done = await all.throughThePage('ana', link)
    expect(done.text).toContain(`${all.server} is connected`)
    expect(await all.who(all.pats.ana)).toBe(emails.ana)
    expect(await all.connection('ana')).toMatchObject({ state: 'connected' })
  })
})

describe('who is nobody there', () => {
  it('is a virtual account, or somebody who never signed in there: told before anything is asked', async () => {
    await all.register({ kind: 'token-exchange', audience: 'api://notes' })
    const { operator } = all.gateway
    await operator('POST /accounts', { name: 'robot' })
    await operator('POST /groups/lab/grants', { subject: 'account:robot' })
    const robot = (await tokenFor(operator, 'account:robot')).token
    const [before, seen] = [(await all.exchanges()).length, all.there.seen.length]
    expect(await all.who(robot)).toMatch(/called as a person.*made by nobody of there/)
    await operator('POST /users', { email: 'dora@example.com' })
    await operator('POST /groups/lab/grants', { subject: 'user:dora@example.com' })
    const dora = (await tokenFor(operator, 'user:dora@example.com')).token
    expect(await all.who(dora)).toMatch(/sign in there again.*\/connect\//)
    expect([(await all.exchanges()).length, all.there.seen.length]).toEqual([before, seen])
  })

  it('is whoever signed out everywhere: what their sign-in left is gone', async () => {
    await all.register({ kind: 'token-exchange', audience: 'api://notes' })
    // What was got with it goes with it.
    expect(await all.who(all.pats.cy)).toBe(emails.cy)
    await apiOf(all.gateway.url, all.pats.cy)('DELETE /me/sessions')
    await expect.poll(() => all.who(all.pats.cy)).toMatch(/sign in there again/)
    expect(await all.connection('cy')).toMatchObject({
      state: 'needed',
      repair: expect.stringContaining('/connect/'),
    })
    expect(await all.who(all.pats.cy)).toContain(`/connect/${all.server}?for=`)
    await all.signIn('cy')
    expect(await all.who(all.pats.cy)).toBe(emails.cy)
  })

  it('is nobody of what was got before, though a call that brings a token of its own goes on', async () => {
    await all.register({ kind: 'token-exchange', audience: 'api://notes' })
    expect(await all.who(all.pats.cy)).toBe(emails.cy)
    const got = all.there.seen.at(-1)
    await apiOf(all.gateway.url, all.pats.cy)('DELETE /me/sessions')
    await expect.poll(() => all.who(all.pats.cy)).toMatch(/sign in there again/)
    expect(await all.who(await all.company.tokenOf('cy', 'api://gate'))).toBe(emails.cy)
    expect(all.there.seen.at(-1)).not.toBe(got)
    await all.signIn('cy', '/sign-in/acme', openJar())
  })

  it('is whoever was signed in before somebody else was in the same browser', async () => {
    await all.register({ kind: 'token-exchange', audience: 'api://notes' })
    const jar = openJar()
    await all.signIn('ana', '/sign-in/acme', jar)
    expect(await all.who(all.pats.ana)).toBe(emails.ana)
    // What was changed to register it has been heard of.
    await sleep(2500)
    expect(await all.who(all.pats.ana)).toBe(emails.ana)
    await all.company.setPeople(crew)
    await all.signIn('bo', '/sign-in/acme', jar)
    await expect.poll(() => all.who(all.pats.ana)).toMatch(/sign in there again/)
    await all.signIn('ana', '/sign-in/acme', openJar())
    expect(await all.who(all.pats.ana)).toBe(emails.ana)
  })

  it('is who signed out, or left the browser to somebody else, after it was left alone for too long', async () => {
    await all.register({ kind: 'token-exchange', audience: 'api://notes' })
    const database = await openDatabase({ dataDir: all.gateway.dataDir })
    const ways = {
      async bo(jar: Jar) {
        await all.company.setPeople(crew)
        await all.signIn('bo', '/sign-in/acme', jar)
      },
      async nobody(jar: Jar, page: string) {
        const [, name = '', value = ''] =
          /<input type="hidden" name="([^"]+)" value="([^"]*)"/.exec(page) ?? []
        const { url } = all.gateway
        expect((await jar.get(`${url}/sign-out`, { [name]: value }, { origin: url })).status).toBeLessThan(
          400,
        )
      },
    }
    for (const way of [ways.nobody, ways.bo]) {
      const jar = openJar()
      await all.signIn('ana', '/sign-in/acme', jar)
      const page = await jar.get(`${all.gateway.url}/account`)
      expect(await all.who(all.pats.ana)).toBe(emails.ana)
      await database.kysely.updateTable('browser_sessions').set({ seen_at: 0 }).execute()
      // Whoever comes in sweeps.
      await all.signIn('cy', '/sign-in/acme', openJar())
      expect(await all.who(all.pats.ana)).toBe(emails.ana)
      await way(jar, page.text)
      await expect.poll(() => all.who(all.pats.ana), { timeout: 5000 }).toMatch(/sign in there again/)
    }
    await database.close()
    for (const person of people) await all.signIn(person, '/sign-in/acme', openJar())
  })

  it('is everybody, once what their sign-ins left is not kept any more; and it is gone', async () => {
    await all.register({ kind: 'token-exchange', audience: 'api://notes' })
    const { operator } = all.gateway
    expect(await all.who(all.pats.ana)).toBe(emails.ana)
    await operator('PATCH /identity-providers/acme', { onBehalf: null })
    await expect.poll(() => all.who(all.pats.ana)).toMatch(/none is kept/)
    await operator('PATCH /identity-providers/acme', { onBehalf: {} })
    expect(await all.who(all.pats.ana)).toMatch(/sign in there again/)
    for (const person of people) await all.signIn(person, '/sign-in/acme', openJar())
  })
})

it('a server of an identity provider that is gone hides nothing else, and keeps nobody from their account', async () => {
  await all.register({ kind: 'token-exchange', audience: 'api://notes' })
  const { operator } = all.gateway
  const transport = { kind: 'streamable-http', url: all.there.url, allowPrivateNetwork: true }
  const auth = { kind: 'token-exchange', identityProvider: 'gone', audience: 'x' }
  await operator('POST /servers', { group: 'lab', name: 'orphan', transport, auth })
  const { items } = await apiOf(all.gateway.url, all.pats.ana)<{ items: Connection[] }>('GET /connections')
  expect(items.find(({ server }) => server === 'lab/orphan')).toMatchObject({
    state: 'needed',
    trouble: expect.stringContaining('There is no identity provider gone'),
    repair: null,
  })
  expect(items.some(({ server }) => server === all.server)).toBe(true)
  await operator('DELETE /servers/lab/orphan')
})

describe('the identity provider ends it', () => {
  const auth = { kind: 'token-exchange', audience: 'api://notes', subjectToken: 'id' }

  it('by refusing to renew the sign-in: noted once, and the person signs in again', async () => {
    await all.register(auth)
    await signInAgain('bo')
    // It begins anew, and knows nothing of what it gave.
    await all.company.setPeople(crew)
    const ended = async () => {
      const { items } = await all.gateway.operator<{ items: { action: string }[] }>('GET /audit?limit=500')
      return items.filter(({ action }) => action === 'identity.sign_in_ended').length
    }
    const before = await ended()
    const said = await Promise.all([all.who(all.pats.bo), all.who(all.pats.bo)])
    said.push(await all.who(all.pats.bo))
    for (const each of said) expect(each).toMatch(/sign in there again/)
    expect((await ended()) - before).toBe(1)
    // Nothing is wrong with the connection itself, and nothing of it was asked for.
    expect(await all.events('vault.connection_broken')).toEqual([])
    await signInAgain('bo')
    expect(await all.who(all.pats.bo)).toBe(emails.bo)
  })

  it('by saying that they signed out there: what the sign-in left is gone', async () => {
    await all.register(auth)
    await signInAgain('bo')
    expect(await all.who(all.pats.bo)).toBe(emails.bo)
    const events = { 'http://schemas.openid.net/event/backchannel-logout': {} }
    const claims = { aud: 'gate', sub: 'bo', jti: crypto.randomUUID(), events }
    const token = await all.company.mint({ claims, header: { typ: 'logout+jwt' } })
    const body = new URLSearchParams({ logout_token: token })
    const { status } = await fetch(`${all.gateway.url}/sign-in/acme/logout`, { method: 'POST', body })
    expect(status).toBe(200)
    await expect.poll(() => all.who(all.pats.bo)).toMatch(/sign in there again/)
    await signInAgain('bo')
    expect(await all.who(all.pats.bo)).toBe(emails.bo)
  })
})

/** In another browser, so that a session of before is not in the way. */
const signInAgain = (person: Person) => all.signIn(person, '/sign-in/acme', openJar())

describe('ID-JAG', () => {
  beforeAll(() => all.signIn('ana'))

  const auth = { kind: 'id-jag', clientId: 'gate-at-there', clientSecret: 'hush' }

  it('is got at the identity provider for the ID token, and exchanged where the server says', async () => {
    await all.register(auth)
    expect(await all.who(all.pats.ana)).toBe(emails.ana)
    const [asked] = (await all.exchanges()).slice(-1)
    expect(asked).toMatchObject({
      requested_token_type: 'urn:ietf:params:oauth:token-type:id-jag',
      audience: all.there.origin,
      resource: all.there.url,
      scope: 'read',
      subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
      client: 'gate',
    })
    expect(claimsOf(asked?.subject_token ?? '')).toMatchObject({ sub: 'ana', aud: 'gate' })
    const brought = all.there.asked.at(-1)
    expect(brought?.get('grant_type')).toBe('urn:ietf:params:oauth:grant-type:jwt-bearer')
    expect(claimsOf(brought?.get('assertion') ?? '')).toMatchObject({
      aud: all.there.origin,
      resource: all.there.url,
    })
    expect(brought?.toString()).not.toContain(asked?.subject_token)
    expect(await all.connection('ana')).toMatchObject({ state: 'connected', issuer: all.there.origin })
  })

  it.each([
    ['an access token', { access_token: 'eyJ.a.b', token_type: 'Bearer' }],
    ['something of another type', { access_token: 'eyJ.a.b', token_type: 'N_A', issued_token_type: 'urn:x' }],
    ['something of no type', { access_token: 'eyJ.a.b', token_type: 'N_A' }],
  ])('is not shown to the other side where the identity provider gives %s', async (_, body) => {
    await all.register(auth)
    await all.company.answerExchanges({ status: 200, body })
    const asked = all.there.asked.length
    expect(await all.who(all.pats.ana)).toMatch(/token of a type|something else than an ID-JAG/)
    expect(all.there.asked.length).toBe(asked)
  })

  it('is refused by the server of its choice: the person is told, once', async () => {
    await all.register(auth)
    all.there.manners.token = () => ({ status: 400, body: { error: 'invalid_grant' } })
    expect(await all.who(all.pats.ana)).toContain(`/connect/${all.server}?for=`)
    expect(await all.who(all.pats.ana)).toContain(`/connect/${all.server}?for=`)
    expect(await all.events('vault.connection_broken')).toHaveLength(1)
  })
})
