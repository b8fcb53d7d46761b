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
import type { ConnectParts } from './connect.ts'
import { disconnect } from './disconnect.ts'
import { type Connection, connectionOf, connectionSchema } from './view.ts'

export type RouteParts = ConnectParts & {
  readonly access: Access
  servers(): Iterable<Upstream>
  readonly holders: Identity['holders']
  origin(): string
}

export function connectionRoutes(parts: RouteParts): Route[] {
  return [listRoute(parts), disconnectRoute(parts)]
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
    answer: z.object({ connections: z.array(connectionSchema), why: z.string().optional() }),
    async act({ caller, query }) {
      if (query.all === true && !seesAll(caller))
        fail('identity.forbidden', { why: 'Only admins and auditors see the connections of others.' })
      const isAll = query.all === true
      const found = isAll ? await everybodys(parts) : await own(parts, caller)
      const connections = found.filter(({ server }) => query.server === undefined || server === query.server)
      const why = isAll
        ? 'Nobody has connected an account yet.'
        : 'No server that you may use needs an account of yours.'
      return connections.length > 0 ? { connections } : { connections, why }
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
    async act({ caller, requestId, params: { id } }) {
      const stored = await credentialById(parts.database.kysely, id)
      const isOwn = stored?.credential.owner === caller.id
      if (stored === undefined || !(isOwn || managesAll(caller))) fail('vault.connection_unknown')
      await disconnect(parts, { caller, requestId }, id)
    },
  })
}

async function own(parts: RouteParts, caller: Caller): Promise<Connection[]> {
  const has = new Map<string, Credential>()
  for (const credential of await credentials(parts.database.kysely, { owners: [caller.id] }))
    has.set(credential.serverId, credential)
  const shown: Connection[] = []
  for (const upstream of parts.servers()) {
    const { group, name, policy } = upstream
    const needs = parts.opened(upstream)?.stored.by === 'person'
    const credential = has.get(upstream.id)
    if (!needs && credential === undefined) continue
    if (
      !parts.access.clear(caller, 'server.use', { group, server: name, policy }).allowed &&
      credential === undefined
    )
      continue
    shown.push(shownAs(parts, upstream, { credential, owner: subjectOf(caller) }))
  }
  return shown
}

async function everybodys(parts: RouteParts): Promise<Connection[]> {
  const all = await credentials(parts.database.kysely, {})
  const known = await parts.holders([...new Set(all.map(({ owner }) => owner))])
  return all.flatMap(credential => {
    const upstream = parts.serverById(credential.serverId)
    if (upstream === undefined) return []
    const owner =
      credential.owner === everyone ? everyone : (known.get(credential.owner)?.subject ?? credential.owner)
    return [shownAs(parts, upstream, { credential, owner })]
  })
}

function shownAs(
  parts: RouteParts,
  upstream: Upstream,
  { credential, owner }: { credential: Credential | undefined; owner: string },
): Connection {
  const link = `${parts.origin()}/connect/${upstream.group}/${upstream.name}`
  return connectionOf(credential, { upstream, owner, reason: reasonOf(parts, upstream, credential), link })
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
