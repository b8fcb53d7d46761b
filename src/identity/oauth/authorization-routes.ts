/** What people allowed to OAuth clients, and how it is taken back. */
import { z } from 'zod'
import { fail } from '../../foundation/errors.ts'
import { type Caller, type Route, route } from '../../foundation/route.ts'
import type { Room } from '../room.ts'
import { isoTime, listed, listOf } from '../schemas.ts'
import type { OAuthStore } from './index.ts'
import { grants, type ListedGrant } from './table.ts'

const authorizationView = z
  .object({
    id: z.string(),
    user: z.string(),
    clientId: z.string(),
    client: z.string().describe('Its name, as it was shown to the person.'),
    resource: z.string(),
    scopes: z.array(z.string()),
    createdAt: z.iso.datetime(),
    expiresAt: z.iso.datetime(),
    lastUsedAt: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Authorization' })

const byId = z.object({ id: z.string().max(64) })
const none = 'No OAuth client was allowed anything.'

function view(grant: ListedGrant): z.infer<typeof authorizationView> {
  return {
    id: grant.id,
    user: grant.email,
    clientId: grant.client_id,
    client: grant.client_name,
    resource: grant.resource,
    scopes: grant.scope.split(' '),
    createdAt: isoTime(grant.created_at),
    expiresAt: isoTime(grant.expires_at),
    lastUsedAt: grant.used_at === null ? null : isoTime(grant.used_at),
  }
}

export type Parts = { readonly room: Room; readonly store: Pick<OAuthStore, 'grants' | 'keys'> }

export function authorizationRoutes(parts: Parts): Route[] {
  return [listMine(parts), revokeMine(parts), listAll(parts), revokeAny(parts), rotateKeys(parts)]
}

function listMine({ room }: Parts): Route {
  return route({
    method: 'GET',
    path: '/api/v1/me/authorizations',
    summary: 'List the applications that may act for you',
    entry: 'signed-in',
    answer: listOf(authorizationView),
    act: async ({ caller }) => listed(await authorizationsOf(room, caller.id), none),
  })
}

function revokeMine(parts: Parts): Route {
  return route({
    method: 'DELETE',
    path: '/api/v1/me/authorizations/{id}',
    summary: 'Take back what you allowed to an application: its tokens end within seconds',
    entry: 'signed-in',
    params: byId,
    act: ({ caller, params, requestId }) => takeBack(parts, { caller, requestId, id: params.id }),
  })
}

function listAll({ room }: Parts): Route {
  return route({
    method: 'GET',
    path: '/api/v1/oauth/authorizations',
    summary: 'List the applications that may act for people',
    entry: 'auditor',
    answer: listOf(authorizationView),
    act: async () => listed((await grants(room.database.kysely)).map(view), none),
  })
}

function revokeAny(parts: Parts): Route {
  return route({
    method: 'DELETE',
    path: '/api/v1/oauth/authorizations/{id}',
    summary: 'Take back what somebody allowed to an application',
    entry: 'admin',
    params: byId,
    act: ({ caller, params, requestId }) => revoke(parts, { caller, requestId, id: params.id, isOwn: false }),
  })
}

type Revoking = {
  readonly caller: Caller
  readonly requestId: string
  readonly id: string
  readonly isOwn: boolean
}

export type Authorization = z.infer<typeof authorizationView>

/** What a person allowed to applications. */
export async function authorizationsOf(
  { database }: Pick<Room, 'database'>,
  userId: string,
): Promise<Authorization[]> {
  return (await grants(database.kysely, userId)).map(view)
}

/** Takes back what the caller allowed. Throws `oauth.unknown`. */
export function takeBack(
  parts: Parts,
  by: { caller: Caller; requestId: string; id: string },
): Promise<undefined> {
  return revoke(parts, { ...by, isOwn: true })
}

async function revoke({ store }: Parts, { caller, requestId, id, isOwn }: Revoking): Promise<undefined> {
  const known = await store.grants.find(id)
  if (known === undefined || (isOwn && known.userId !== caller.id)) return fail('oauth.unknown')
  const why = isOwn ? 'the person took it back' : 'an admin took it back'
  await store.grants.revoke(id, { by: caller, requestId, why, isForgotten: true })
  return undefined
}

function rotateKeys({ store }: Parts): Route {
  return route({
    method: 'POST',
    path: '/api/v1/oauth/keys/rotate',
    summary: 'Sign ID tokens with new keys; what the old ones signed stays good',
    entry: 'admin',
    stepUp: true,
    answer: z.object({ ids: z.array(z.string()) }),
    act: ({ caller, requestId }) => store.keys.rotate({ caller, requestId }),
  })
}
