/** What a change would have changed: the last decisions of the audit, made again by what holds now and by what would hold then. */
import type { Kysely } from 'kysely'
import type { Access, PolicyInput } from '../access/index.ts'
import { type Audit, type AuditEvent, changeEvent } from '../audit/index.ts'
import type { Tables } from '../database/index.ts'
import type { Caller } from '../foundation/route.ts'
import type { Identity, StandIn } from '../identity/index.ts'
import { readWorld } from '../servers/index.ts'
import type { Catalogue, Register } from '../upstreams/index.ts'
import type { Secrets } from '../vault/index.ts'
import { type ApplyParts, apply, type Observer } from './apply.ts'
import { type Method, replay, type Side } from './replay.ts'
import { type Summary, summed } from './simulated.ts'

export type SimulateParts = ApplyParts & {
  readonly audit: Pick<Audit, 'search' | 'recorded' | 'record'>
  readonly access: Pick<Access, 'readDraft'>
  readonly identity: Pick<Identity, 'standInOf' | 'operator'>
  readonly register: Pick<Register, 'manifest'>
  readonly catalogue: Catalogue
  readonly methods: ReadonlyMap<string, Method>
}

/** What is tried out. */
export type Trial =
  | { readonly manifest: string; readonly secrets: Secrets; readonly prune: boolean }
  | { readonly policy: PolicyInput }
  | { readonly withoutPolicy: string }

export type Simulation = {
  readonly caller: Caller
  readonly requestId: string
  readonly trial: Trial
  /** How many decisions at most. */
  readonly last: number
  /** Milliseconds since 1970. */
  readonly since?: number | undefined
}

/** Changes nothing. Throws what applying the change would throw. */
export async function simulate(parts: SimulateParts, simulation: Simulation): Promise<Summary> {
  const events = await decisions(parts, simulation)
  const sides: Side[] = []
  try {
    await rehearse(parts, simulation, async tx => void sides.push(await sideOf(parts, tx, events)))
    const [before, after] = sides
    if (before === undefined || after === undefined)
      throw new Error('a rehearsal without a before and an after')
    const summary = summed(await replay(events, { before, after }, parts.methods))
    await record(parts, simulation, summary)
    return summary
  } finally {
    for (const { world } of sides) world.close()
  }
}

const pageLength = 500
/** Events that are no decisions are passed over; so many are looked at for each that is wanted. */
const looks = 5

/** The last decisions about what MCP clients asked for, newest first. */
async function decisions(
  { audit }: SimulateParts,
  { caller, last, since }: Simulation,
): Promise<AuditEvent[]> {
  const found: AuditEvent[] = []
  let before: string | undefined
  for (let page = 0; page * pageLength < last * looks + pageLength; page++) {
    const { items, next } = await audit.search(caller, { limit: pageLength, before, since })
    found.push(
      ...items.filter(
        ({ kind, decision, who }) => kind === 'exchange' && decision !== null && who.name !== null,
      ),
    )
    before = next
    if (next === undefined || found.length >= last) break
  }
  return found.slice(0, last)
}

type Look = (tx: Kysely<Tables>) => Promise<void>

/** Makes the change in a transaction that is undone; looks at it before and after. */
async function rehearse(
  parts: SimulateParts,
  { caller, requestId, trial }: Simulation,
  look: Look,
): Promise<void> {
  if ('manifest' in trial) {
    const { manifest: text, secrets, prune } = trial
    const observer: Observer = { before: look, after: look }
    await apply(parts, { caller, requestId, text, secrets, prune, dryRun: true }, observer)
    return
  }
  const { policies } = parts.access
  if ('policy' in trial) await policies.checkNow(trial.policy.text)
  try {
    await parts.database.change(async tx => {
      await look(tx)
      if ('policy' in trial) await policies.put(tx, trial.policy)
      else await policies.remove(tx, trial.withoutPolicy)
      await look(tx)
      throw new Undone()
    })
  } catch (thrown) {
    if (!(thrown instanceof Undone)) throw thrown
  }
}

/** Ends the transaction of a rehearsal. */
class Undone extends Error {}

async function sideOf(
  parts: SimulateParts,
  tx: Kysely<Tables>,
  events: readonly AuditEvent[],
): Promise<Side> {
  const people = new Map<string, StandIn | undefined>()
  for (const subject of new Set(events.map(subjectOf)))
    if (!subject.startsWith('operator:')) people.set(subject, await parts.identity.standInOf(subject, tx))
  const operator = { caller: parts.identity.operator(), refused: undefined }
  return {
    world: await readWorld(parts, tx),
    who(event) {
      if (event.who.kind === 'operator') return operator
      const found = people.get(subjectOf(event))
      // A name may have belonged to somebody else before.
      return found?.caller.id === event.who.id ? found : undefined
    },
  }
}

function subjectOf({ who }: AuditEvent): string {
  return `${who.kind}:${who.name}`
}

async function record(
  { audit }: SimulateParts,
  simulation: Simulation,
  { replayed, flipped }: Summary,
): Promise<void> {
  const { caller, requestId, trial, last, since } = simulation
  const target =
    'manifest' in trial ? 'manifest' : `policy:${'policy' in trial ? trial.policy.name : trial.withoutPolicy}`
  const detail = { last, ...(since !== undefined && { since }), replayed, flipped }
  await audit.recorded(changeEvent(caller, requestId, { action: 'access.simulate', target, detail }))
}
