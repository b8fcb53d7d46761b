import type { Caller } from '../foundation/route.ts'
import type { Known } from './identify.ts'
import { asPrincipal, type Rejection } from './principal.ts'
import type { From, Token } from './table.ts'
import { teamNamesOf } from './table.ts'

const refused = (why: string): Rejection => ({ rejected: 'identity.bad_token', why })

/** Whom a stored token stands for, or why for nobody. Expiry is left to whoever knows the time. */
export async function known(from: From, token: Token | undefined): Promise<Known | Rejection> {
  if (token === undefined) return refused('The token is not known here.')
  if (token.revoked_at !== null) return refused('The token has been revoked.')
  const caller = token.kind === 'pat' ? await asUser(from, token) : asAccount(token)
  if ('rejected' in caller) return caller
  const principal = asPrincipal(Object.freeze({ ...caller, subjects: Object.freeze(caller.subjects) }))
  return { principal, tokenId: token.id, expiresAt: token.expires_at }
}

async function asUser(from: From, token: Token): Promise<Caller | Rejection> {
  const { user_id: id, user_email: name, user_role: role } = token
  if (id === null || name === null || role === null) return refused('The token stands for nobody.')
  if (token.user_disabled_at !== null) return refused('The user of the token is disabled.')
  const teams = (await teamNamesOf(from, id)).map(team => `team:${team}`)
  return { id, kind: 'user', name, role, subjects: [`user:${name}`, ...teams, 'everyone'], tokenId: token.id }
}

function asAccount(token: Token): Caller | Rejection {
  const { account_id: id, account_name: name } = token
  if (id === null || name === null) return refused('The token stands for nobody.')
  if (token.account_disabled_at !== null) return refused('The virtual account of the token is disabled.')
  if (token.owner_disabled_at !== null) return refused('The owner of the virtual account is disabled.')
  return {
    id,
    kind: 'account',
    name,
    role: 'member',
    subjects: [`account:${name}`, 'everyone'],
    tokenId: token.id,
  }
}
