import { z } from 'zod'
import type { Access } from '../access/index.ts'
import { type Caller, type Route, route } from '../foundation/route.ts'
import type { Catalogue } from './catalogue.ts'
import type { Register } from './register.ts'
import { type ReviewedTool, reviewedTool, reviewTool } from './reviewed-tool.ts'
import { sees } from './rights.ts'
import { serverParams } from './routes.ts'
import { approveTools, holdTools, type ReviewParts } from './tool-review.ts'
import type { Upstream } from './upstream.ts'

type Parts = Omit<ReviewParts, 'register' | 'catalogue'> & {
  readonly register: Register
  readonly catalogue: Catalogue
  readonly access: Access
}

const names = z.array(z.string().min(1).max(256)).min(1).max(10_000)
const changed = z.object({ tools: z.array(z.object({ name: z.string(), hash: z.string().optional() })) })

/** What managers see and decide about the definitions of tools. */
export function reviewRoutes(parts: Parts): readonly Route[] {
  return [review(parts), approve(parts), hold(parts)]
}

function review({ register, catalogue, access }: Parts): Route {
  return route({
    method: 'GET',
    path: '/api/v1/servers/{group}/{server}/review',
    summary:
      'The tools of a server as its managers judge them: approved or held, what changed, and what was found.',
    entry: 'signed-in',
    params: serverParams,
    answer: z.object({ items: z.array(reviewedTool), why: z.string().optional() }),
    async act({ caller, params: { group, server } }) {
      const upstream = register.managed(caller, group, server)
      const items = reviewed({ register, catalogue, access }, caller, upstream)
      if (items.length > 0) return { items }
      const isRead = catalogue.facts(upstream.id) !== undefined
      const why = isRead
        ? 'The server offers no tools.'
        : `The server has not been read yet. Read it with: gatehouse server test ${group}/${server}.`
      return { items, why }
    },
  })
}

function reviewed(
  { register, catalogue, access }: Pick<Parts, 'register' | 'catalogue' | 'access'>,
  caller: Caller,
  upstream: Upstream,
): ReviewedTool[] {
  const { id, policy } = upstream
  const known = new Set([...register.list()].filter(one => sees(access, caller, one)).map(one => one.id))
  const neighbours = catalogue.neighbours(id, other => known.has(other))
  const offered = new Set(
    catalogue
      .items(id)
      .filter(({ kind }) => kind === 'tool')
      .map(({ name }) => name),
  )
  return [...catalogue.pins(id).values()]
    .map(pin => reviewTool(pin, { policy, neighbours, isOffered: offered.has(pin.name) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

function approve(parts: Parts): Route {
  return route({
    method: 'POST',
    path: '/api/v1/servers/{group}/{server}/review/approve',
    summary: 'Approve tools as they were looked at.',
    entry: 'signed-in',
    params: serverParams,
    body: z
      .strictObject({
        tools: names.optional(),
        all: z.literal(true).optional().describe('All that are held.'),
        hashes: z
          .record(z.string(), z.string())
          .describe(
            'By name: the hash that the review showed. A tool that is another by now is not approved.',
          ),
        despiteFindings: z
          .boolean()
          .default(false)
          .describe('Approve also what is not what it looks like. Without it such a definition is refused.'),
      })
      .refine(({ tools, all }) => (tools === undefined) !== (all === undefined), 'name tools, or say all'),
    answer: changed,
    async act({ caller, requestId, params, body: { tools, hashes, despiteFindings } }) {
      const place = { group: params.group, name: params.server }
      const approval = { tools: tools ?? 'all', hashes, despiteFindings } as const
      const pins = await approveTools(parts, { caller, requestId }, { place, approval })
      return { tools: pins.map(({ name, approved }) => ({ name, ...(approved && { hash: approved.hash }) })) }
    },
  })
}

function hold(parts: Parts): Route {
  return route({
    method: 'POST',
    path: '/api/v1/servers/{group}/{server}/review/hold',
    summary: 'Hold tools until a manager approves them again.',
    entry: 'signed-in',
    params: serverParams,
    body: z.strictObject({ tools: names }),
    answer: changed,
    async act({ caller, requestId, params, body: { tools } }) {
      const place = { group: params.group, name: params.server }
      const pins = await holdTools(parts, { caller, requestId }, { place, tools })
      return { tools: pins.map(({ name }) => ({ name })) }
    },
  })
}
