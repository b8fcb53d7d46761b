/** The first admin: whoever has the one-time link that the gateway prints while there is none. */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import { fail } from '../foundation/errors.ts'
import { newId } from '../foundation/id.ts'
import { type Route, route } from '../foundation/route.ts'
import { Secret } from '../foundation/secret.ts'
import { keyedHash } from './keyed-hash.ts'
import { type Act, change, type Room } from './room.ts'
import { emailSchema, type IssuedToken, issuedToken } from './schemas.ts'
import { admins, deleteFact, type From, fact, putFact, type User, updateUser } from './table.ts'
import { issue, userHolder } from './tokens.ts'
import { knownUser, putUser } from './users.ts'

const factName = 'claim'
const openMilliseconds = 15 * 60_000
const stored = z.object({ hash: z.string(), expiresAt: z.number() })

export type Claim = { readonly secret: Secret /** Milliseconds since 1970. */; readonly expiresAt: number }

/** A new claim, good for 15 minutes, in place of the one before; undefined when there is an admin. */
export function openClaim(room: Room): Promise<Claim | undefined> {
  return room.database.change(async tx => {
    await deleteFact(tx, factName)
    if ((await admins(tx)).length > 0) return undefined
    const secret = randomBytes(16).toString('base64url')
    const expiresAt = room.clock.now() + openMilliseconds
    await putFact(tx, factName, JSON.stringify({ hash: keyedHash(room.pepper, secret), expiresAt }))
    return { secret: new Secret(secret), expiresAt }
  })
}

type Claimer = {
  readonly email: string
  readonly requestId: string
  /** What else becomes of them, in the same transaction. */
  also?(tx: From, user: User): Promise<void>
}

/** Makes the first admin and their first token. Throws `identity.claim_refused`; a secret is good once. */
export function claim(room: Room, secret: string, { email, requestId, also }: Claimer): Promise<IssuedToken> {
  const now = room.clock.now()
  const act: Act = { caller: 'nobody', requestId, action: 'identity.claim', target: `user:${email}` }
  return change(room, act, async tx => {
    await useClaim(room, tx, secret)
    await putUser(tx, { email, role: 'admin' }, now)
    const user = await knownUser(tx, email)
    await updateUser(tx, user.id, { disabled_at: null })
    await also?.(tx, user)
    return issue(room, tx, { ...userHolder(user), id: newId(now), name: 'first admin', expires: '90d' })
  })
}

async function useClaim(room: Room, tx: From, secret: string): Promise<void> {
  const text = await fact(tx, factName)
  const open = text === undefined ? undefined : stored.parse(JSON.parse(text))
  const given = Buffer.from(keyedHash(room.pepper, secret))
  if (open === undefined || !timingSafeEqual(Buffer.from(open.hash), given))
    refuse('There is no open claim with it.')
  if (open.expiresAt <= room.clock.now()) refuse('It was good for 15 minutes, which are over.')
  if ((await admins(tx)).length > 0) refuse('There is an admin already.')
  await deleteFact(tx, factName)
}

function refuse(why: string): never {
  return fail('identity.claim_refused', { why })
}

export function claimRoute(room: Room): Route {
  return route({
    method: 'POST',
    path: '/api/v1/claim',
    summary: 'Become the first admin with the one-time secret of the claim link',
    entry: 'anyone',
    status: 201,
    body: z.strictObject({ secret: z.string().min(1).max(200), email: emailSchema }),
    answer: issuedToken,
    act: ({ body, requestId }) => claim(room, body.secret, { email: body.email, requestId }),
  })
}
