import type { Caller } from '../foundation/route.ts'
import { type Known, otherKey, type Verifier } from './identify.ts'
import { credentialsOf } from './machines/credentials.ts'
import { asPrincipal, type Principal, type Rejection } from './principal.ts'
import { boundOf, confined } from './providers/bounds.ts'
import {
  type Account,
  accountByName,
  accountsOfOwner,
  type From,
  type Token,
  teamNamesOf,
  tokenByHash,
  tokenById,
  type User,
  userByEmail,
} from './table.ts'
import { tokenKind } from './token-format.ts'

export const refused = (why: string): Rejection => ({ rejected: 'identity.bad_token', why })

type StoredTokens = {
  readonly kysely: From
  hash(token: string): string
  used(tokenId: string): void
}

/** Personal access tokens and those of virtual accounts. */
export function storedTokens({ kysely, hash, used }: StoredTokens): Verifier {
  const known = async (token: Token | undefined): Promise<Known | Rejection> => {
    const found = await holderOf(kysely, token)
    if ('rejected' in found) return found
    const { id } = found.token
    return {
      principal: found.principal,
      expiresAt: found.token.expires_at,
      used: () => used(id),
      again: async () => known(await tokenById(kysely, id)),
      ground: { by: 'token', id },
    }
  }
  return {
    takes: text => ['pat', 'vat'].includes(tokenKind(text) ?? ''),
    async verify(text, key) {
      return otherKey(undefined, key) ?? known(await tokenByHash(kysely, hash(text)))
    },
  }
}

/** Whom a stored token stands for, or why for nobody. Expiry is left to whoever knows the time. */
async function holderOf(
  from: From,
  token: Token | undefined,
): Promise<{ principal: Principal; token: Token } | Rejection> {
  if (token === undefined) return refused('The token is not known here.')
  if (token.revoked_at !== null) return refused('The token has been revoked.')
  const caller = token.kind === 'pat' ? await asUser(from, token) : await asAccount(from, token)
  return 'rejected' in caller ? caller : { principal: frozen(caller), token }
}

/** A caller whom this room vouches for, and whom nobody changes any more. */
export function frozen(caller: Caller): Principal {
  return asPrincipal(Object.freeze({ ...caller, subjects: Object.freeze(caller.subjects) }))
}

/** Whom tokens of a subject stand for, whether they are taken at the moment or not. */
export type StandIn = {
  readonly caller: Caller
  /** Why its tokens are refused; undefined when they are not. */
  readonly refused: string | undefined
}

/** Of `user:<email>` or `account:<name>`; undefined where there is no such subject. */
export async function standInOf(from: From, subject: string): Promise<StandIn | undefined> {
  const [kind, name = ''] = subject.split(/:(.*)/s)
  if (kind === 'user') {
    const user = await userByEmail(from, name)
    return user && { caller: await userCaller(from, user, undefined), refused: whyUserRefused(user) }
  }
  const account = await accountByName(from, name)
  return (
    account && { caller: await accountCaller(from, account, undefined), refused: whyAccountRefused(account) }
  )
}

/** The virtual accounts that a user answers for and that are not disabled, by name. */
export async function ownedBy(from: From, userId: string): Promise<readonly Caller[]> {
  const callers: Caller[] = []
  for (const account of await accountsOfOwner(from, userId))
    if (whyAccountRefused(account) === undefined) callers.push(await accountCaller(from, account, undefined))
  return callers
}

async function asUser(from: From, token: Token): Promise<Caller | Rejection> {
  const { user_id: id, user_email: email, user_role: role, user_disabled_at: disabled_at } = token
  const { user_provider_id: provider_id } = token
  if (id === null || email === null || role === null) return refused('The token stands for nobody.')
  const why = whyUserRefused({ disabled_at })
  return why === undefined ? userCaller(from, { id, email, role, provider_id }, token.id) : refused(why)
}

export function whyUserRefused({ disabled_at }: Pick<User, 'disabled_at'>): string | undefined {
  return disabled_at === null ? undefined : 'The user of the token is disabled.'
}

export async function userCaller(
  from: From,
  { id, email: name, role, provider_id }: Pick<User, 'id' | 'email' | 'role' | 'provider_id'>,
  tokenId: string | undefined,
): Promise<Caller> {
  const teams = (await teamNamesOf(from, id)).map(team => `team:${team}`)
  const subjects = [`user:${name}`, ...teams, 'everyone']
  return confined({ id, kind: 'user', name, role, subjects, tokenId }, await boundOf(from, provider_id))
}

async function asAccount(from: From, token: Token): Promise<Caller | Rejection> {
  const { account_id: id, account_name: name, account_disabled_at: disabled_at, owner_disabled_at } = token
  if (id === null || name === null) return refused('The token stands for nobody.')
  const why = whyAccountRefused({ disabled_at, owner_disabled_at })
  const { owner_provider_id, account_credentials_json: credentials } = token
  if (why !== undefined) return refused(why)
  return (
    unboundRefusal(credentials, undefined) ?? accountCaller(from, { id, name, owner_provider_id }, token.id)
  )
}

type Allowed = Pick<Account, 'disabled_at' | 'owner_disabled_at'>

export function whyAccountRefused({ disabled_at, owner_disabled_at }: Allowed): string | undefined {
  if (disabled_at !== null) return 'The virtual account of the token is disabled.'
  return owner_disabled_at === null ? undefined : 'The owner of the virtual account is disabled.'
}

/** The refusal of a token that is bound to no key, where the account wants that of every one. */
export function unboundRefusal(credentials: string | null, key: string | undefined): Rejection | undefined {
  if (key !== undefined || credentialsOf(credentials).dpop !== 'required') return undefined
  return {
    rejected: 'identity.bad_proof',
    why: 'The virtual account takes only tokens bound to a key (DPoP).',
  }
}

/** An account reaches no further than who answers for it may. */
export async function accountCaller(
  from: From,
  { id, name, owner_provider_id }: Pick<Account, 'id' | 'name' | 'owner_provider_id'>,
  tokenId: string | undefined,
): Promise<Caller> {
  const subjects = [`account:${name}`, 'everyone']
  const caller = { id, kind: 'account', name, role: 'member', subjects, tokenId } as const
  return confined(caller, await boundOf(from, owner_provider_id))
}
