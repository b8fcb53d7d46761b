/** The connections of a caller, and for admins those of everybody. */
import { z } from 'zod'
import { type Access, managesAll, seesAll } from '../../access/index.ts'
import { fail } from '../../foundation/errors.ts'
import { type Caller, type Route, route } from '../../foundation/route.ts'
import type { Identity } from '../../identity/index.ts'
import type { Upstream } from '../../upstreams/index.ts'
import { credentialById } from '../credentials/credential-table.ts'
import type { Connect, ConnectParts } from './connect.ts'
import { type By, disconnect } from './disconnect.ts'
import { connectionsFor, everybodys } from './lists.ts'
import { connectionSchema } from './view.ts'

export type RouteParts = ConnectParts & {
  readonly access: Access
  servers(): Iterable<Upstream>
  readonly holders: Identity['holders']
  /** The virtual accounts that this user answers for. */
  readonly ownedBy: Identity['ownedBy']
  /** The virtual account of this id, for who answers for it. */
  answersFor(person: Caller, id: string): Promise<object | undefined>
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
    summary:
      'Accounts at servers, yours and those of virtual accounts that you answer for: which are connected, which are needed, and what repairs them',
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
      const found = isAll ? await everybodys(parts) : await connectionsFor(parts, caller)
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

/** One that is somebody else's is not there, but for admins, and for who answers for its virtual account. */
export async function takeBack(parts: RouteParts, by: By, id: string): Promise<undefined> {
  const stored = await credentialById(parts.database.kysely, id)
  const owner = stored?.credential.owner
  const isTheirs = owner === by.caller.id || managesAll(by.caller)
  if (owner === undefined || !(isTheirs || (await parts.answersFor(by.caller, owner)) !== undefined))
    fail('vault.connection_unknown')
  await disconnect(parts, by, id)
}
