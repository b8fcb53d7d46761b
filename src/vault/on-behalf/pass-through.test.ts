/** T070: whose token goes where. The caller's own is passed on by explicit choice and for the server alone; the gateway's never are. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { apiOf, tokenFor } from '../../../test/fixtures/api.ts'
import { filesBelow, openCanaries } from '../../../test/fixtures/canaries.ts'
import { CompanyGateway, emails, people } from '../../../test/fixtures/company-gateway.ts'
import { call } from '../../../test/fixtures/http-call.ts'
import { inEra, openSession } from '../../../test/fixtures/mcp-call.ts'
import { claimsOf } from '../../../test/fixtures/protected-server.ts'

let all: CompanyGateway

beforeAll(async () => {
  all = await CompanyGateway.open()
})

afterAll(() => all.stop())

afterEach(() => all.calm())

const passThrough = { kind: 'pass-through', audience: 'api://notes' }

describe('T070: the token of a call', () => {
  it('is passed on where its audience is the one of the server', async () => {
    await all.register(passThrough)
    const mine = await all.company.tokenOf('ana', 'api://notes')
    expect(await all.who(mine)).toBe(emails.ana)
    expect(all.there.seen.at(-1)).toBe(mine)
    await all.register({ kind: 'pass-through' })
    const byUrl = await all.company.tokenOf('ana', all.there.url)
    expect(await all.who(byUrl)).toBe(emails.ana)
    expect(all.there.seen.at(-1)).toBe(byUrl)
  })

  it('is that of the person who calls, call for call, and nobody keeps it', async () => {
    await all.register(passThrough)
    const tokens = await Promise.all(people.map(person => all.company.tokenOf(person, 'api://notes')))
    const calls = Array.from({ length: 30 }, (_, at) => all.who(tokens[at % people.length] ?? ''))
    const said = await Promise.all(calls)
    expect(said).toEqual(Array.from({ length: 30 }, (_, at) => emails[people[at % people.length] ?? 'ana']))
    const second = await all.company.tokenOf('ana', 'api://notes', { jti: 'another' })
    await all.who(second)
    expect(all.there.seen).toContain(second)
    // With a token of the gateway they are nobody there, however often they were before.
    expect(await all.who(all.pats.ana)).toMatch(/pass_through_refused/)
    expect(await all.connection('ana')).toBeUndefined()
  })

  it('goes with the session it came in, each call with its own', async () => {
    await all.register(passThrough)
    const url = `${all.gateway.url}/mcp/${all.server}/server`
    const first = await all.company.tokenOf('ana', 'api://notes', { jti: 'one' })
    const session = await openSession(url, first)
    expect(all.there.seen.at(-1)).toBe(first)
    const later = await all.company.tokenOf('ana', 'api://notes', { jti: 'two' })
    const list = { id: 'l', method: 'tools/call', params: { name: 'whoami', arguments: {} }, session }
    expect((await call(url, { ...inEra('session', list), token: later })).text).toContain(emails.ana)
    expect(all.there.seen.at(-1)).toBe(later)
  })

  it.each([
    ['is for the gateway alone', 'api://gate', {}],
    ['is for the server spelled otherwise', 'api://gate', { aud: ['api://gate', 'api://Notes'] }],
    ['is for what begins like the server', 'api://gate', { aud: ['api://gate', 'api://notes/'] }],
  ])('is not passed on where it %s', async (_, audience, more) => {
    await all.register(passThrough)
    const seen = all.there.seen.length
    const said = await all.who(await all.company.tokenOf('ana', audience, more))
    expect(said).toMatch(/for somebody else|identity\.bad_token/)
    expect(all.there.seen.length).toBe(seen)
  })

  it.each(['token-exchange', 'id-jag', 'pass-through'])('is never one of the gateway: %s', async kind => {
    await all.register({
      kind,
      ...(kind === 'id-jag' ? { clientId: 'x', clientSecret: 'y' } : { audience: 'api://notes' }),
    })
    await all.gateway.operator('POST /accounts', { name: `a-${kind}` })
    await all.gateway.operator('POST /groups/lab/grants', { subject: `account:a-${kind}` })
    const vat = (await tokenFor(all.gateway.operator, `account:a-${kind}`)).token
    for (const token of [all.pats.ana, vat]) await all.who(token)
    const shown = [
      ...all.there.seen,
      ...all.there.asked.map(String),
      ...(await all.exchanges()).map(asked => JSON.stringify(asked)),
    ].join(' ')
    expect(shown).not.toContain('gth_')
    for (const token of [all.pats.ana, vat]) expect(shown).not.toContain(token)
  })

  it('is not used after it has ended, nor when the server refuses it: the caller is told', async () => {
    await all.register(passThrough)
    all.there.manners.refusesAll = true
    expect(await all.who(await all.company.tokenOf('ana', 'api://notes'))).toMatch(/does not take the token/)
    all.there.manners.refusesAll = false
    const now = Math.floor(Date.now() / 1000)
    const old = await all.company.tokenOf('ana', 'api://notes', { exp: now - 60, iat: now - 120 })
    expect(await all.who(old)).toMatch(/expired/)
  })

  it('is of the identity provider that is set, and of no other', async () => {
    await all.register({ ...passThrough, identityProvider: 'umbrella' })
    const seen = all.there.seen.length
    expect(await all.who(await all.company.tokenOf('ana', 'api://notes'))).toMatch(
      /There is no identity provider umbrella/,
    )
    expect(all.there.seen.length).toBe(seen)
  })
})

describe('who says where tokens of people go', () => {
  it.each(['token-exchange', 'id-jag', 'pass-through'])('is an admin: %s', async kind => {
    const { operator, url } = all.gateway
    await operator(`PUT /groups/lab/managers/user:${emails.bo}`)
    const manager = apiOf(url, all.pats.bo)
    const transport = { kind: 'streamable-http', url: 'https://notes.example/mcp' }
    const auth = { kind, identityProvider: 'acme' }
    const refused = /Only admins may set or change a server with auth kind/
    await expect(
      manager('POST /servers', { group: 'lab', name: `m-${kind}`, transport, auth }),
    ).rejects.toThrow(refused)
    await operator('POST /servers', { group: 'lab', name: `m-${kind}`, transport, auth })
    const server = `/servers/lab/m-${kind}`
    const moved = { ...transport, url: 'https://notes.example/elsewhere' }
    await expect(manager(`PATCH ${server}`, { transport: moved })).rejects.toThrow(refused)
    await expect(manager(`PATCH ${server}`, { auth: { kind: 'none' } })).rejects.toThrow(refused)
    await manager(`PATCH ${server}`, { description: 'notes' })
    await expect(manager(`PATCH ${server}`, { auth })).resolves.toBeDefined()
  })
})

describe('what an identity provider gave', () => {
  it('is nowhere in the clear: audit, answers, database, files', async () => {
    const canaries = openCanaries()
    await all.register(passThrough)
    const mine = canaries.watch('passed', await all.company.tokenOf('ana', 'api://notes'))
    await all.who(mine)
    await all.register({ kind: 'token-exchange', audience: 'api://notes', subjectToken: 'id' })
    await all.who(all.pats.ana)
    canaries.watch('id token', (await all.exchanges()).at(-1)?.subject_token ?? '')
    canaries.watch('exchanged', all.there.seen.at(-1) ?? '')
    expect(claimsOf(all.there.seen.at(-1) ?? '')).toMatchObject({ aud: 'api://notes', client_id: 'gate' })
    await all.company.answerExchanges({ status: 400, body: { error: 'invalid_grant' } })
    await all.register({ kind: 'token-exchange', audience: 'api://notes' })
    const brought = canaries.watch('brought', await all.company.tokenOf('bo', 'api://gate'))
    expect(canaries.in(await all.who(brought))).toEqual([])
    const { operator } = all.gateway
    for (const path of ['/audit?limit=500', '/connections?all=true', '/servers', '/identity-providers'])
      expect(canaries.in(JSON.stringify(await operator(`GET ${path}`))), path).toEqual([])
    for (const [path, bytes] of filesBelow(all.gateway.dataDir)) expect(canaries.in(bytes), path).toEqual([])
    expect(canaries.names).toHaveLength(4)
  })
})
