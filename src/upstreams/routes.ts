import { z } from 'zod'
import type { Access } from '../access/index.ts'
import { type Caller, type Route, route } from '../foundation/route.ts'
import type { Catalogue } from './catalogue.ts'
import type { Register } from './register.ts'
import { inspects, sees } from './rights.ts'
import { secretsSchema, serverChangesSchema, serverInputSchema } from './server-input.ts'
import { type StoredAuth, type StoredTransport, toolPolicySchema, type Upstream } from './upstream.ts'

export const serverParams = z.object({ group: z.string(), server: z.string() })

const endpoint = z.string().describe('Path of its MCP endpoint at this gateway.')
const names = z.array(z.string()).describe('Names only; values are never shown.')

export const serverAnswer = z.object({
  group: z.string(),
  name: z.string(),
  description: z.string(),
  endpoint,
  details: z
    .object({
      id: z.string(),
      version: z.number(),
      transport: z.looseObject({ kind: z.string(), env: names.optional() }),
      auth: z.looseObject({ kind: z.string(), headers: names.optional(), secrets: names.optional() }),
      tools: toolPolicySchema,
      heldTools: z.number().describe('How many of its tools are held until a manager approves them.'),
    })
    .optional()
    .describe('Only for managers of the group, admins and auditors.'),
})

export type ServerAnswer = z.infer<typeof serverAnswer>

type Parts = {
  readonly register: Register
  readonly access: Access
  readonly authSchema: z.ZodType
  readonly catalogue: Pick<Catalogue, 'pins'>
}

/** What decides what somebody may know of a server. */
type Faces = Pick<Parts, 'access' | 'catalogue'>

/** The servers as people manage them. Probing and catalogues have routes of their own. */
export function serverRoutes(parts: Parts): readonly Route[] {
  return [
    listServers(parts),
    createServer(parts),
    showServer(parts),
    updateServer(parts),
    removeServer(parts),
  ]
}

function listServers({ register, access, catalogue }: Parts): Route {
  return route({
    method: 'GET',
    path: '/api/v1/servers',
    summary: 'The servers you may use or manage.',
    entry: 'signed-in',
    query: z.object({ group: z.string().optional() }),
    answer: z.object({ items: z.array(serverAnswer), why: z.string().optional() }),
    async act({ caller, query: { group } }) {
      const items = [...register.list()]
        .filter(server => (group === undefined || server.group === group) && sees(access, caller, server))
        .map(server => serverFace({ access, catalogue }, caller, server))
      if (items.length > 0) return { items }
      return {
        items,
        why: 'No server here is registered for you. Ask a manager of a group for access, or add a server.',
      }
    },
  })
}

function createServer({ register, authSchema, ...faces }: Parts): Route {
  return route({
    method: 'POST',
    path: '/api/v1/servers',
    summary: 'Register a server in a group you manage.',
    entry: 'signed-in',
    status: 201,
    body: serverInputSchema(authSchema).extend({ secrets: secretsSchema }),
    answer: serverAnswer,
    async act({ caller, requestId, body: { secrets, ...input } }) {
      return serverFace(faces, caller, await register.create({ caller, requestId }, input, secrets))
    },
  })
}

function showServer({ register, ...faces }: Parts): Route {
  return route({
    method: 'GET',
    path: '/api/v1/servers/{group}/{server}',
    summary: 'One server.',
    entry: 'signed-in',
    params: serverParams,
    answer: serverAnswer,
    act: async ({ caller, params }) =>
      serverFace(faces, caller, register.visible(caller, params.group, params.server)),
  })
}

function updateServer({ register, authSchema, ...faces }: Parts): Route {
  return route({
    method: 'PATCH',
    path: '/api/v1/servers/{group}/{server}',
    summary: 'Change a server. What is left out stays; what is named is replaced whole.',
    entry: 'signed-in',
    params: serverParams,
    body: serverChangesSchema(authSchema).extend({ secrets: secretsSchema }),
    answer: serverAnswer,
    async act({ caller, requestId, params, body: { secrets, ...changes } }) {
      const place = { group: params.group, name: params.server }
      return serverFace(faces, caller, await register.update({ caller, requestId }, place, changes, secrets))
    },
  })
}

function removeServer({ register }: Parts): Route {
  return route({
    method: 'DELETE',
    path: '/api/v1/servers/{group}/{server}',
    summary: 'Remove a server, its catalogue and its credentials.',
    entry: 'signed-in',
    status: 204,
    params: serverParams,
    act: ({ caller, requestId, params }) =>
      register.remove({ caller, requestId }, { group: params.group, name: params.server }),
  })
}

/** What this caller may know of the server. */
function serverFace({ access, catalogue }: Faces, caller: Caller, server: Upstream): ServerAnswer {
  const { group, name, description } = server
  const face = { group, name, description, endpoint: `/mcp/${group}/${name}/server` }
  if (!inspects(access, caller, server)) return face
  const { id, version, transport, auth, policy } = server
  const heldTools = [...catalogue.pins(id).values()].filter(({ held }) => held !== undefined).length
  const shown = { transport: transportFace(transport), auth: authFace(auth), tools: policy }
  return { ...face, details: { id, version, ...shown, heldTools } }
}

function transportFace(transport: StoredTransport) {
  return transport.kind === 'stdio' ? { ...transport, env: Object.keys(transport.env) } : transport
}

/** The settings, and which secrets there are; of headers the names. */
function authFace({ kind, settings, secrets }: StoredAuth) {
  const names = Object.keys(secrets)
  const headers = names.flatMap(name => (name.startsWith('headers.') ? [name.slice('headers.'.length)] : []))
  const others = names.filter(name => !name.startsWith('headers.'))
  return {
    kind,
    ...settings,
    ...(headers.length > 0 && { headers }),
    ...(others.length > 0 && { secrets: others }),
  }
}
