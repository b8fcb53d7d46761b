import { z } from 'zod'
import { type Caller, type Route, route } from '../foundation/route.ts'
import { eventSchema, outcomes } from './event-schema.ts'
import type { Filter, Found } from './search.ts'

const name = z.string().min(1).max(400).optional()

const query = z.strictObject({
  limit: z.coerce.number().int().min(1).max(500).default(50).describe('How many events at most.'),
  before: z
    .string()
    .regex(/^[0-9a-z]{1,64}$/, 'expected the id of an event')
    .optional()
    .describe('Only events older than the one with this id.'),
  since: z.iso.datetime({ offset: true }).optional().describe('Only events from this time on.'),
  principal: name.describe('user:<email>, account:<name> or operator:operator.'),
  target: name.describe('group/server, or what was changed: user:<email>, group:<name> and so on.'),
  action: name.describe('An MCP method such as tools/call, or room.verb for a change.'),
  outcome: z.enum(outcomes).optional(),
})

const answer = z.object({
  items: z.array(eventSchema).readonly(),
  why: z.string().exactOptional().describe('Why there are none.'),
  next: z.string().exactOptional().describe('Pass it as before for the next older page.'),
})

type Search = (caller: Caller, filter: Filter) => Promise<Found>

export function auditRoutes(search: Search): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/api/v1/audit',
      summary: 'Search the audit, newest first. Members see their own events only.',
      entry: 'signed-in',
      query,
      answer,
      act: ({ caller, query: { since, ...filter } }) =>
        search(caller, {
          ...filter,
          since: since === undefined ? undefined : Math.max(0, Date.parse(since)),
        }),
    }),
  ]
}
