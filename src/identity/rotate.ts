/** Rotation: a new token takes the place of an old one, which stays good beside it until a deadline. */
import { z } from 'zod'
import { fail } from '../foundation/errors.ts'
import { newId } from '../foundation/id.ts'
import { type Caller, type Route, route } from '../foundation/route.ts'
import { type Act, change, type Room } from './room.ts'
import { isoTime, lifetimeMilliseconds, rotatedToken, rotationSchema } from './schemas.ts'
import { type From, type Token, tokenById, tokenReplacedBy, updateToken } from './table.ts'
import { issue, mayHandle, subjectOf } from './tokens.ts'

type Rotation = z.infer<typeof rotationSchema>

export function rotateRoute(room: Room): Route {
  return route({
    method: 'POST',
    path: '/api/v1/tokens/{id}/rotate',
    summary: 'Make a token that takes the place of this one, which stays good until the deadline',
    entry: 'signed-in',
    stepUp: true,
    status: 201,
    params: z.object({ id: z.string().max(64) }),
    body: rotationSchema,
    answer: rotatedToken,
    async act({ caller, requestId, params: { id }, body }) {
      const token = await rotatable(room.database.kysely, caller, { id, now: room.clock.now() })
      const successor = newId(room.clock.now())
      const act: Act = {
        caller,
        requestId,
        action: 'identity.rotate_token',
        target: subjectOf(token),
        detail: { id, successor, ...body },
      }
      return change(room, act, tx => rotate(room, tx, { caller, id, successor, ...body }))
    },
  })
}

type Wanted = Rotation & { readonly caller: Caller; readonly id: string; readonly successor: string }

async function rotate(room: Room, tx: From, wanted: Wanted): Promise<z.infer<typeof rotatedToken>> {
  const now = room.clock.now()
  const old = await rotatable(tx, wanted.caller, { id: wanted.id, now })
  const expiresAt = Math.min(old.expires_at, now + lifetimeMilliseconds(wanted.deadline))
  await updateToken(tx, old.id, { expires_at: expiresAt, replaced_by: wanted.successor })
  const issued = await issue(room, tx, {
    kind: old.kind,
    subject: subjectOf(old),
    userId: old.user_id,
    accountId: old.account_id,
    name: old.name,
    expires: wanted.expires,
    id: wanted.successor,
  })
  return { ...issued, replaces: { id: old.id, expiresAt: isoTime(expiresAt) } }
}

/** The token, if the caller may rotate it now. Of one chain two are good at most, so that it is known which one is to go. */
async function rotatable(
  from: From,
  caller: Caller,
  { id, now }: { id: string; now: number },
): Promise<Token> {
  const token = await tokenById(from, id)
  if (token === undefined || !mayHandle(caller, token))
    return fail('identity.unknown', { why: 'There is no such token that you may rotate.' })
  if (!isGood(token, now))
    fail('http.conflict', {
      why: 'The token is not good any more.',
      fix: 'Make a new one with: gatehouse token create.',
    })
  if (token.replaced_by !== null)
    fail('http.conflict', {
      why: `The token ${token.replaced_by} takes its place already.`,
      fix: 'Rotate that one, once this one is gone.',
    })
  const before = await tokenReplacedBy(from, id)
  if (before !== undefined && isGood(before, now))
    fail('http.conflict', {
      why: `The token ${before.id}, whose place it took, is good until ${isoTime(before.expires_at)}.`,
      fix: `When nothing uses it any more: gatehouse token revoke ${before.id}`,
    })
  return token
}

const isGood = (token: Token, now: number) => token.revoked_at === null && token.expires_at > now
