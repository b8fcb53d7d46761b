/** "Why?" in the management API. */
import { z } from 'zod'
import { type Access, grantSchema, seesAll } from '../access/index.ts'
import { fail } from '../foundation/errors.ts'
import { isObject, type JsonObject, parseBounded } from '../foundation/json.ts'
import { type Caller, type Route, route } from '../foundation/route.ts'
import type { Identity } from '../identity/index.ts'
import type { Catalogue, Register } from '../upstreams/index.ts'
import { askedAbout, oneself, subjectOf } from './asked-about.ts'
import { compose } from './compose.ts'
import type { Item } from './composition.ts'
import { type ExplainParts, explain, type Question } from './explain.ts'
import { explainOutside } from './explain-outside.ts'
import { type Explained, everythingPlace, explanationSchema, type Thing } from './explained.ts'
import { offerOf } from './offers.ts'
import { anyTool } from './served.ts'
import type { Servers } from './servers.ts'

export type ExplainRouteParts = {
  readonly access: Access
  readonly identity: Pick<Identity, 'standInOf' | 'hasTeam'>
  readonly register: Pick<Register, 'find' | 'list'>
  readonly catalogue: Catalogue
  readonly servers: Pick<Servers, 'find' | 'everything' | 'virtuals'>
}

const mostArguments = 65_536

const asked = {
  subject: grantSchema.shape.subject
    .optional()
    .describe('Who: user:<email>, account:<name>, team:<name> or everyone; you, unless told.'),
  server: z
    .string()
    .regex(/^(?:\/mcp|[a-z0-9-]{1,63}\/[a-z0-9-]{1,63})$/, 'write group/server, or /mcp for everything')
    .default(everythingPlace)
    .describe('group/server, or /mcp for everything that somebody may use.'),
  tool: z.string().min(1).max(256).optional(),
  resource: z.string().min(1).max(8192).optional().describe('The URI of a resource.'),
  prompt: z.string().min(1).max(256).optional(),
  address: z
    .union([z.ipv4(), z.ipv6()])
    .optional()
    .describe('Where the call would come from; from nowhere unless told.'),
  at: z.iso.datetime({ offset: true }).optional().describe('When; now unless told.'),
}

const query = z.strictObject({
  ...asked,
  arguments: z.string().max(mostArguments).optional().describe('The arguments, as a JSON object.'),
})

const body = z.strictObject({
  ...asked,
  arguments: z.record(z.string(), z.unknown()).optional().describe('At most 64 KiB as JSON.'),
})

const path = '/api/v1/access/explain'

export function explainRoutes(parts: ExplainRouteParts): readonly Route[] {
  return [
    route({
      method: 'GET',
      path,
      summary:
        'Why somebody may do something, or not, and what would change it. Anybody about themselves; managers about their group; auditors and admins about anybody.',
      entry: 'signed-in',
      query,
      answer: explanationSchema,
      act: ({ caller, query }) =>
        answer(parts, caller, { ...query, arguments: parsedArguments(query.arguments) }),
    }),
    route({
      method: 'POST',
      path,
      summary: 'The same, for arguments that do not belong into a URL.',
      entry: 'signed-in',
      status: 200,
      body,
      answer: explanationSchema,
      act({ caller, body }) {
        if (Buffer.byteLength(JSON.stringify(body.arguments ?? {})) > mostArguments)
          fail('http.bad_request', { why: 'The arguments are larger than 64 KiB.' })
        return answer(parts, caller, body)
      },
    }),
  ]
}

function parsedArguments(text: string | undefined): JsonObject | undefined {
  if (text === undefined) return undefined
  const value = parseBounded(Buffer.from(text))
  return isObject(value) ? value : fail('http.bad_request', { why: 'The arguments are no JSON object.' })
}

type Wanted = Omit<z.infer<typeof body>, 'arguments'> & { readonly arguments?: JsonObject | undefined }

async function answer(parts: ExplainRouteParts, caller: Caller, wanted: Wanted): Promise<Explained> {
  const { access } = parts
  const { server: place, subject, address, at } = wanted
  const [group = ''] = place.split('/')
  const inspects = (name: string) =>
    seesAll(caller) || (access.group(name) !== undefined && access.isManager(caller, name))
  const isOneself = subject === undefined || subject === subjectOf(caller)
  const isInspected = seesAll(caller) || (place !== everythingPlace && inspects(group))
  if (!isOneself && !isInspected)
    fail('identity.forbidden', {
      why: 'You may ask about yourself, and about others in the groups that you manage.',
    })
  const question: Question = {
    ...(isOneself ? oneself(caller) : await askedAbout(parts, subject, seesAll(caller))),
    ...{ place, address, inspects, thing: thingOf(wanted), arguments: wanted.arguments },
    at: at === undefined ? undefined : Date.parse(at),
  }
  return isInspected ? explain(partsOf(parts), question) : explainOutside(partsOf(parts), question)
}

function thingOf({ tool, resource, prompt }: Wanted): Thing | undefined {
  const all: Thing[] = [
    ...(tool === undefined ? [] : [{ kind: 'tool', name: tool } as const]),
    ...(resource === undefined ? [] : [{ kind: 'resource', name: resource } as const]),
    ...(prompt === undefined ? [] : [{ kind: 'prompt', name: prompt } as const]),
  ]
  if (all.length > 1) fail('http.bad_request', { why: 'Name a tool, a resource or a prompt: one of them.' })
  return all[0]
}

function partsOf(parts: ExplainRouteParts): ExplainParts {
  const { access, catalogue, register, servers } = parts
  return {
    ...{ access, catalogue },
    find: servers.find,
    everything: servers.everything,
    places: () => [...register.list(), ...servers.virtuals()].map(({ group, name }) => `${group}/${name}`),
    keptFrom: (place, tool) => keptFrom(parts, place, tool),
  }
}

function keptFrom(parts: ExplainRouteParts, place: string, tool: string): Item | undefined {
  const virtual = [...parts.servers.virtuals()].find(({ group, name }) => `${group}/${name}` === place)
  if (virtual?.published === undefined) return undefined
  const { definition, settled } = virtual.published
  const open = (server: string) => {
    const offer = offerOf(parts, server)
    return offer && { ...offer, allows: () => true }
  }
  const { group, name } = virtual
  const home = { group, name, policy: anyTool }
  return compose({ definition, home, settled, offer: open }).composition.find('tool', tool)
}
