import { z } from 'zod'
import { fail } from '../foundation/errors.ts'
import { newId } from '../foundation/id.ts'
import { type Caller, type Route, route } from '../foundation/route.ts'
import { unknownUnless } from './accounts.ts'
import { keyedHash } from './keyed-hash.ts'
import { mayManage } from './principal.ts'
import { type Act, type By, change, type Room } from './room.ts'
import {
  type IssuedToken,
  isoTime,
  issuedToken,
  lifetimeMilliseconds,
  listed,
  listOf,
  type NewToken,
  newTokenSchema,
  type TokenView,
  tokenQuery,
  tokenView,
} from './schemas.ts'
import {
  type Account,
  accountByName,
  type From,
  insertToken,
  revokeToken,
  type Token,
  tokenById,
  tokens,
} from './table.ts'
import { newToken } from './token-format.ts'
import { knownUser } from './users.ts'

/** Whose a new token is. */
type Holder = {
  readonly kind: Token['kind']
  readonly subject: string
  readonly userId: string | null
  readonly accountId: string | null
}

export function userHolder(user: { id: string; email: string }): Holder {
  return { kind: 'pat', subject: `user:${user.email}`, userId: user.id, accountId: null }
}

function accountHolder(account: Account): Holder {
  return { kind: 'vat', subject: `account:${account.name}`, userId: null, accountId: account.id }
}

type Wanted = { readonly name: string; readonly expires: string }

/** Makes a token for a holder; this answer is the only place its text ever is. */
export async function issue(
  room: Room,
  tx: From,
  holder: Holder & Wanted & { id: string },
): Promise<IssuedToken> {
  const { kind, subject, name, id } = holder
  const token = newToken(kind)
  const createdAt = room.clock.now()
  const expiresAt = createdAt + lifetimeMilliseconds(holder.expires)
  const hint = token.slice(-4)
  await insertToken(tx, {
    id,
    kind,
    hash: keyedHash(room.pepper, token),
    hint,
    name,
    user_id: holder.userId,
    account_id: holder.accountId,
    created_at: createdAt,
    expires_at: expiresAt,
    last_used_at: null,
    revoked_at: null,
    replaced_by: null,
    reminded_days: null,
  })
  const times = {
    createdAt: isoTime(createdAt),
    expiresAt: isoTime(expiresAt),
    lastUsedAt: null,
    revokedAt: null,
    replacedBy: null,
  }
  return { token, id, kind, name, subject, hint: shownHint(kind, hint), state: 'active', ...times }
}

export function shownHint(kind: Token['kind'], hint: string): string {
  return `gth_${kind}_...${hint}`
}

function view(token: Token, now: number): TokenView {
  const state = token.revoked_at !== null ? 'revoked' : token.expires_at <= now ? 'expired' : 'active'
  return {
    id: token.id,
    kind: token.kind,
    name: token.name,
    subject: subjectOf(token),
    hint: shownHint(token.kind, token.hint),
    state,
    createdAt: isoTime(token.created_at),
    expiresAt: isoTime(token.expires_at),
    lastUsedAt: token.last_used_at === null ? null : isoTime(token.last_used_at),
    revokedAt: token.revoked_at === null ? null : isoTime(token.revoked_at),
    replacedBy: token.replaced_by,
  }
}

export function subjectOf({ user_email, account_name }: Token): string {
  return user_email === null ? `account:${account_name}` : `user:${user_email}`
}

/** Their own and those of accounts they own; an admin everybody's. */
export function mayHandle(caller: Caller, token: Pick<Token, 'user_id' | 'account_owner_id'>): boolean {
  if (!mayManage(caller)) return false
  return caller.role === 'admin' || token.user_id === caller.id || token.account_owner_id === caller.id
}

function maySee(caller: Caller, token: Token): boolean {
  return mayHandle(caller, token) || (mayManage(caller) && caller.role === 'auditor')
}

/** The holder a caller may make a token for: never one with more rights than the caller answers for. */
async function holderFor(tx: From, caller: Caller, { user, account }: NewToken): Promise<Holder> {
  if (!mayManage(caller)) fail('identity.forbidden', { why: 'A virtual account cannot make tokens.' })
  if (account !== undefined) {
    const found = await accountByName(tx, account)
    const isTheirs =
      found !== undefined && mayHandle(caller, { user_id: null, account_owner_id: found.owner_id })
    return accountHolder(unknownUnless(isTheirs ? found : undefined, account))
  }
  if (user === undefined && caller.kind === 'operator')
    fail('http.bad_request', { why: 'Name the user or the account the token is for.' })
  const email = user ?? caller.name
  if (email !== caller.name && caller.role !== 'admin')
    fail('identity.forbidden', { why: 'Only an admin may make tokens for other users.' })
  return userHolder(await knownUser(tx, email))
}

async function revoke(room: Room, by: By & { caller: Caller }, id: string): Promise<void> {
  const token = await tokenById(room.database.kysely, id)
  if (token === undefined || !mayHandle(by.caller, token))
    fail('identity.unknown', { why: 'There is no such token that you may revoke.' })
  const { caller, requestId } = by
  const act: Act = {
    caller,
    requestId,
    action: 'identity.revoke_token',
    target: subjectOf(token),
    detail: { id },
  }
  if (token.revoked_at === null) await change(room, act, tx => revokeToken(tx, id, room.clock.now()))
}

export function tokenRoutes(room: Room): Route[] {
  return [listTokens(room), createToken(room), deleteToken(room)]
}

function listTokens({ database: { kysely }, clock }: Room): Route {
  return route({
    method: 'GET',
    path: '/api/v1/tokens',
    summary: 'List tokens: all for admins and auditors, your own and those of your accounts otherwise',
    entry: 'signed-in',
    query: tokenQuery,
    answer: listOf(tokenView),
    async act({ caller, query }) {
      const now = clock.now()
      const all = (await tokens(kysely)).filter(token => maySee(caller, token))
      const seen = all.filter(token => isAskedFor(token, query, now))
      return listed(
        seen.map(token => view(token, now)),
        all.length > 0
          ? 'None of the tokens you may see is like that.'
          : 'There is no token that you may see.',
      )
    },
  })
}

function isAskedFor(token: Token, { expiring, unused }: z.infer<typeof tokenQuery>, now: number): boolean {
  const isActive = token.revoked_at === null && token.expires_at > now
  if (expiring !== undefined && !(isActive && token.expires_at <= now + lifetimeMilliseconds(expiring)))
    return false
  if (unused === undefined) return true
  return isActive && (token.last_used_at ?? token.created_at) <= now - lifetimeMilliseconds(unused)
}

function createToken(room: Room): Route {
  return route({
    method: 'POST',
    path: '/api/v1/tokens',
    summary: 'Make a token; its text is in this answer and nowhere else',
    entry: 'signed-in',
    stepUp: true,
    status: 201,
    body: newTokenSchema,
    answer: issuedToken,
    act({ caller, requestId, body }) {
      const { user = caller.name, account, name, expires } = body
      const target = account === undefined ? `user:${user}` : `account:${account}`
      const id = newId(room.clock.now())
      const act: Act = { caller, requestId, action: 'identity.create_token', target, detail: { id, expires } }
      return change(room, act, async tx => {
        const holder = await holderFor(tx, caller, body)
        return issue(room, tx, { ...holder, name, expires, id })
      })
    },
  })
}

function deleteToken(room: Room): Route {
  return route({
    method: 'DELETE',
    path: '/api/v1/tokens/{id}',
    summary: 'Revoke a token',
    entry: 'signed-in',
    params: z.object({ id: z.string().max(64) }),
    act: ({ caller, requestId, params }) => revoke(room, { caller, requestId }, params.id),
  })
}
