/** What was got with somebody's sign-in is got again ahead of its end: once in all processes, and never at the price of what is good; and it ends with the sign-in. */
import { describe, expect, it } from 'vitest'
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

const issuer = 'https://login.example'

const authority: Authority = {
  ...{ issuer, tokenEndpoint: `${issuer}/token`, scopes: ['use'] },
  ...{ authorizationEndpoint: undefined, registrationEndpoint: undefined, revocationEndpoint: undefined },
  ...{ resource: undefined, authentications: undefined, algorithms: undefined },
  ...{ saysIssuer: false, readsDocuments: false, scopesSupported: [] },
}

const ana: Asker = { id: 'ana', kind: 'user', subjects: ['user:ana@acme.example'] }

type Headers = (asker?: Asker) => Promise<readonly string[]>

/** Two processes of one database with a server that is called with exchanged tokens, who gives them, and a clock. */
async function openExchanging(open: Open) {
  const rooms = await openRooms(await open())
  await rooms.ask('POST /groups', { name: 'lab' })
  await rooms.ask('POST /servers', {
    group: 'lab',
    name: 'notes',
    transport: { kind: 'streamable-http', url: 'https://notes.example/mcp' },
    auth: { kind: 'token-exchange', identityProvider: 'acme', audience: 'notes' },
  })
  await rooms.ask('POST /identity-providers', {
    ...{ name: 'acme', issuer, clientId: 'gate', use: { signIn: true }, onBehalf: {} },
  })
  const [clock, audit] = [handClock(), memoryAudit()]
  const there = {
    shown: [] as unknown[],
    asked: 0,
    fails: undefined as Error | undefined,
    /** Undefined for who signed out. */
    signedInAt: clock.now() as number | undefined,
    /** It answers when this is over, with what it made when it was asked. */
    thinks: async () => new Promise<void>(setImmediate),
    /** Before it is said whether they are signed in. */
    isLookedAt: async () => undefined as unknown,
  }
  const oauth: OAuth = {
    authority: async () => authority,
    authorityAt: async () => authority,
    client: async () => ({
      ...{ id: 'gate', secret: undefined, privateKey: undefined, keyId: undefined, authentication: 'none' },
    }),
    async tokens(_, { subject_token }) {
      there.shown.push(subject_token)
      const access = `token-${++there.asked}`
      await there.thinks()
      if (there.fails !== undefined) throw there.fails
      const none = { refresh: undefined, scopes: undefined, account: undefined, issuedType: undefined }
      return { access, expiresAt: clock.now() + 100_000, ...none }
    },
    forget: async () => undefined,
  }
  const { seals } = openSeals({ masterKey: testMasterKey })
  const identity = {
    providers: rooms.identity.providers,
    providerTokens: {
      of: async () =>
        there.signedInAt === undefined
          ? undefined
          : { token: new Secret('the sign-in'), signedInAt: there.signedInAt },
      async signedIn() {
        await there.isLookedAt()
        return there.signedInAt === undefined ? undefined : { at: there.signedInAt, isUsable: true }
      },
    },
  }
  const parts = { database: rooms.database, audit, seals, clock, oauth, identity }
  const upstream = rooms.register.find('lab', 'notes') as Upstream
  const stored = tokenExchange.stored({ settings: upstream.auth.settings, secrets: {} })
  const process = () => {
    const custody = openCustody({ ...parts, onBehalf: openOnBehalf(parts), withLink: error => error })
    const live = (asker = ana) => custody.live({ upstream, stored, environment: () => ({}) }, asker)
    const headers: Headers = async asker => (await live(asker)).headers
    return { live, headers, distrust: () => custody.distrust() }
  }
  const processes = [process(), process()] as const
  const [first, second] = processes
  return {
    ...{ clock, audit, there, processes, live: first.live, one: first.headers, two: second.headers },
    /** Who calls with a token of the identity provider. */
    bringing: (token: string, asker = ana): Asker => {
      const times = { issuedAt: clock.now(), expiresAt: clock.now() + 1_000_000 }
      return { ...asker, presented: { token: new Secret(token), issuer, audiences: [], ...times } }
    },
    /** It is changed, and every process hears of it. */
    signOut() {
      there.signedInAt = undefined
      for (const { distrust } of processes) distrust()
    },
  }
}

/** What a server is sent of the token with this number. */
const header = (n: number) => ['Authorization', `Bearer token-${n}`]

/** The code of a refusal. */
const codeOf = (error: unknown) => error instanceof GatewayError && error.code

onEachDatabase(open => {
  it('is asked for once, by two processes that need it at the same time', async () => {
    const { there, one, two } = await openExchanging(open)
    expect(await Promise.all([one(), two(), one(), two()])).toEqual(Array(4).fill(header(1)))
    expect(there.asked).toBe(1)
  })

  it('is got again with what the present call brought, and nothing of an earlier one', async () => {
    const { there, live, bringing } = await openExchanging(open)
    await live(bringing('first'))
    const { headers, renew } = await live(bringing('second'))
    await renew?.({ status: 401, challenge: '', sent: headers })
    expect(there.shown).toEqual(['first', 'second'])
  })

  it('is renewed ahead of its end, and stays while the identity provider is away', async () => {
    const { clock, there, one, audit } = await openExchanging(open)
    expect(await one()).toEqual(header(1))
    there.fails = new GatewayError('vault.provider_trouble')
    clock.move(85_000)
    expect(await one()).toEqual(header(1))
    await expect.poll(() => there.asked).toBe(2)
    expect(await one()).toEqual(header(1))
    clock.move(12_000)
    expect(await one().catch(codeOf)).toBe('vault.provider_trouble')
    there.fails = undefined
    expect(await one()).toEqual(header(there.asked))
    expect(audit.events.filter(({ action }) => action === 'vault.connection_broken')).toEqual([])
    const before = there.asked
    clock.move(85_000)
    expect(await one()).toEqual(header(before))
    await expect.poll(() => one()).toEqual(header(before + 1))
  })

  it('is marked once in all processes when it is refused, and tried again after a new sign-in', async () => {
    const { clock, there, one, two, audit } = await openExchanging(open)
    there.fails = new RefusedGrant('invalid_grant')
    const said = await Promise.all([one, two, one, two].map(each => each().catch(codeOf)))
    expect(said).toEqual(Array(4).fill('vault.connect_needed'))
    expect(await two().catch(codeOf)).toBe('vault.connect_needed')
    expect(there.asked).toBe(1)
    const broken = () => audit.events.filter(({ action }) => action === 'vault.connection_broken').length
    expect(broken()).toBe(1)
    clock.move(1000)
    there.signedInAt = clock.now()
    expect(await Promise.all([one, two].map(each => each().catch(codeOf)))).toContain('vault.connect_needed')
    expect(there.asked).toBe(2)
    expect(broken()).toBe(2)
    clock.move(1000)
    there.signedInAt = clock.now()
    there.fails = undefined
    expect(await Promise.all([one(), two()])).toEqual([header(3), header(3)])
  })

  describe('of a sign-in that is over', () => {
    it('is not used by who signed out while it was under way, in whichever process', async () => {
      const { there, one, two, signOut } = await openExchanging(open)
      const answered = Promise.withResolvers<void>()
      there.thinks = () => answered.promise
      const begun = [one(), two()].map(each => each.catch(codeOf))
      await expect.poll(() => there.asked).toBe(1)
      signOut()
      const later = two().catch(codeOf)
      answered.resolve()
      await Promise.all(begun)
      expect(await later).toBe('vault.connect_needed')
      expect(await one().catch(codeOf)).toBe('vault.connect_needed')
      expect(await two().catch(codeOf)).toBe('vault.connect_needed')
    })

    it('is not used after they signed in again while it was under way', async () => {
      const { clock, there, one, signOut } = await openExchanging(open)
      const answered = Promise.withResolvers<void>()
      there.thinks = () => answered.promise
      const begun = one().catch(codeOf)
      await expect.poll(() => there.asked).toBe(1)
      signOut()
      clock.move(1000)
      there.signedInAt = clock.now()
      clock.move(1000)
      answered.resolve()
      await begun
      expect(await one()).toEqual(header(2))
    })

    it('is not taken over from another process by who was refused with what was before', async () => {
      const { clock, one, two, live, signOut } = await openExchanging(open)
      await one()
      const { headers: sent, renew } = await live()
      clock.move(85_000)
      await two()
      await expect.poll(() => two()).toEqual(header(2))
      signOut()
      const again = await renew?.({ status: 401, challenge: '', sent }).catch(codeOf)
      expect(again).toBe('vault.connect_needed')
      expect(await one().catch(codeOf)).toBe('vault.connect_needed')
    })

    it('keeps no call with a token of its own from going on beside one without', async () => {
      const { there, one, bringing, signOut } = await openExchanging(open)
      await one()
      signOut()
      const said = await Promise.all([one().catch(codeOf), one(bringing('mine')), one(bringing('mine'))])
      expect(said.slice(1)).toEqual([header(2), header(2)])
      expect(there.shown.slice(1)).toEqual(['mine'])
    })

    it('keeps no call that has asked with a token of its own from what comes of it', async () => {
      const { clock, there, one, two, bringing, signOut } = await openExchanging(open)
      await one()
      clock.move(99_000)
      const answered = Promise.withResolvers<void>()
      there.thinks = () => answered.promise
      const begun = one(bringing('mine'))
      await expect.poll(() => there.asked).toBe(2)
      signOut()
      // It finds what the sign-in brought, and takes it away under the other.
      const refused = two().catch(codeOf)
      await new Promise(setImmediate)
      answered.resolve()
      await refused
      expect((await begun)[1]).toMatch(/^Bearer token-/)
      expect(there.shown.slice(1).every(token => token === 'mine')).toBe(true)
    })

    it('takes away nothing that somebody else has got in its place', async () => {
      const { clock, there, one, two, bringing, processes } = await openExchanging(open)
      await Promise.all([one(), two()])
      clock.move(85_000)
      there.signedInAt = undefined
      processes[0].distrust()
      // The other has not heard of it yet, and renews it with what its caller brought.
      there.isLookedAt = async () => {
        there.isLookedAt = async () => undefined
        await two(bringing('mine'))
        await expect.poll(() => two()).toEqual(header(2))
      }
      expect(await one()).toEqual(header(2))
    })
  })
})
