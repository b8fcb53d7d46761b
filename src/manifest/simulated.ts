/** What came of a simulation, as people read it. */
import { z } from 'zod'
import type { AuditEvent } from '../audit/index.ts'
import type { Judged, Replayed, Undecided } from './replay.ts'

const verdict = z.enum(['allowed', 'refused'])

const flip = z.object({
  subject: z.string(),
  server: z.string().describe('group/server, or /mcp.'),
  method: z.string(),
  thing: z.string().nullable().describe('A tool, prompt or URI.'),
  from: verdict,
  to: verdict,
  count: z.int(),
  before: z.string().describe('Why it is decided as it is now.'),
  after: z.string().describe('Why it would be decided otherwise.'),
  example: z.object({
    requestId: z.string(),
    at: z.int().describe('Milliseconds since 1970.'),
    recorded: verdict.describe('How it was decided then.'),
  }),
})

export const summarySchema = z.object({
  replayed: z.int().describe('How many decisions of the audit were made again.'),
  oldest: z.int().nullable().describe('When the oldest of them was made, in milliseconds since 1970.'),
  flipped: z.int().describe('How many would be decided otherwise.'),
  flips: z
    .array(flip)
    .describe('The same by who, server, method and thing; those that are most first, at most 1000.'),
  undecided: z
    .array(z.object({ why: z.string(), count: z.int(), says: z.string() }))
    .describe('Decisions that nobody can make again exactly, and why.'),
  drifted: z
    .int()
    .describe('How many are decided otherwise already now than they were then; not because of this change.'),
  why: z.string().optional().describe('Why there are none.'),
})

export type Summary = z.infer<typeof summarySchema>
type Flip = Summary['flips'][number]

const mostFlips = 1000

const says: Readonly<Record<Undecided, string>> = {
  arguments:
    'A policy or a virtual server goes by arguments that the audit does not have. Record them with audit.arguments: full; those of refused calls are never recorded.',
  circumstances: 'A policy goes by the revision of the protocol, which the audit does not have.',
  caller: 'Their callers are not there any more, or are disabled.',
  thing: 'Their servers or tools are not there any more.',
  method: 'What they were about is not in the audit exactly, as with completion.',
}

export function summed(all: readonly Replayed[]): Summary {
  const flips = new Map<string, Flip>()
  const undecided = new Map<Undecided, number>()
  let flipped = 0
  let drifted = 0
  for (const { event, outcome } of all) {
    if (outcome.is === 'undecided') {
      undecided.set(outcome.why, (undecided.get(outcome.why) ?? 0) + 1)
      continue
    }
    const { before, after } = outcome
    if (before.isCleared !== event.decision?.allowed) drifted++
    if (before.allowed === after.allowed) continue
    flipped++
    count(flips, event, { before, after })
  }
  const sorted = [...flips.values()].sort((a, b) => b.count - a.count)
  return {
    replayed: all.length,
    oldest: all.at(-1)?.event.at ?? null,
    flipped,
    flips: sorted.slice(0, mostFlips),
    undecided: [...undecided].map(([why, count]) => ({ why, count, says: says[why] })),
    drifted,
    ...(flipped === 0 && { why: whyNone(all.length) }),
  }
}

function whyNone(replayed: number): string {
  return replayed === 0
    ? 'The audit has no decision of that time.'
    : 'Every decision that could be made again stays as it is.'
}

/** Events come newest first, so the first of a kind is the latest example. */
function count(
  flips: Map<string, Flip>,
  event: AuditEvent,
  { before, after }: { readonly before: Judged; readonly after: Judged },
): void {
  const { who, action: method, subject: thing, requestId, at, decision } = event
  const subject = `${who.kind}:${who.name}`
  const server = event.target ?? '/mcp'
  const from = shown(before.allowed)
  const key = JSON.stringify([subject, server, method, thing, from])
  const known = flips.get(key)
  flips.set(key, {
    ...(known ?? {
      ...{ subject, server, method, thing, from },
      to: shown(after.allowed),
      ...{ before: before.reason, after: after.reason },
      example: { requestId, at, recorded: shown(decision?.allowed === true) },
    }),
    count: (known?.count ?? 0) + 1,
  })
}

function shown(allowed: boolean): Flip['from'] {
  return allowed ? 'allowed' : 'refused'
}
