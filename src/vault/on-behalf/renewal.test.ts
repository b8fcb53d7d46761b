/** What was got with somebody's sign-in is got again ahead of its end: once in all processes, and never at the price of what is good. */
import { expect, it } from 'vitest'
import { type Open, onEachDatabase } from '../../../test/fixtures/databases.ts'
import { handClock, memoryAudit, testMasterKey } from '../../../test/fixtures/identity.ts'
import { openRooms } from '../../../test/fixtures/rooms.ts'
import { GatewayError } from '../../foundation/errors.ts'
import { Secret } from '../../foundation/secret.ts'
import type { Asker, Upstream } from '../../upstreams/index.ts'
import { tokenExchange } from '../auth-types/token-exchange.ts'
import { openCustody } from '../credentials/custody.ts'
import { RefusedGrant } from '../oauth/client.ts'
import type { Authority } from '../oauth/discover.ts'
import type { OAuth } from '../oauth/open.ts'
import { openSeals } from '../vault.ts'
import { openOnBehalf } from './open.ts'

const authority: Authority = {
  ...{ issuer: 'https://login.example', tokenEndpoint: 'https://login.example/token', scopes: ['use'] },
  ...{ authorizationEndpoint: undefined, registrationEndpoint: undefined, revocationEndpoint: undefined },
  ...{ resource: undefined, authentications: undefined, algorithms: undefined },
  ...{ saysIssuer: false, readsDocuments: false, scopesSupported: [] },
}

const ana: Asker = { id: 'ana', kind: 'user', subjects: ['user:ana@acme.example'] }

type Headers = () => Promise<readonly string[]>

/** Two processes of one database, the identity provider that they ask, and a clock. */
async function openTwo(open: Open) {
  const rooms = await openRooms(await open())
  await rooms.ask('POST /groups', { name: 'lab' })
  await rooms.ask('POST /servers', {
    group: 'lab',
    name: 'notes',
    transport: { kind: 'streamable-http', url: 'https://notes.example/mcp' },
    auth: { kind: 'token-exchange', identityProvider: 'acme', audience: 'notes' },
  })
  await rooms.ask('POST /identity-providers', {
    name: 'acme',
    issuer: 'https://login.example',
    clientId: 'gate',
    use: { signIn: true },
    onBehalf: {},
  })
  const [clock, audit] = [handClock(), memoryAudit()]
  const there = {
    shown: [] as unknown[],
    asked: 0,
    fails: undefined as Error | undefined,
    signedInAt: clock.now(),
  }
  const oauth: OAuth = {
    authority: async () => authority,
    authorityAt: async () => authority,
    client: async () => ({
      ...{ id: 'gate', secret: undefined, privateKey: undefined, keyId: undefined, authentication: 'none' },
    }),
    async tokens(_, { subject_token }) {
      there.asked++
      there.shown.push(subject_token)
      await new Promise(setImmediate)
      if (there.fails !== undefined) throw there.fails
      const access = `token-${there.asked}`
      const expiresAt = clock.now() + 100_000
      return {
        access,
        expiresAt,
        refresh: undefined,
        scopes: undefined,
        account: undefined,
        issuedType: undefined,
      }
    },
    forget: async () => undefined,
  }
  const { seals } = openSeals({ masterKey: testMasterKey })
  const identity = {
    providers: rooms.identity.providers,
    providerTokens: {
      of: async () => new Secret('the sign-in'),
      signedIn: async () => ({ at: there.signedInAt, isUsable: true }),
    },
  }
  const parts = { database: rooms.database, audit, seals, clock, oauth, identity }
  const upstream = rooms.register.find('lab', 'notes') as Upstream
  const stored = tokenExchange.stored({ settings: upstream.auth.settings, secrets: {} })
  const process = () => {
    const custody = openCustody({ ...parts, onBehalf: openOnBehalf(parts), withLink: error => error })
    return (asker = ana) => custody.live({ upstream, stored, environment: () => ({}) }, asker)
  }
  const [first, second] = [process(), process()]
  const [one, two] = [first, second].map(live => async () => (await live()).headers) as [Headers, Headers]
  return { clock, audit, there, live: first, one, two }
}

const header = (n: number) => ['Authorization', `Bearer token-${n}`]
const provider = (error: unknown) => error instanceof GatewayError && error.code

onEachDatabase(open => {
  it('is asked for once, by two processes that need it at the same time', async () => {
    const { there, one, two } = await openTwo(open)
    expect(await Promise.all([one(), two(), one(), two()])).toEqual(Array(4).fill(header(1)))
    expect(there.asked).toBe(1)
  })

  it('is got again with what the present call brought, and nothing of an earlier one', async () => {
    const { clock, there, live } = await openTwo(open)
    const issuer = 'https://login.example'
    const times = { issuedAt: clock.now(), expiresAt: clock.now() + 1_000_000 }
    const bringing = (token: string) =>
      live({ ...ana, presented: { token: new Secret(token), issuer, audiences: [], ...times } })
    await bringing('first')
    const { headers, renew } = await bringing('second')
    await renew?.({ status: 401, challenge: '', sent: headers })
    expect(there.shown).toEqual(['first', 'second'])
  })

  it('is renewed ahead of its end, and stays while the identity provider is away', async () => {
    const { clock, there, one, audit } = await openTwo(open)
    expect(await one()).toEqual(header(1))
    there.fails = new GatewayError('vault.provider_trouble')
    clock.move(85_000)
    expect(await one()).toEqual(header(1))
    await expect.poll(() => there.asked).toBe(2)
    expect(await one()).toEqual(header(1))
    clock.move(12_000)
    expect(await one().catch(provider)).toBe('vault.provider_trouble')
    there.fails = undefined
    expect(await one()).toEqual(header(there.asked))
    expect(audit.events.filter(({ action }) => action === 'vault.connection_broken')).toEqual([])
    const before = there.asked
    clock.move(85_000)
    expect(await one()).toEqual(header(before))
    await expect.poll(() => one()).toEqual(header(before + 1))
  })

  it('is marked once in all processes when it is refused, and tried again after a new sign-in', async () => {
    const { clock, there, one, two, audit } = await openTwo(open)
    there.fails = new RefusedGrant('invalid_grant')
    const said = await Promise.all([one, two, one, two].map(each => each().catch(provider)))
    expect(said).toEqual(Array(4).fill('vault.connect_needed'))
    expect(await two().catch(provider)).toBe('vault.connect_needed')
    expect(there.asked).toBe(1)
    const broken = () => audit.events.filter(({ action }) => action === 'vault.connection_broken').length
    expect(broken()).toBe(1)
    clock.move(1000)
    there.signedInAt = clock.now()
    expect(await Promise.all([one, two].map(each => each().catch(provider)))).toContain(
      'vault.connect_needed',
    )
    expect(there.asked).toBe(2)
    expect(broken()).toBe(2)
    clock.move(1000)
    there.signedInAt = clock.now()
    there.fails = undefined
    expect(await Promise.all([one(), two()])).toEqual([header(3), header(3)])
  })
})
