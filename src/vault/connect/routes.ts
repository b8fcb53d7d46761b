/** The connections of a caller, and for admins those of everybody. */
import { z } from 'zod'
import { type Access, managesAll, seesAll } from '../../access/index.ts'
import { fail } from '../../foundation/errors.ts'
import { type Caller, type Route, route } from '../../foundation/route.ts'
import type { Identity } from '../../identity/index.ts'
import type { Upstream } from '../../upstreams/index.ts'
import { type Credential, everyone } from '../credentials/credential.ts'
import { credentialById, credentials } from '../credentials/credential-table.ts'
import { fits } from '../credentials/fits.ts'
import type { Reason } from '../credentials/needed.ts'
import type { Connect, ConnectParts } from './connect.ts'
import { type By, disconnect } from './disconnect.ts'
import { signInAt } from './sign-in-at.ts'
import { type Connection, connectionOf, connectionSchema } from './view.ts'

export type RouteParts = ConnectParts & {
  readonly access: Access
  servers(): Iterable<Upstream>
  readonly holders: Identity['holders']
  find(group: string, name: string): Upstream | undefined
  /** Under which id what is of a subject is kept; undefined where there is no such subject. */
  ownerOf(subject: string): Promise<string | undefined>
  readonly give: Connect['give']
  origin(): string
}

export function connectionRoutes(parts: RouteParts): Route[] {
  return [listRoute(parts), giveRoute(parts), disconnectRoute(parts)]
}

function listRoute(parts: RouteParts): Route {
  return route({
    method: 'GET',
    path: '/api/v1/connections',
    summary: 'Accounts at servers: which are connected, which are needed, and what repairs them',
    entry: 'signed-in',
    query: z.object({
      all: z.stringbool().optional().describe('Those of everybody; for admins and auditors.'),
      server: z.string().max(200).optional().describe('`group/server`'),
    }),
    answer: z.object({ items: z.array(connectionSchema), why: z.string().optional() }),
    async act({ caller, query }) {
      if (query.all === true && !seesAll(caller))
        fail('identity.forbidden', { why: 'Only admins and auditors see the connections of others.' })
      const isAll = query.all === true
      const found = isAll ? await everybodys(parts) : await connectionsOf(parts, caller)
      const items = found.filter(({ server }) => query.server === undefined || server === query.server)
      const why = isAll
        ? 'Nobody has connected an account yet.'
        : 'No server that you may use needs an account of yours.'
      return items.length > 0 ? { items } : { items, why }
    },
  })
}

function giveRoute(parts: RouteParts): Route {
  return route({
    method: 'PUT',
    path: '/api/v1/connections',
    summary:
      'Give values that a server wants of you; for others and for teams, managers of the group do. They are never shown again',
    entry: 'signed-in',
    status: 204,
    body: z.strictObject({
      server: z.string().max(200).describe('`group/server`'),
      owner: z
        .string()
        .regex(/^(?:user|account|team):.{1,254}$/)
        .optional()
        .describe('`user:<email>`, `account:<name>` or `team:<name>`; you unless told.'),
      values: z.record(z.string().max(64), z.string().max(8192)),
    }),
    async act({ caller, requestId, body: { server, owner, values } }) {
      const [group = '', name = ''] = server.split('/')
      const upstream = parts.find(group, name)
      const { access } = parts
      const isManager = upstream !== undefined && access.isManager(caller, group)
      const target = upstream && { group, server: name, policy: upstream.policy }
      if (
        upstream === undefined ||
        target === undefined ||
        !(isManager || access.clear(caller, 'server.use', target).allowed)
      )
        return fail('access.not_found')
      if (owner !== undefined && !isManager)
        fail('identity.forbidden', {
          why: `You are no manager of the group ${group}, and give values for yourself alone.`,
        })
      const ownerId = owner === undefined ? caller.id : await parts.ownerOf(owner)
      await parts.give(upstream, { owner: ownerId ?? fail('identity.unknown'), caller, requestId }, values)
    },
  })
}

function disconnectRoute(parts: RouteParts): Route {
  return route({
    method: 'DELETE',
    path: '/api/v1/connections/{id}',
    summary: 'Take a connection back: its secrets are erased, and its server is told',
    entry: 'signed-in',
    status: 204,
    params: z.object({ id: z.string().max(64) }),
    act: ({ caller, requestId, params: { id } }) => takeBack(parts, { caller, requestId }, id),
  })
}

/** One that is somebody else's is not there, but for admins. */
export async function takeBack(parts: RouteParts, by: By, id: string): Promise<undefined> {
  const stored = await credentialById(parts.database.kysely, id)
  const isOwn = stored?.credential.owner === by.caller.id
  if (stored === undefined || !(isOwn || managesAll(by.caller))) fail('vault.connection_unknown')
  await disconnect(parts, by, id)
}

export async function connectionsOf(parts: RouteParts, caller: Caller): Promise<Connection[]> {
  const has = new Map<string, Credential>()
  for (const credential of await credentials(parts.database.kysely, { owners: [caller.id] }))
    has.set(credential.serverId, credential)
  const shown: Connection[] = []
  for (const upstream of parts.servers()) {
    const { group, name, policy } = upstream
    const way = parts.opened(upstream)?.stored
    const isOfPeople = way?.onBehalf !== undefined && caller.kind === 'user'
    const needs = way?.by === 'person' || isOfPeople
    const credential = has.get(upstream.id)
    if (!needs && credential === undefined) continue
    if (
      !parts.access.clear(caller, 'server.use', { group, server: name, policy }).allowed &&
      credential === undefined
    )
      continue
    const owner = { id: caller.id, name: subjectOf(caller) }
    shown.push(await shownAs(parts, upstream, { credential, owner }))
  }
  return shown
}

async function everybodys(parts: RouteParts): Promise<Connection[]> {
  const all = await credentials(parts.database.kysely, {})
  const known = await parts.holders([...new Set(all.map(({ owner }) => owner))])
  const shown: Connection[] = []
  for (const credential of all) {
    const { owner: id } = credential
    const upstream = parts.serverById(credential.serverId)
    const name = id === everyone ? everyone : (known.get(id)?.subject ?? id)
    if (upstream !== undefined)
      shown.push(await shownAs(parts, upstream, { credential, owner: { id, name } }))
  }
  return shown
}

type ToShow = {
  readonly credential: Credential | undefined
  readonly owner: { readonly id: string; readonly name: string }
}

async function shownAs(
  parts: RouteParts,
  upstream: Upstream,
  { credential, owner }: ToShow,
): Promise<Connection> {
  const link = `${parts.origin()}/connect/${upstream.group}/${upstream.name}`
  const way = parts.opened(upstream)?.stored.onBehalf
  // Room that was made is nothing yet.
  const got = way !== undefined && isEmpty(credential) ? undefined : credential
  const isUsed = got !== undefined && reasonOf(parts, upstream, got) === undefined
  if (way === undefined || isUsed) {
    const reason = reasonOf(parts, upstream, got)
    return connectionOf(got, { upstream, owner: owner.name, reason, link })
  }
  const { isReady } = await signInAt(parts, { onBehalf: way, owner: owner.id, credential: got })
  const reason = isReady ? undefined : got === undefined ? 'session' : reasonOf(parts, upstream, got)
  return connectionOf(got, { upstream, owner: owner.name, reason, link, isReady })
}

function isEmpty(credential: Credential | undefined): boolean {
  return credential?.refreshedAt === null && credential.trouble === null
}

function reasonOf(
  parts: RouteParts,
  upstream: Upstream,
  credential: Credential | undefined,
): Reason | undefined {
  if (credential === undefined) return 'none'
  const opened = parts.opened(upstream)
  if (opened === undefined || !fits(opened, credential)) return 'moved'
  if (credential.trouble !== null) return credential.trouble
  const isOver = credential.expiresAt !== null && credential.expiresAt <= parts.clock.now()
  return isOver && !credential.isRefreshable && opened.stored.by === 'person' ? 'refused' : undefined
}

function subjectOf({ kind, name }: Caller): string {
  return kind === 'operator' ? 'operator' : `${kind}:${name}`
}
