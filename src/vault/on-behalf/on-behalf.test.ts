/** Servers that are called with what a caller's own identity provider gave for them: exchanged, vouched for, or passed on. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { apiOf, tokenFor } from '../../../test/fixtures/api.ts'
import { signInThroughCompany } from '../../../test/fixtures/company-sign-in.ts'
import { type Jar, openJar } from '../../../test/fixtures/cookie-jar.ts'
import { type GatewayInside, openGatewayInside } from '../../../test/fixtures/gateway-inside.ts'
import { call } from '../../../test/fixtures/http-call.ts'
import {
  type IdentityProviderProcess,
  startIdentityProvider,
} from '../../../test/fixtures/identity-provider.ts'
import { answerOf, inEra, type Message } from '../../../test/fixtures/mcp-call.ts'
import {
  claimsOf,
  type Manners,
  type ProtectedServer,
  startProtectedServer,
} from '../../../test/fixtures/protected-server.ts'
import type { Connection } from '../connect/view.ts'

const people = ['ana', 'bo', 'cy'] as const
type Person = (typeof people)[number]
const emails = Object.fromEntries(people.map(id => [id, `${id}@acme.example`])) as Record<Person, string>
const crew = people.map(id => ({ id, email: emails[id], email_verified: true }))
const client = {
  client_id: 'gate',
  client_secret: 'a secret of the gateway at the company',
  grant_types: [
    'authorization_code',
    'refresh_token',
    'urn:ietf:params:oauth:grant-type:token-exchange',
    'urn:ietf:params:oauth:grant-type:jwt-bearer',
  ],
}

let gateway: GatewayInside
let company: IdentityProviderProcess
let there: ProtectedServer
let usual: Manners
const jars = {} as Record<Person, Jar>
/** Personal access tokens. */
const pats = {} as Record<Person, string>
let servers = 0
let server = ''

beforeAll(async () => {
  gateway = await openGatewayInside()
  there = await startProtectedServer()
  // What the company made for this server is taken there.
  there.manners.takes = token => {
    const { aud, email } = token.startsWith('eyJ') ? claimsOf(token) : {}
    return aud === there.url || aud === 'api://notes' ? String(email) : undefined
  }
  usual = { ...there.manners }
  company = await startIdentityProvider({
    people: crew,
    clients: [{ ...client, redirect_uris: [`${gateway.url}/sign-in/callback`] }],
    // It has ended before it can be used, so that what is used was renewed.
    idTokenSeconds: 2,
  })
  const { operator } = gateway
  await operator('POST /identity-providers', {
    name: 'acme',
    issuer: company.issuer,
    clientId: client.client_id,
    clientSecret: client.client_secret,
    use: { signIn: true, bearer: ['mcp'] },
    audiences: ['api://gate', 'api://notes'],
    domains: ['acme.example'],
    onBehalf: {},
    allowPrivateNetwork: true,
  })
  await operator('POST /groups', { name: 'lab' })
  for (const person of people) {
    jars[person] = openJar()
    await signIn(person)
    await operator('POST /groups/lab/grants', { subject: `user:${emails[person]}` })
    pats[person] = (await tokenFor(operator, `user:${emails[person]}`)).token
  }
})

afterAll(async () => {
  await gateway.stop()
  await there.stop()
  await company.stop()
})

afterEach(async () => {
  there.manners = { ...usual }
  await company.answerExchanges(undefined)
})

const signIn = (person: Person, begin = '/sign-in/acme') =>
  signInThroughCompany(jars[person], { gateway: gateway.url, issuer: company.issuer, login: person, begin })

/** A server of its own for each case, so that what is remembered of one is nothing to the next. */
async function register(auth: Record<string, unknown>): Promise<string> {
  server = `lab/s${++servers}`
  await gateway.operator('POST /servers', {
    group: 'lab',
    name: `s${servers}`,
    transport: { kind: 'streamable-http', url: there.url, allowPrivateNetwork: true },
    auth: { identityProvider: 'acme', ...auth },
  })
  return server
}

const whoami = { method: 'tools/call', params: { name: 'whoami', arguments: {} } }

async function ask(token: string): Promise<Message> {
  const url = `${gateway.url}/mcp/${server}/server`
  return answerOf(await call(url, { ...inEra('stateless', { id: 'c', ...whoami }), token }))
}

async function who(token: string): Promise<string> {
  const { result, error } = await ask(token)
  const content = result?.content as { text: string }[] | undefined
  return content?.[0]?.text ?? JSON.stringify(result ?? error)
}

async function connection(person: Person): Promise<Connection | undefined> {
  const { items } = await apiOf(gateway.url, pats[person])<{ items: Connection[] }>('GET /connections')
  return items.find(one => one.server === server)
}

type Told = { readonly action: string; readonly target: string; readonly detail: unknown }

async function events(action: string): Promise<Told[]> {
  const { items } = await gateway.operator<{ items: Told[] }>('GET /audit?limit=500')
  return items.filter(event => event.action === action && event.target === server)
}

const exchanges = async () => (await company.seen()).exchanges

describe('token exchange', () => {
  const auth = { kind: 'token-exchange', audience: 'api://notes', scopes: ['use'] }

  it('shows the token of the call to the identity provider, and the server what came of it', async () => {
    await register(auth)
    const mine = await company.tokenOf('ana', 'api://gate')
    expect(await who(mine)).toBe(emails.ana)
    expect((await exchanges()).at(-1)).toMatchObject({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: mine,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      audience: 'api://notes',
      scope: 'use',
      client: 'gate',
    })
    expect(there.seen).not.toContain(mine)
    expect(claimsOf(there.seen.at(-1) ?? '')).toMatchObject({ sub: 'ana', aud: 'api://notes' })
  })

  it('uses what the sign-in left where the call came with a token of the gateway', async () => {
    await register(auth)
    expect(await connection('ana')).toMatchObject({ id: null, state: 'ready', repair: null })
    expect(await who(pats.ana)).toBe(emails.ana)
    expect((await exchanges()).at(-1)?.subject_token).not.toContain('gth_')
    expect(await connection('ana')).toMatchObject({
      state: 'connected',
      issuer: company.issuer,
      scopes: ['use'],
      renews: true,
    })
    expect(await events('vault.exchange')).toHaveLength(1)
  })
})
