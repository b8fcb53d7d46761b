/** From the claims of a token that was checked to a user, with whatever has to change for it. */
import { GatewayError } from '../../foundation/errors.ts'
import { newId } from '../../foundation/id.ts'
import type { JsonObject } from '../../foundation/json.ts'
import type { Rejection } from '../principal.ts'
import { type Act, changeToldAfter, type Room, recordRefusal } from '../room.ts'
import { type From, insertUser, updateUser } from '../table.ts'
import type { Admission } from './admission.ts'
import { hasTeams, readClaims, type Said } from './claims.ts'
import { type GroupParts, withFurtherGroups } from './further-groups.ts'
import { isSettled, type Look, lookUp, note } from './look-up.ts'
import type { IdentityProvider } from './provider.ts'
import { insertLinked } from './provider-table.ts'
import { changeTeams } from './team-changes.ts'

export type Via = { readonly via: 'sign-in' | 'bearer'; readonly requestId: string }

/** The user, or why nobody. */
export type Admitted = { readonly userId: string } | Rejection

type Parts = GroupParts & { readonly room: Room }
type Asked = Via & { readonly provider: IdentityProvider; readonly said: Said }

/**
 * Who somebody with these claims is. The claims must come from a token of this provider that was checked. Creates, links and
 * puts into teams as the provider's rules say, with one audit event; writes nothing where nothing changes. A refused sign-in is
 * in the audit with its reason; a refused bearer token is left to whoever answers the request.
 */
export async function admit(
  { room, ...parts }: Parts,
  provider: IdentityProvider,
  claims: JsonObject,
  via: Via,
): Promise<Admitted> {
  const read = readClaims(provider, claims)
  if (read === undefined) return refuse(room, provider, via, `${provider.name} names no subject.`)
  const said = await withFurtherGroups(parts, provider, read, claims)
  const asked = { ...via, provider, said }
  const look = await lookUp(room.database.kysely, asked)
  if ('refused' in look.admission) return refuse(room, provider, via, look.admission.refused)
  if (isUnknown(provider, look)) return refuse(room, provider, via, untold(provider))
  if (!isSettled(look)) return carryOut(room, asked)
  await note(room, look)
  return { userId: look.admission.user.id }
}

/** Nobody is let in for the first time without the groups that decide what they may do, and what they are forbidden. */
function isUnknown(provider: IdentityProvider, { said, admission }: Look): boolean {
  return said.isOverflowing && hasTeams(provider) && 'act' in admission && admission.act !== 'none'
}

const untold = ({ name }: IdentityProvider) =>
  `${name} left out the groups of somebody new, and does not tell them on request.`

async function refuse(
  room: Room,
  { name }: IdentityProvider,
  { via, requestId }: Via,
  why: string,
): Promise<Rejection> {
  const rejection = { rejected: 'identity.not_admitted', why } as const
  if (via === 'bearer') return rejection
  const act: Act = {
    caller: 'nobody',
    requestId,
    action: 'identity.sign_in',
    target: `identity-provider:${name}`,
  }
  await recordRefusal(room, act, rejection.rejected, why)
  return rejection
}

/** Ends the transaction when a second look finds somebody who may not come in. */
class Refused extends Error {}

/** Everything in one transaction, which looks again: others may have come first. */
async function carryOut(room: Room, asked: Asked): Promise<Admitted> {
  const { provider, said, via, requestId } = asked
  try {
    return await changeToldAfter(room, async tx => {
      const look = await lookUp(tx, asked)
      if ('refused' in look.admission) throw new Refused(look.admission.refused)
      const { userId, email, ...done } = await settle(room, tx, look, look.admission)
      const detail = { provider: provider.name, subject: said.subject, via, ...done }
      return {
        answer: { userId },
        act: { caller: 'nobody', requestId, action: 'identity.admit', target: `user:${email}`, detail },
      }
    })
  } catch (error) {
    if (error instanceof Refused) return refuse(room, provider, asked, error.message)
    throw error
  }
}

type Settled = {
  readonly userId: string
  readonly email: string
  readonly did?: 'create' | 'link'
  readonly renamed?: { readonly from: string } | { readonly refused: string }
  readonly teams?: { readonly added: readonly string[]; readonly removed: readonly string[] }
  readonly groups?: 'overflow'
}

type Allowed = Exclude<Admission, { refused: string }>

async function settle(room: Room, tx: From, look: Look, allowed: Allowed): Promise<Settled> {
  const now = room.clock.now()
  const { provider, said } = look
  const who = await settleUser(room, tx, look, allowed)
  if (allowed.act !== 'none')
    await insertLinked(tx, {
      issuer: provider.issuer,
      subject: said.subject,
      user_id: who.userId,
      attributes_json: JSON.stringify(said.attributes),
      linked_at: now,
      seen_at: now,
    })
  const { teams } = look
  await changeTeams(tx, { userId: who.userId, now }, teams)
  const isChanged = teams.added.length > 0 || teams.removed.length > 0
  return { ...who, ...(isChanged && { teams }), ...(said.isOverflowing && { groups: 'overflow' }) }
}

async function settleUser(room: Room, tx: From, { provider }: Look, allowed: Allowed): Promise<Settled> {
  if (allowed.act === 'link') return { userId: allowed.user.id, email: allowed.user.email, did: 'link' }
  if (allowed.act === 'none') {
    const { id: userId, email: from } = allowed.user
    if (allowed.email === undefined) return { userId, email: from }
    const refused = await whyNotRenamed(room, tx, `user:${from}`, `user:${allowed.email}`)
    if (refused !== undefined) return { userId, email: from, renamed: { refused } }
    await updateUser(tx, userId, { email: allowed.email })
    return { userId, email: allowed.email, renamed: { from } }
  }
  const now = room.clock.now()
  const [userId, { email }] = [newId(now), allowed]
  const user = {
    id: userId,
    email,
    role: 'member',
    provider_id: provider.id,
    disabled_at: null,
    created_at: now,
  } as const
  await insertUser(tx, user)
  return { userId, email, did: 'create' }
}

/** What somebody was given follows them to their new address, or they keep the old one. */
async function whyNotRenamed(room: Room, tx: From, from: string, to: string): Promise<string | undefined> {
  try {
    for (const namer of room.namers) await namer.rename(tx, from, to)
    return undefined
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'http.conflict') return error.why
    throw error
  }
}
