/** Virtual servers in the management API: drafted, looked at, published, rolled back. */
import { z } from 'zod'
import { type Route, route } from '../foundation/route.ts'
import { type Changes, composeNow } from './changes.ts'
import { definitionSchema, draftSchema, virtualServerSchema } from './definition.ts'
import { diffRoutes } from './diff-routes.ts'
import { type InspectParts, inspected, placeParams, sees } from './inspect.ts'
import { problemsOf } from './refusals.ts'
import { type Place, readPublications, type StoredVirtual } from './table.ts'

type Parts = InspectParts & {
  readonly changes: Changes
  list(): Iterable<StoredVirtual>
}

const shortAnswer = z.object({
  group: z.string(),
  name: z.string(),
  description: z.string(),
  published: z.int().nullable().describe('The number of the publication that is served.'),
  hasDraft: z.boolean(),
})
const wholeAnswer = shortAnswer.extend({
  definition: definitionSchema.nullable().describe('What is served.'),
  draft: definitionSchema.nullable().describe('What would be published next.'),
  access: virtualServerSchema.shape.access.describe('Its own grants, besides those of the group.'),
})
const previewAnswer = z.object({
  items: z.array(
    z.object({
      kind: z.enum(['tool', 'resource', 'template', 'prompt']),
      name: z.string(),
      source: z.string().describe('group/server.'),
      own: z.string().describe('What the source calls it.'),
    }),
  ),
  clashes: z.array(z.object({ name: z.string(), of: z.array(z.string()) })),
  missing: z.array(z.object({ server: z.string(), why: z.string() })),
  idle: z.array(z.string()).describe('Names and globs that choose nothing.'),
  problems: z.array(z.string()).describe('Everything that keeps it from being published.'),
})
const publicationAnswer = z.object({
  number: z.int(),
  by: z.string(),
  at: z.int().describe('Milliseconds since 1970.'),
  definition: definitionSchema,
})

export function virtualRoutes(parts: Parts): readonly Route[] {
  return [...readingRoutes(parts), ...diffRoutes(parts), ...changingRoutes(parts)]
}

function readingRoutes(parts: Parts): Route[] {
  const { access } = parts
  return [
    route({
      method: 'GET',
      path: '/api/v1/virtual-servers',
      summary: 'The virtual servers you may use or manage.',
      entry: 'signed-in',
      answer: z.object({ items: z.array(shortAnswer), why: z.string().optional() }),
      async act({ caller }) {
        const items = [...parts.list()].filter(each => sees(access, caller, each)).map(short)
        return items.length > 0
          ? { items }
          : { items, why: 'There is no virtual server that you may use or manage.' }
      },
    }),
    route({
      method: 'GET',
      path: '/api/v1/virtual-servers/{group}/{server}',
      summary: 'One virtual server: what it serves, and its draft. For managers, admins and auditors.',
      entry: 'signed-in',
      params: placeParams,
      answer: wholeAnswer,
      async act({ caller, params }) {
        const found = inspected(parts, caller, params)
        return {
          ...short(found),
          definition: found.published?.definition ?? null,
          draft: found.draft ?? null,
          access: await ownGrants(parts, found),
        }
      },
    }),
    ...closerRoutes(parts),
  ]
}

function closerRoutes(parts: Parts): Route[] {
  return [
    route({
      method: 'GET',
      path: '/api/v1/virtual-servers/{group}/{server}/preview',
      summary: 'What the draft, or else what is served, comes to at this moment.',
      entry: 'signed-in',
      params: placeParams,
      answer: previewAnswer,
      async act({ caller, params }) {
        const found = inspected(parts, caller, params)
        const definition = found.draft ?? found.published?.definition
        return definition === undefined
          ? { items: [], clashes: [], missing: [], idle: [], problems: [] }
          : shownComposed(composeNow(parts, found, definition))
      },
    }),
    route({
      method: 'GET',
      path: '/api/v1/virtual-servers/{group}/{server}/publications',
      summary: 'Everything that was published, the latest first.',
      entry: 'signed-in',
      params: placeParams,
      answer: z.object({ items: z.array(publicationAnswer) }),
      async act({ caller, params }) {
        const { id } = inspected(parts, caller, params)
        const publications = await readPublications(parts.database.kysely, id)
        return {
          items: publications.map(({ number, by, at, definition }) => ({ number, by, at, definition })),
        }
      },
    }),
  ]
}

function changingRoutes({ changes }: Parts): Route[] {
  const place = ({ group, server }: z.infer<typeof placeParams>): Place => ({ group, name: server })
  return [
    route({
      method: 'PUT',
      path: '/api/v1/virtual-servers/{group}/{server}/draft',
      summary: 'Write the draft of a virtual server, new or not. What is served stays until it is published.',
      entry: 'signed-in',
      params: placeParams,
      body: draftSchema.omit({ group: true, name: true }),
      answer: shortAnswer,
      act: async input =>
        short(
          await changes.draft(input, { ...input.body, group: input.params.group, name: input.params.server }),
        ),
    }),
    route({
      method: 'POST',
      path: '/api/v1/virtual-servers/{group}/{server}/publish',
      summary: 'Serve the draft from now on.',
      entry: 'signed-in',
      params: placeParams,
      answer: shortAnswer,
      act: async input => short(await changes.publish(input, place(input.params))),
    }),
    route({
      method: 'POST',
      path: '/api/v1/virtual-servers/{group}/{server}/roll-back',
      summary: 'Serve again what was published under a number.',
      entry: 'signed-in',
      params: placeParams,
      body: z.strictObject({ number: z.int().min(1) }),
      answer: shortAnswer,
      act: async input => short(await changes.rollBack(input, place(input.params), input.body.number)),
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/virtual-servers/{group}/{server}',
      summary: 'Remove a virtual server, its publications and its own grants.',
      entry: 'signed-in',
      status: 204,
      params: placeParams,
      act: async input => changes.remove(input, place(input.params)),
    }),
  ]
}

function short({ group, name, description, published, draft }: StoredVirtual): z.infer<typeof shortAnswer> {
  return { group, name, description, published: published?.number ?? null, hasDraft: draft !== undefined }
}

async function ownGrants({ access, database }: Parts, { group, name }: StoredVirtual) {
  return (await access.readOwnGrants(database.kysely)).get(`${group}/${name}`) ?? []
}

function shownComposed(composed: ReturnType<typeof composeNow>): z.infer<typeof previewAnswer> {
  const { composition, clashes, idle } = composed
  return {
    items: composition.items.map(({ kind, name, own, source }) => ({
      kind,
      name,
      own,
      source: `${source.group}/${source.name}`,
    })),
    clashes: clashes.map(({ name, of }) => ({ name, of: [...of] })),
    missing: composition.missing.filter(({ reason }) => reason !== 'clash'),
    idle: [...idle],
    problems: problemsOf(composed).map(({ why }) => why),
  }
}
