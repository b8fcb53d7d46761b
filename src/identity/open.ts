import type { AuditRecord } from '../audit/index.ts'
import type { Database } from '../database/index.ts'
import type { Addresses } from '../foundation/addresses.ts'
import type { Announcements } from '../foundation/announcements.ts'
import type { Clock } from '../foundation/clock.ts'
import { openCookies } from '../foundation/cookies.ts'
import { fail } from '../foundation/errors.ts'
import type { JsonObject } from '../foundation/json.ts'
import type { Log } from '../foundation/log.ts'
import type { MasterKey } from '../foundation/master-key.ts'
import type { Presented } from '../foundation/presented.ts'
import type { Caller, Route } from '../foundation/route.ts'
import { accountRoutes } from './accounts.ts'
import { type Claim, claim, claimRoute, openClaim } from './claim.ts'
import { type Declared, declared } from './declared.ts'
import { openNonces } from './dpop/nonces.ts'
import { openProofs, type Proofs, type Shown } from './dpop/open.ts'
import { type Flows, openFlows, type Seals } from './flows.ts'
import { type Holder, holders } from './holders.ts'
import { Identifier, type Outcome } from './identify.ts'
import { keyedHash } from './keyed-hash.ts'
import { ownedBy, type StandIn, standInOf, storedTokens } from './load.ts'
import { machineRoutes } from './machines/routes.ts'
import { type Machines, openMachines } from './machines/store.ts'
import { me } from './me.ts'
import { oauthAccessTokens } from './oauth/access-tokens.ts'
import {
  type Authorization,
  authorizationRoutes,
  authorizationsOf,
  takeBack,
} from './oauth/authorization-routes.ts'
import { oauthClientRoutes } from './oauth/client-routes.ts'
import { type OAuthStore, openOAuthStore } from './oauth/index.ts'
import { operator, type Principal } from './principal.ts'
import { openProviderTokens, type ProviderTokens } from './provider-tokens/open.ts'
import { type Admitted, admit, type Via } from './providers/admit.ts'
import { openJwts } from './providers/bearer/open.ts'
import type { IdentityProvider } from './providers/provider.ts'
import { providerNamesOf } from './providers/provider-table.ts'
import { providerRoutes } from './providers/routes.ts'
import { openProviders, type Providers } from './providers/store.ts'
import type { SealSecret } from './providers/stored.ts'
import { type Expiring, expiringTokens, openReminders } from './reminders.ts'
import type { Namer, Room } from './room.ts'
import { rotateRoute } from './rotate.ts'
import type { IssuedToken } from './schemas.ts'
import { type Provisioning, provisioningOf } from './scim/index.ts'
import { openSessionCookie, type SessionCookie } from './session-cookie.ts'
import { openSessions, type Sessions } from './sessions.ts'
import { openSignIn, type SignIn } from './sign-in/open.ts'
import { signInRoutes } from './sign-in/routes.ts'
import { type From, firstFact, teamByName } from './table.ts'
import { teamRoutes } from './teams.ts'
import { tokenRoutes } from './tokens.ts'
import { userRoutes } from './users.ts'
import { openUses } from './uses.ts'

export type Identity = Declared & {
  /**
   * Who sends this Authorization header to this resource (`apiResource`, or the path of an MCP endpoint). Synchronous for
   * tokens it remembers; tokens that are bound to a key need the request as well, which has the proof. Never throws: when something fails it is a rejection with `identity.unavailable`.
   */
  identify(authorization: string | undefined, resource: string, shown?: Shown): Outcome | Promise<Outcome>
  /** The token of an identity provider that this header has, by which the principal came in; undefined for tokens of the gateway. */
  presented(principal: Principal, authorization: string | undefined): Presented | undefined
  /** The same question later, for what stays open longer than a request: is this still a good principal, and with which subjects? */
  recheck(principal: Principal, resource?: string): Promise<Outcome>
  /** Whom tokens of `user:<email>` or `account:<name>` stand for, in the database or a transaction of it; undefined where there is no such subject. */
  standInOf(subject: string, from?: From): Promise<StandIn | undefined>
  /** Whom ids of users and virtual accounts stand for. */
  holders(ids: readonly string[]): Promise<ReadonlyMap<string, Holder>>
  /** The virtual accounts that a user answers for and that are not disabled, by name. */
  ownedBy(userId: string): Promise<readonly Caller[]>
  /** Is there a team of this name? */
  hasTeam(name: string): Promise<boolean>
  /** Tokens that expire within so many days and have no successor, the first to go first. */
  expiringTokens(days: number): Promise<Expiring[]>
  /** Where people of companies come from. */
  readonly providers: Providers
  /** The names of the providers that these users come from, by user id. */
  providersOf(userIds: readonly string[]): Promise<ReadonlyMap<string, string>>
  /**
   * The user whom claims of a provider are about, once the token they stand in was checked; or why there is none. Creates, links
   * and puts into teams as the provider's rules say. A sign-in that is refused is in the audit then.
   */
  admit(provider: IdentityProvider, claims: JsonObject, via: Via): Promise<Admitted>
  /** What the identity provider whose tokens these are may keep here; undefined for everybody else. */
  provisioning(principal: Principal): Provisioning | undefined
  /** Sessions of browsers. */
  readonly sessions: Sessions
  /** How people come in with a browser, and out again. */
  readonly signIn: SignIn
  /** The session of the browser that sends a request: `identity.sessionOf(request)`. */
  readonly sessionOf: SessionCookie['sessionOf']
  readonly idledSessionOf: SessionCookie['idledSessionOf']
  readonly sessionCookie: SessionCookie['sessionCookie']
  /** What identity providers gave for people who signed in, where the provider is set up for that. */
  readonly providerTokens: ProviderTokens
  /** What a browser is in the midst of. */
  readonly flows: Flows
  /** What the authorization server keeps. */
  readonly oauth: OAuthStore
  readonly authorizations: Authorizations
  /** The person on the gateway's own machine. */
  operator(): Principal
  /** A one-time secret with which the first admin is made; undefined when there is an admin. */
  openClaim(): Promise<Claim | undefined>
  /** Makes the first admin and returns their token. Throws `identity.claim_refused`. */
  claim(secret: string, by: { email: string; requestId: string }): Promise<IssuedToken>
  /** Forgets every remembered token and announces `identity.changed`. To be called whenever the revision moved. */
  refresh(): Promise<void>
  /** For rooms to the right that name users, teams and accounts. */
  onRemoval(namer: Namer): void
  readonly routes: readonly Route[]
  /** Writes what is still to be written. */
  close(): Promise<void>
}

export type Authorizations = {
  /** What a person allowed to applications. */
  of(userId: string): Promise<Authorization[]>
  /** Takes back what the caller allowed: its tokens end within seconds. Throws `oauth.unknown`. */
  takeBack(by: { caller: Caller; requestId: string; id: string }): Promise<undefined>
}

type Parts = {
  readonly database: Database
  readonly masterKey: MasterKey
  readonly audit: AuditRecord
  readonly clock: Clock
  readonly announcements: Announcements
  readonly log: Log
  readonly seals: Seals
  readonly sealSecret: SealSecret
  readonly addresses: Pick<Addresses, 'origin' | 'originOf' | 'isSecure'>
}

/** Throws `vault.unsealable` when the database was used with another master key. */
export async function openIdentity(parts: Parts): Promise<Identity> {
  const { database, clock, log } = parts
  const { kysely } = database
  const pepper = parts.masterKey.derive('identity tokens')
  await checkMasterKey(parts)
  const providers = await openProviders(kysely, parts.seals)
  const forget = () => {
    identifier.forget()
    parts.announcements.announce({ topic: 'identity.changed' })
  }
  // Whatever becomes of the reading: what is remembered may be wrong by now.
  const refresh = () => providers.read().finally(forget)
  const { audit, sealSecret, seals } = parts
  const namers: Namer[] = []
  const room: Room = { database, audit, clock, pepper, refresh, namers, sealSecret }
  const admitted: Identity['admit'] = (provider, claims, via) =>
    admit({ room, log, providers }, provider, claims, via)
  const uses = openUses(parts)
  const { routes, ...browsers } = openBrowserSide(parts, { room, providers, admit: admitted })
  const tokens = { room, providers, admit: admitted, flows: browsers.flows, uses, forget }
  const { identifier, machines } = openTokens(parts, tokens)
  const stopReminding = openReminders({ kysely, audit, clock, log })
  const oauth = openOAuthRoom(room, seals, machines)
  return {
    ...declared(room),
    identify: (authorization, resource, shown) => identifier.identify(authorization, resource, shown),
    presented: (principal, authorization) => identifier.presented(principal, authorization),
    recheck: (principal, resource) => identifier.recheck(principal, resource),
    standInOf: (subject, from = kysely) => standInOf(from, subject),
    holders: ids => holders(kysely, ids),
    ownedBy: userId => ownedBy(kysely, userId),
    hasTeam: async name => (await teamByName(kysely, name)) !== undefined,
    expiringTokens: days => expiringTokens({ kysely, clock }, days),
    providers,
    providersOf: ids => providerNamesOf(kysely, ids),
    admit: admitted,
    provisioning: principal => provisioningBy(room, providers, principal),
    ...browsers,
    oauth: oauth.store,
    authorizations: oauth.authorizations,
    operator: () => operator,
    openClaim: () => openClaim(room),
    claim: (secret, by) => claim(room, secret, by),
    refresh,
    onRemoval: namer => void namers.push(namer),
    routes: [...routesOf(room, providers), ...routes, ...oauth.routes],
    close() {
      stopReminding()
      return uses.close()
    },
  }
}

type Tokens = Shared & {
  readonly flows: Flows
  readonly uses: ReturnType<typeof openUses>
  forget(): void
}

/** Everything that tells whom a token stands for, and whom one is given to. */
function openTokens(parts: Parts, { room, providers, admit, flows, uses, forget }: Tokens) {
  const { clock, log } = parts
  const { pepper } = room
  const { kysely } = room.database
  const hash = (token: string) => keyedHash(pepper, token)
  const { origin } = parts.addresses
  const jwts = openJwts({ kysely, clock, log, providers, flows, origin, admit, gone: forget })
  const verifiers = [
    storedTokens({ kysely, hash, used: uses.token }),
    oauthAccessTokens({ kysely, hash, used: uses.grant }),
    jwts.bearer,
  ]
  const identifier = new Identifier({ verifiers, proofs: proofsOf(parts, flows), clock, log })
  const machines = openMachines({
    room,
    assertions: jwts.assertions,
    audiences: () => ({ issuer: origin(), tokenEndpoint: `${origin()}/oauth/token` }),
    admit,
    token: (token, key) => identifier.known(token, key),
    takesIdJags: () => providers.list().some(({ use }) => use.idJag === true),
  })
  return { identifier, machines }
}

function proofsOf({ masterKey, clock, addresses }: Parts, flows: Flows): Proofs {
  const nonces = openNonces(masterKey.derive('dpop nonces'), clock)
  return openProofs({ clock, flows, nonces, originOf: addresses.originOf })
}

/** What there is for clients that are let in by people. */
function openOAuthRoom(room: Room, seals: Seals, machines: Machines) {
  const store = openOAuthStore(room, seals, machines)
  const parts = { room, store }
  const authorizations: Authorizations = {
    of: userId => authorizationsOf(room, userId),
    takeBack: by => takeBack(parts, by),
  }
  const routes = [...oauthClientRoutes({ room, seals }), ...authorizationRoutes(parts)]
  return { store, authorizations, routes }
}

function provisioningBy(
  room: Room,
  providers: Providers,
  { kind, name }: Principal,
): Provisioning | undefined {
  if (kind !== 'account') return undefined
  const provider = providers.list().find(({ scim }) => scim?.account === name)
  return provider && provisioningOf(room, provider)
}

function routesOf(room: Room, providers: Providers): Route[] {
  return [
    me,
    claimRoute(room),
    ...userRoutes(room),
    ...teamRoutes(room),
    ...accountRoutes(room),
    ...machineRoutes(room),
    ...tokenRoutes(room),
    rotateRoute(room),
    ...providerRoutes(room, providers),
  ]
}

type Shared = { readonly room: Room } & Pick<Identity, 'providers' | 'admit'>

/** Everything for people in a browser. */
function openBrowserSide(parts: Parts, { room, providers, admit }: Shared) {
  const { addresses, log, seals } = parts
  const { database, audit, clock, pepper } = room
  const { kysely } = database
  const sessions = openSessions({ kysely, pepper, clock, seals })
  const flows = openFlows({ kysely, pepper, clock, seals })
  const signInRoom = { database, audit, clock, sessions, flows, seals }
  const signIn = openSignIn({ room: signInRoom, providers, log, admit }, room)
  const { refresh } = signIn.atProviders
  const providerTokens = openProviderTokens({ database, audit, clock, seals, refresh })
  const cookie = openSessionCookie(sessions, openCookies(addresses))
  return {
    sessions,
    flows,
    signIn,
    providerTokens,
    ...cookie,
    routes: signInRoutes({ room: signInRoom, signIn, addresses }),
  }
}

/** With another key every token would be unknown, and nobody would see why. */
async function checkMasterKey({ database, masterKey }: Parts): Promise<void> {
  const check = masterKey.derive('master key check').toString('base64url')
  if ((await firstFact(database.kysely, 'master_key_check', check)) === check) return
  fail('vault.unsealable', {
    why: 'This database was used with another master key.',
    fix: 'Put the master key it was used with into keys/master.key of the data directory.',
  })
}
