/** OAuth clients over the management API. */
import { z } from 'zod'
import { fail } from '../../foundation/errors.ts'
import { type Route, route } from '../../foundation/route.ts'
import type { Seals } from '../flows.ts'
import { type Act, change, type Room } from '../room.ts'
import { isoTime, listed, listOf } from '../schemas.ts'
import { metadataSchema } from './clients.ts'
import {
  companyClient,
  inputOf,
  oauthClientSchema,
  putCompanyClient,
  removeClient,
  renewSecret,
} from './company-clients.ts'
import { type ClientRow, clientById, clients } from './table.ts'

const clientView = z
  .object({
    clientId: z.string(),
    title: z.string(),
    registeredBy: z.enum(['company', 'itself']),
    redirectUris: z.array(z.string()),
    authentication: z.string(),
    createdAt: z.iso.datetime(),
    usedAt: z.iso.datetime().nullable().describe('When it first got a token.'),
  })
  .meta({ id: 'OAuthClient' })

const issuedClient = clientView.extend({
  secret: z.string().nullable().describe('The client secret, shown this once.'),
})

const byId = z.object({ clientId: z.string().max(200) })

type Parts = { readonly room: Room; readonly seals: Seals }

function view(row: ClientRow): z.infer<typeof clientView> {
  const metadata = metadataSchema.parse(JSON.parse(row.metadata_json))
  const uris: unknown = metadata.redirect_uris
  const isOurs = row.registered_by === 'company'
  return {
    clientId: row.id,
    title: row.name,
    registeredBy: row.registered_by,
    redirectUris: Array.isArray(uris) ? uris.map(String) : [],
    authentication: isOurs ? inputOf(row).authentication : String(metadata.token_endpoint_auth_method),
    createdAt: isoTime(row.created_at),
    usedAt: row.used_at === null ? null : isoTime(row.used_at),
  }
}

export function oauthClientRoutes(parts: Parts): Route[] {
  return [list(parts), create(parts), show(parts), replace(parts), renew(parts), remove(parts)]
}

function list({ room }: Parts): Route {
  return route({
    method: 'GET',
    path: '/api/v1/oauth-clients',
    summary: 'List OAuth clients: those an admin entered, and those that registered themselves',
    entry: 'auditor',
    answer: listOf(clientView),
    act: async () =>
      listed((await clients(room.database.kysely)).map(view), 'No OAuth client is registered yet.'),
  })
}

const act = (input: Pick<Act, 'caller' | 'requestId'>, verb: string, id: string): Act => ({
  caller: input.caller,
  requestId: input.requestId,
  action: `identity.${verb}_oauth_client`,
  target: `oauth-client:${id}`,
})

function create({ room, seals }: Parts): Route {
  return route({
    method: 'POST',
    path: '/api/v1/oauth-clients',
    summary: 'Register an OAuth client for the company',
    entry: 'admin',
    stepUp: true,
    status: 201,
    body: oauthClientSchema,
    answer: issuedClient,
    act({ body, ...input }) {
      const made: Act = { ...act(input, 'create', body.name), detail: { redirectUris: body.redirectUris } }
      return change(room, made, async tx => {
        if (await clientById(tx, body.name))
          fail('http.conflict', { why: `The OAuth client ${body.name} exists.` })
        const now = room.clock.now()
        await putCompanyClient(tx, body, now)
        const secret =
          body.authentication === 'secret' ? await renewSecret(tx, seals, { id: body.name, now }) : null
        return { ...view(await companyClient(tx, body.name)), secret }
      })
    },
  })
}

function show({ room }: Parts): Route {
  return route({
    method: 'GET',
    path: '/api/v1/oauth-clients/{clientId}',
    summary: 'Show an OAuth client',
    entry: 'auditor',
    params: byId,
    answer: clientView,
    act: async ({ params }) => view(await companyClient(room.database.kysely, params.clientId)),
  })
}

function replace({ room }: Parts): Route {
  return route({
    method: 'PUT',
    path: '/api/v1/oauth-clients/{clientId}',
    summary: 'Change an OAuth client of the company; whoever allowed it before is asked again',
    entry: 'admin',
    stepUp: true,
    params: byId,
    body: oauthClientSchema,
    answer: clientView,
    act({ body, params: { clientId }, ...input }) {
      if (body.name !== clientId)
        fail('http.bad_request', { why: 'The name of an OAuth client is its client_id and stays.' })
      const made: Act = { ...act(input, 'update', clientId), detail: { redirectUris: body.redirectUris } }
      return change(room, made, async tx => {
        checkOurs(await companyClient(tx, clientId))
        await putCompanyClient(tx, body, room.clock.now())
        return view(await companyClient(tx, clientId))
      })
    },
  })
}

function renew({ room, seals }: Parts): Route {
  return route({
    method: 'POST',
    path: '/api/v1/oauth-clients/{clientId}/secret',
    summary: 'Give an OAuth client of the company a new secret; the old one ends at once',
    entry: 'admin',
    stepUp: true,
    params: byId,
    answer: issuedClient,
    act: ({ params: { clientId }, ...input }) =>
      change(room, act(input, 'renew_secret_of', clientId), async tx => {
        checkOurs(await companyClient(tx, clientId))
        const secret = await renewSecret(tx, seals, { id: clientId, now: room.clock.now() })
        return { ...view(await companyClient(tx, clientId)), secret }
      }),
  })
}

function checkOurs({ id, registered_by }: ClientRow): void {
  if (registered_by !== 'company')
    fail('http.conflict', {
      why: `The OAuth client ${id} registered itself, so only it can change what it is.`,
    })
}

function remove({ room }: Parts): Route {
  return route({
    method: 'DELETE',
    path: '/api/v1/oauth-clients/{clientId}',
    summary: 'Remove an OAuth client, with all its tokens',
    entry: 'admin',
    stepUp: true,
    params: byId,
    act: ({ params: { clientId }, ...input }) =>
      change(room, act(input, 'delete', clientId), tx => removeClient(tx, clientId)),
  })
}
