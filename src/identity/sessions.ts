/** Sessions of browsers: kept here, held there as a cookie that is worthless once the row is gone. */
import type { Tables } from '../database/index.ts'
import type { Clock } from '../foundation/clock.ts'
import { newId } from '../foundation/id.ts'
import type { Seals } from './flows.ts'
import { keyedHash } from './keyed-hash.ts'
import { frozen, userCaller, whyUserRefused } from './load.ts'
import type { Principal } from './principal.ts'
import { deleteTokensOfSession, moveTokens } from './provider-tokens/provider-tokens-table.ts'
import {
  deleteOldSessions,
  deleteSession,
  deleteSessionsOf,
  type From,
  idTokenSealed,
  insertSession,
  type SessionRow,
  sessionByHash,
  sessionsOf,
  updateSession,
} from './sign-in-table.ts'
import { newToken, tokenKind } from './token-format.ts'

const idleMilliseconds = 30 * 60_000
const absoluteMilliseconds = 12 * 3_600_000
/** A session in use is not written down more often than this. */
const noteMilliseconds = 60_000

export type Method = Tables['browser_sessions']['method']

/** How somebody has just proved who they are. */
export type SignedIn = {
  readonly userId: string
  readonly method: Method
  readonly providerId?: string | undefined
  /** `sid` of the identity provider. */
  readonly providerSession?: string | undefined
  /** Of the identity provider: shown there when they sign out. */
  readonly idToken?: string | undefined
  /** Milliseconds since 1970; now, unless told. */
  readonly authenticatedAt?: number | undefined
  /** The User-Agent. */
  readonly client?: string | null | undefined
}

export type BrowserSession = {
  readonly id: string
  readonly principal: Principal
  readonly method: Method
  readonly providerId: string | null
  /** When they last proved who they are; milliseconds since 1970. */
  readonly authenticatedAt: number
}

/** The value of its cookie is here and nowhere else. */
export type OpenedSession = {
  readonly id: string
  readonly userId: string
  readonly cookie: string
  readonly maxAgeSeconds: number
}

/** For so long after they proved who they are, people may do what is dangerous. */
const freshMilliseconds = 10 * 60_000

export function isFresh({ authenticatedAt }: BrowserSession, now: number): boolean {
  return now - authenticatedAt <= freshMilliseconds
}

export type Sessions = {
  /** A new session. */
  open(who: SignedIn, from?: From): Promise<OpenedSession>
  /** The session of a cookie's value that idled for too long, whose browser may still end it: nothing else is done with it. */
  findIdled(cookie: string | undefined): Promise<BrowserSession | undefined>
  /** The session of a cookie's value; undefined when it ended, idled for 30 minutes, or its user may not sign in any more. */
  find(cookie: string | undefined): Promise<BrowserSession | undefined>
  /** Those that are open. */
  of(userId: string): Promise<SessionRow[]>
  /** With what it was opened at an identity provider. */
  idTokenOf(id: string): Promise<string | undefined>
  end(id: string, from?: From): Promise<void>
  /** The browser goes on with another one; what its provider gave stays, if it is the same person. */
  replace(before: BrowserSession, next: OpenedSession, from: From): Promise<void>
  endAll(userId: string, from?: From): Promise<void>
}

type Parts = { readonly kysely: From; readonly pepper: Buffer; readonly clock: Clock; readonly seals: Seals }

/** Longer ones do not fit into the address of a page. */
const longestIdToken = 4096
export const idTokenPlace = (id: string) => ['browser_sessions', id, 'id_token']

export function openSessions({ kysely, pepper, clock, seals }: Parts): Sessions {
  const openNow = () => openAt(clock.now())
  return {
    async open(who, from = kysely) {
      const { userId, method, providerId = null, providerSession = null, client = null, idToken = '' } = who
      const now = clock.now()
      const cookie = newToken('ses')
      const id = newId(now)
      await deleteOldSessions(from, now, now - idleMilliseconds)
      await insertSession(from, {
        id,
        hash: keyedHash(pepper, cookie),
        user_id: userId,
        method,
        provider_id: providerId,
        provider_session: providerSession,
        client: client?.slice(0, 200) ?? null,
        created_at: now,
        authenticated_at: Math.min(who.authenticatedAt ?? now, now),
        seen_at: now,
        expires_at: now + absoluteMilliseconds,
        id_token_sealed:
          idToken === '' || idToken.length > longestIdToken
            ? null
            : await seals.seal(idToken, idTokenPlace(id)),
      })
      return { id, userId, cookie, maxAgeSeconds: absoluteMilliseconds / 1000 }
    },
    ...openLooks({ kysely, pepper, clock, seals }),
    async idTokenOf(id) {
      const sealed = await idTokenSealed(kysely, id)
      return sealed === null ? undefined : seals.open(sealed, idTokenPlace(id))
    },
    async end(id, from = kysely) {
      await deleteTokensOfSession(from, id, openNow())
      await deleteSession(from, id)
    },
    async replace(before, next, from) {
      if (before.principal.id === next.userId) await moveTokens(from, before.id, next.id)
      else await deleteTokensOfSession(from, before.id, openNow())
      await deleteSession(from, before.id)
    },
    endAll: (userId, from = kysely) => deleteSessionsOf(from, userId),
  }
}

const openAt = (now: number) => ({ now, idleSince: now - idleMilliseconds })

function openLooks({ kysely, pepper, clock }: Parts): Pick<Sessions, 'find' | 'findIdled' | 'of'> {
  const rowOf = async (cookie: string | undefined) =>
    cookie === undefined || tokenKind(cookie) !== 'ses'
      ? undefined
      : sessionByHash(kysely, keyedHash(pepper, cookie))
  return {
    async find(cookie) {
      const row = await rowOf(cookie)
      const { now, idleSince } = openAt(clock.now())
      if (row === undefined || row.expires_at <= now || row.seen_at <= idleSince) return undefined
      if (whyUserRefused(row) !== undefined || row.provider_removed_at !== null) return undefined
      if (row.seen_at <= now - noteMilliseconds) await updateSession(kysely, row.id, { seen_at: now })
      return asSession(kysely, row)
    },
    async findIdled(cookie) {
      const row = await rowOf(cookie)
      const { now, idleSince } = openAt(clock.now())
      if (row === undefined || row.expires_at <= now || row.seen_at > idleSince) return undefined
      return asSession(kysely, row)
    },
    async of(userId) {
      const { now, idleSince } = openAt(clock.now())
      const rows = await sessionsOf(kysely, userId)
      return rows.filter(({ expires_at, seen_at }) => expires_at > now && seen_at > idleSince)
    },
  }
}

async function asSession(from: From, row: SessionRow): Promise<BrowserSession> {
  const { user_id: id, email, role, user_provider_id: provider_id } = row
  const user = { id, email, role, provider_id }
  return {
    id: row.id,
    // Events name the session where they name the token of others.
    principal: frozen(await userCaller(from, user, row.id)),
    method: row.method,
    providerId: row.provider_id,
    authenticatedAt: row.authenticated_at,
  }
}
