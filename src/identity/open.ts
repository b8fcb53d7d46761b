import type { AuditRecord } from '../audit/index.ts'
import type { Database } from '../database/index.ts'
import type { Addresses } from '../foundation/addresses.ts'
import type { Announcements } from '../foundation/announcements.ts'
import type { Clock } from '../foundation/clock.ts'
import { openCookies } from '../foundation/cookies.ts'
import { fail } from '../foundation/errors.ts'
import type { Log } from '../foundation/log.ts'
import type { MasterKey } from '../foundation/master-key.ts'
import { type Route, route } from '../foundation/route.ts'
import { accountRoutes } from './accounts.ts'
import { type Claim, claim, claimRoute, openClaim } from './claim.ts'
import { type Declared, declared } from './declared.ts'
import { type Flows, openFlows, type Seals } from './flows.ts'
import { Identifier, type Outcome } from './identify.ts'
import { keyedHash } from './keyed-hash.ts'
import { LastUse } from './last-use.ts'
import { type StandIn, standInOf, storedTokens } from './load.ts'
import { oauthAccessTokens } from './oauth/access-tokens.ts'
import { authorizationRoutes } from './oauth/authorization-routes.ts'
import { oauthClientRoutes } from './oauth/client-routes.ts'
import { type OAuthStore, openOAuthStore } from './oauth/index.ts'
import { markGrantsUsed } from './oauth/table.ts'
import { operator, type Principal } from './principal.ts'
import type { Namer, Room } from './room.ts'
import { type IssuedToken, meView } from './schemas.ts'
import { openSessionCookie, type SessionCookie } from './session-cookie.ts'
import { openSessions, type Sessions } from './sessions.ts'
import { type From, firstFact, markUsed, teamByName } from './table.ts'
import { teamRoutes } from './teams.ts'
import { tokenRoutes } from './tokens.ts'
import { userRoutes } from './users.ts'

export type Identity = Declared & {
  /**
   * Who sends this Authorization header to this resource (`apiResource`, or the path of an MCP endpoint). Synchronous for
   * tokens it remembers. Never throws: when something fails it is a rejection with `identity.unavailable`.
   */
  identify(authorization: string | undefined, resource: string): Outcome | Promise<Outcome>
  /** The same question later, for what stays open longer than a request: is this still a good principal, and with which subjects? */
  recheck(principal: Principal): Promise<Outcome>
  /** Whom tokens of `user:<email>` or `account:<name>` stand for, in the database or a transaction of it; undefined where there is no such subject. */
  standInOf(subject: string, from?: From): Promise<StandIn | undefined>
  /** Is there a team of this name? */
  hasTeam(name: string): Promise<boolean>
  /** Sessions of browsers. */
  readonly sessions: Sessions
  /** The session of the browser that sends a request: `identity.sessionOf(request)`. */
  readonly sessionOf: SessionCookie['sessionOf']
  readonly sessionCookie: SessionCookie['sessionCookie']
  /** What a browser is in the midst of. */
  readonly flows: Flows
  /** What the authorization server keeps. */
  readonly oauth: OAuthStore
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

type Parts = {
  readonly database: Database
  readonly masterKey: MasterKey
  readonly audit: AuditRecord
  readonly clock: Clock
  readonly announcements: Announcements
  readonly log: Log
  readonly seals: Seals
  readonly addresses: Addresses
}

/** Throws `vault.unsealable` when the database was used with another master key. */
export async function openIdentity(parts: Parts): Promise<Identity> {
  const { database, clock, log } = parts
  const { kysely } = database
  const pepper = parts.masterKey.derive('identity tokens')
  await checkMasterKey(parts)
  const lastUse = new LastUse(ids => markUsed(kysely, ids, clock.now()), log)
  const lastUseOfGrants = new LastUse(ids => markGrantsUsed(kysely, ids, clock.now()), log)
  const hash = (token: string) => keyedHash(pepper, token)
  const identifier = new Identifier({
    verifiers: [
      storedTokens({ kysely, hash, used: tokenId => lastUse.note(tokenId) }),
      oauthAccessTokens({ kysely, hash, used: grantId => lastUseOfGrants.note(grantId) }),
    ],
    clock,
    log,
  })
  const refresh = async () => {
    identifier.forget()
    parts.announcements.announce({ topic: 'identity.changed' })
  }
  const { seals } = parts
  const sessions = openSessions({ kysely, pepper, clock })
  const namers: Namer[] = []
  const room: Room = { database, audit: parts.audit, clock, pepper, refresh, namers }
  const oauth = openOAuthStore(room, seals)
  return {
    ...declared(room),
    identify: (authorization, resource) => identifier.identify(authorization, resource),
    recheck: principal => identifier.recheck(principal),
    standInOf: (subject, from = kysely) => standInOf(from, subject),
    hasTeam: async name => (await teamByName(kysely, name)) !== undefined,
    sessions,
    ...openSessionCookie(sessions, openCookies(parts.addresses)),
    flows: openFlows({ kysely, pepper, clock, seals }),
    oauth,
    operator: () => operator,
    openClaim: () => openClaim(room),
    claim: (secret, by) => claim(room, secret, by),
    refresh,
    onRemoval: namer => void namers.push(namer),
    routes: [
      me,
      claimRoute(room),
      ...userRoutes(room),
      ...teamRoutes(room),
      ...accountRoutes(room),
      ...tokenRoutes(room),
      ...oauthClientRoutes({ room, seals }),
      ...authorizationRoutes({ room, store: oauth }),
    ],
    async close() {
      await lastUse.close()
      await lastUseOfGrants.close()
    },
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

const me = route({
  method: 'GET',
  path: '/api/v1/me',
  summary: 'Who you are to the gateway',
  entry: 'signed-in',
  answer: meView,
  async act({ caller: { id, kind, name, role, subjects, tokenId } }) {
    return { id, kind, name, role, subjects: [...subjects], tokenId: tokenId ?? null }
  },
})
