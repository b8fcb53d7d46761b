/** What people allowed to clients, and what they need not be asked again. */
import { changeEvent, ownEvent } from '../../audit/index.ts'
import type { Caller } from '../../foundation/route.ts'
import { keyedHash } from '../keyed-hash.ts'
import { whyUserRefused } from '../load.ts'
import { tellOfTheft } from '../notices.ts'
import type { Room } from '../room.ts'
import { userById } from '../table.ts'
import { type Payload, payloadSchema, within } from './artifacts.ts'
import {
  deleteConsents,
  deleteGrant,
  type GrantRow,
  grantById,
  hasConsent,
  putConsent,
  putGrant,
} from './table.ts'

export type Grant = {
  readonly id: string
  readonly userId: string
  readonly clientId: string
  /** As it was shown to the person. */
  readonly clientName: string
  readonly resource: string
  readonly scope: string
  readonly payload: Payload
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

/** Everything a person agrees to; when any of it is another, they are asked again. */
export type Consent = {
  readonly userId: string
  readonly clientId: string
  /** Redirect host, resource, scopes and what the client says of itself. */
  readonly about: readonly string[]
}

export type Grants = {
  put(grant: Grant): Promise<void>
  find(id: string): Promise<Pick<Grant, 'userId' | 'clientId' | 'clientName' | 'payload'> | undefined>
  /** Ends the grant and every token of it, in every process; false when it had ended already. */
  revoke(id: string, why: Revocation): Promise<boolean>
  isAgreed(consent: Consent): Promise<boolean>
  agree(consent: Consent): Promise<void>
  /** A person who may sign in; undefined for others. */
  person(userId: string): Promise<{ id: string; email: string } | undefined>
}

export type Revocation = {
  /** Who; absent when the gateway did it by itself. */
  readonly by?: Caller
  readonly requestId: string
  readonly why: string
  /** The person is to be asked again. */
  readonly isForgotten?: boolean
  /** Somebody used what was not theirs: the person is told. */
  readonly isTheft?: boolean
}

export function openGrants(room: Room): Grants {
  const { kysely } = room.database
  const hashOf = ({ clientId, about }: Consent) =>
    keyedHash(room.pepper, JSON.stringify([clientId, ...about]))
  return {
    async put(grant) {
      await putGrant(within(kysely), rowOf(grant, room.clock.now()))
    },
    async find(id) {
      const row = await grantById(within(kysely), id)
      return row && grantOf(row)
    },
    revoke: (id, why) => revoke(room, id, why),
    isAgreed: consent => hasConsent(within(kysely), consent.userId, hashOf(consent)),
    async agree(consent) {
      await putConsent(within(kysely), {
        user_id: consent.userId,
        hash: hashOf(consent),
        client_id: consent.clientId,
        created_at: room.clock.now(),
      })
    },
    async person(userId) {
      const user = await userById(within(kysely), userId)
      if (user === undefined || whyUserRefused(user) !== undefined) return undefined
      return { id: user.id, email: user.email }
    },
  }
}

function grantOf({ user_id, client_id, client_name, payload_json }: GrantRow) {
  const payload = payloadSchema.parse(JSON.parse(payload_json))
  return { userId: user_id, clientId: client_id, clientName: client_name, payload }
}

function rowOf(grant: Grant, now: number) {
  return {
    id: grant.id,
    user_id: grant.userId,
    client_id: grant.clientId,
    client_name: grant.clientName,
    resource: grant.resource,
    scope: grant.scope,
    payload_json: JSON.stringify(grant.payload),
    created_at: now,
    expires_at: grant.expiresAt,
    used_at: null,
  }
}

async function revoke(room: Room, id: string, why: Revocation): Promise<boolean> {
  const known = await grantById(room.database.kysely, id)
  if (known === undefined) return false
  const isRevoked = await room.database.change(async tx => {
    if (!(await deleteGrant(tx, id))) return false
    if (why.isForgotten) await deleteConsents(tx, known.user_id, known.client_id)
    if (why.isTheft)
      await tellOfTheft(tx, { userId: known.user_id, about: known.client_name, now: room.clock.now() })
    await room.audit.recorded(eventOf(known, why))
    return true
  })
  await room.refresh()
  return isRevoked
}

function eventOf(grant: GrantRow, { by, requestId, why }: Revocation) {
  const change = {
    action: 'oauth.revoke_grant',
    target: `oauth-client:${grant.client_id}`,
    detail: { grant: grant.id, user: grant.user_id, resource: grant.resource, why },
  }
  return by === undefined ? { ...ownEvent(change), requestId } : changeEvent(by, requestId, change)
}
