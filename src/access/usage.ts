/** Who used what how often: of everything for those who see everything, of their groups for managers, and of oneself. */
import { z } from 'zod'
import type { Audit, Counted, CountedBy } from '../audit/index.ts'
import { fail } from '../foundation/errors.ts'
import { type Caller, type Route, route } from '../foundation/route.ts'
import type { Identity } from '../identity/index.ts'
import type { Access } from './access.ts'
import { seesAll } from './snapshot.ts'

const columns = ['who', 'provider', 'group', 'server', 'tool'] as const
type ColumnName = (typeof columns)[number]
type Columns = readonly ColumnName[]

const day = 86_400_000
const mostLines = 10_000

const query = z.strictObject({
  since: z.iso.datetime({ offset: true }).optional().describe('From this time on; 30 days ago unless told.'),
  until: z.iso.datetime({ offset: true }).optional().describe('Up to this time; now unless told.'),
  by: z
    .string()
    .default('who')
    .transform(text => text.split(','))
    .pipe(z.array(z.enum(columns)).min(1))
    .describe(`What calls are told apart by, separated by commas: ${columns.join(', ')}.`),
  provider: z.string().max(500).optional().describe('Only calls of people of this identity provider.'),
})

const line = z
  .object({
    who: z.string().nullable().exactOptional().describe('user:<email>, account:<name> or operator:operator.'),
    provider: z.string().nullable().exactOptional().describe('The identity provider they come from.'),
    group: z.string().nullable().exactOptional(),
    server: z.string().nullable().exactOptional(),
    tool: z
      .string()
      .nullable()
      .exactOptional()
      .describe('Name of the tool or prompt, or URI of the resource.'),
    calls: z.int().describe('All of them: calls of tools, reads of resources, prompts.'),
    refused: z.int().describe('Of these, what was not allowed.'),
    failed: z.int().describe('Of these, what did not succeed.'),
  })
  .meta({ id: 'Usage' })

type Line = z.infer<typeof line>

const answer = z.object({
  items: z.array(line),
  why: z.string().exactOptional().describe('Why there are none.'),
  since: z.iso.datetime(),
  until: z.iso.datetime(),
})

export type UsageParts = {
  readonly audit: Pick<Audit, 'count'>
  readonly access: Pick<Access, 'groups' | 'isManager'>
  readonly identity: Pick<Identity, 'providersOf'>
}

export function usageRoutes(parts: UsageParts): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/api/v1/usage',
      summary: 'Count calls. Managers see those of their groups and their own, members their own.',
      entry: 'signed-in',
      query,
      answer,
      async act({ caller, query: { since, until, by, provider } }) {
        const time = timeOf(since, until)
        const counted = await parts.audit.count({
          ...time,
          by: countedBy(provider === undefined ? by : [...by, 'provider']),
          only: seesAll(caller) ? undefined : visibleTo(parts, caller),
          limit: mostLines + 1,
        })
        if (counted.length > mostLines)
          fail('http.bad_request', {
            why: `These are more than ${mostLines} lines.`,
            fix: 'Ask for a shorter time, or tell calls apart by less.',
          })
        const providers = await providersIn(parts, counted)
        const wanted = counted.filter(
          ({ whoId }) => provider === undefined || providers.get(whoId ?? '') === provider,
        )
        const items = folded(wanted, by, providers)
        return {
          items,
          ...(items.length === 0 && { why: whyNone(caller) }),
          since: new Date(time.since).toISOString(),
          until: new Date(time.until).toISOString(),
        }
      },
    }),
  ]
}

function timeOf(since: string | undefined, until: string | undefined): { since: number; until: number } {
  const end = until === undefined ? Date.now() + 1 : Math.max(0, Date.parse(until))
  const start = since === undefined ? Math.max(0, end - 30 * day) : Math.max(0, Date.parse(since))
  if (start >= end) fail('http.bad_request', { why: 'since is not before until.' })
  return { since: start, until: end }
}

function countedBy(by: Columns): CountedBy[] {
  const has = (...names: Columns) => names.some(name => by.includes(name))
  return [
    ...(has('who', 'provider') ? (['who'] as const) : []),
    ...(has('group', 'server') ? (['target'] as const) : []),
    ...(has('tool') ? (['subject'] as const) : []),
  ]
}

function visibleTo({ access }: UsageParts, caller: Caller) {
  const groups = [...access.groups()].map(({ name }) => name).filter(name => access.isManager(caller, name))
  return { principalId: caller.id, groups }
}

async function providersIn({ identity }: UsageParts, counted: readonly Counted[]) {
  const ids = new Set(counted.flatMap(({ who, whoId }) => (who?.startsWith('user:') && whoId ? [whoId] : [])))
  return identity.providersOf([...ids])
}

/** One line for each combination that was asked for, the busiest first. People are called what they were last. */
function folded(counted: readonly Counted[], by: Columns, providers: ReadonlyMap<string, string>): Line[] {
  const lines = new Map<string, Line>()
  for (const one of counted.toSorted((a, b) => Number(a.lastId < b.lastId) - Number(a.lastId > b.lastId))) {
    const [group = null, server = null] = one.target?.split('/') ?? []
    const all = {
      who: one.who,
      provider: providers.get(one.whoId ?? '') ?? null,
      group,
      server,
      tool: one.subject,
    }
    const told = columns.filter(name => by.includes(name)).map(name => [name, all[name]] as const)
    const key = JSON.stringify(told.map(([name, value]) => (name === 'who' ? one.whoId : value)))
    const before = lines.get(key) ?? { ...Object.fromEntries(told), calls: 0, refused: 0, failed: 0 }
    lines.set(key, added(before, one))
  }
  return [...lines.values()].sort((a, b) => b.calls - a.calls)
}

function added(before: Line, { outcome, calls }: Counted): Line {
  const isRefused = outcome === 'denied' || outcome === 'rejected'
  const isFailed = outcome === 'error' || outcome === 'tool_error' || outcome === 'cancelled'
  return {
    ...before,
    calls: before.calls + calls,
    refused: before.refused + (isRefused ? calls : 0),
    failed: before.failed + (isFailed ? calls : 0),
  }
}

function whyNone(caller: Caller): string {
  if (seesAll(caller)) return 'Nothing was called in this time.'
  return 'Neither you nor anybody in groups that you manage called anything in this time.'
}
