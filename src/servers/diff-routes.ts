/** Two states of a virtual server side by side: what its author changed, and what that means for callers. */
import { z } from 'zod'
import { fail } from '../foundation/errors.ts'
import { type Route, route } from '../foundation/route.ts'
import { definitionChange } from '../upstreams/index.ts'
import { diffCallers } from './caller-diff.ts'
import { composeNow } from './changes.ts'
import type { Composed } from './compose.ts'
import { Composition } from './composition.ts'
import type { Definition } from './definition.ts'
import { type InspectParts, inspected, placeParams } from './inspect.ts'
import { diffPublications, publicationChangeKinds } from './publication-diff.ts'
import { problemsOf } from './refusals.ts'
import { type Publication, readPublications, type StoredVirtual } from './table.ts'

const number = z.coerce.number().int().min(1).optional()
const query = z.strictObject({
  from: number.describe('The number of a publication; what is served, when left out.'),
  to: number.describe('The number of a publication; the draft, or else what is served, when left out.'),
})

const side = z.union([z.int(), z.literal('draft')])
const change = z.object({
  kind: z.enum(publicationChangeKinds),
  source: z.string().optional().describe('group/server.'),
  part: z.enum(['tools', 'resources', 'prompts']).optional(),
  name: z.string().optional().describe('What the source calls it.'),
  argument: z.string().optional(),
  from: z.unknown().optional(),
  to: z.unknown().optional(),
  sentence: z.string(),
})
const effect = z.object({
  kind: z.enum(['tool', 'resource', 'template', 'prompt']),
  name: z.string(),
  effect: z.enum(['appears', 'vanishes', 'renamed', 'changed']),
  was: z.string().optional().describe('What a renamed thing was called.'),
  sentence: z.string(),
  changes: z.array(definitionChange).describe('What is different in its definition as callers see it.'),
})
const answer = z.object({
  from: side.nullable().describe('null: nothing was published yet.'),
  to: side,
  changes: z.array(change).describe('What its author changed.'),
  callers: z
    .array(effect)
    .describe('What that means for those who call it, as far as the sources are known.'),
  missing: z
    .array(z.object({ server: z.string(), why: z.string() }))
    .describe('Sources of which nothing, or not the latest, is known.'),
  problems: z.array(z.string()).describe('What would keep the later one from being published now.'),
  why: z.string().optional().describe('Why there are no changes.'),
})

export function diffRoutes(parts: InspectParts): Route[] {
  return [
    route({
      method: 'GET',
      path: '/api/v1/virtual-servers/{group}/{server}/diff',
      summary: 'What the draft changes of what is served, or one publication of another.',
      entry: 'signed-in',
      params: placeParams,
      query,
      answer,
      async act({ caller, params, query: asked }) {
        const found = inspected(parts, caller, params)
        const publications = await readPublications(parts.database.kysely, found.id)
        return diffed(sidesOf(parts, found, { publications, ...asked }))
      },
    }),
  ]
}

type Side = {
  readonly label: number | 'draft' | null
  readonly definition: Definition
  readonly composed: Composed | undefined
}

type Asked = {
  readonly publications: readonly Publication[]
  readonly from?: number | undefined
  readonly to?: number | undefined
}

const nothing: Side = { label: null, definition: { sources: [] }, composed: undefined }

function sidesOf(
  parts: InspectParts,
  found: StoredVirtual,
  { publications, from, to }: Asked,
): { from: Side; to: Side } {
  const published = (wanted: number): Side => {
    const publication = publications.find(each => each.number === wanted)
    if (publication === undefined)
      return fail('http.not_found', {
        why: `There is no publication ${wanted}.`,
        fix: 'List them with: gatehouse virtual versions <group/server>.',
      })
    const { number: label, definition } = publication
    return {
      label,
      definition,
      composed: composeNow(parts, { ...found, published: publication }, definition),
    }
  }
  const served = found.published?.number
  const { draft } = found
  const latest = (): Side =>
    draft === undefined
      ? published(served ?? 0)
      : { label: 'draft', definition: draft, composed: composeNow(parts, found, draft) }
  const before = from ?? served
  return {
    from: before === undefined ? nothing : published(before),
    to: to === undefined ? latest() : published(to),
  }
}

function diffed({ from, to }: { from: Side; to: Side }): z.infer<typeof answer> {
  const empty = new Composition([], [], [])
  const changes = diffPublications(from.definition, to.definition)
  const callers = diffCallers(from.composed?.composition ?? empty, to.composed?.composition ?? empty)
  const missing = [from, to].flatMap(({ composed }) => composed?.composition.missing ?? [])
  const troubled = new Map(
    missing.filter(({ reason }) => reason !== 'clash').map(({ server, why }) => [server, { server, why }]),
  )
  return {
    from: from.label,
    to: to.label ?? 'draft',
    changes,
    callers: callers.map(each => ({ ...each, changes: [...each.changes] })),
    missing: [...troubled.values()],
    problems: to.composed === undefined ? [] : problemsOf(to.composed).map(({ why }) => why),
    ...(changes.length === 0 && callers.length === 0 ? { why: whySame(from, to) } : {}),
  }
}

function whySame({ label: from }: Side, { label: to }: Side): string {
  return from === to
    ? `There is no draft: publication ${to} is what is served.`
    : `${to === 'draft' ? 'The draft' : `Publication ${to}`} is the same as publication ${from}.`
}
