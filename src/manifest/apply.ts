import type { Transaction } from 'kysely'
import { type AuditRecord, changeEvent } from '../audit/index.ts'
import type { Database, Tables } from '../database/index.ts'
import type { Caller } from '../foundation/route.ts'
import type { Catalogue } from '../upstreams/index.ts'
import type { Secrets } from '../vault/index.ts'
import { check, namesAfter } from './check.ts'
import { composeProviders } from './identity-providers.ts'
import { applyLock, lockOf } from './lock.ts'
import { type PlanEntry, planSteps, type Step } from './plan.ts'
import { checkPolicies } from './policies.ts'
import { refuse } from './problem.ts'
import { doomedBy, nothingDoomed } from './prune.ts'
import type { Manifest } from './schema.ts'
import { composeServers } from './servers.ts'
import { readSource, type Source } from './source.ts'
import { type Rooms, readState, type State } from './state.ts'
import { validate } from './validate.ts'
import { checkVirtualServers, serversAfter } from './virtual-servers.ts'

export type ApplyParts = Rooms & {
  readonly database: Database
  readonly audit: AuditRecord
  readonly approvals: Pick<Catalogue, 'saveApprovals' | 'refreshApprovals'>
}

export type Application = {
  readonly caller: Caller
  readonly requestId: string
  /** The manifest, in YAML. */
  readonly text?: string | undefined
  /** A lockfile: what is approved of the servers it names. */
  readonly lock?: string | undefined
  readonly secrets: Secrets
  readonly dryRun: boolean
  readonly prune: boolean
}

export type Applied = { readonly plan: readonly PlanEntry[]; readonly applied: boolean }

/** Looks at the database before and after everything was done, inside the transaction. */
export type Observer = {
  before(tx: Transaction<Tables>): Promise<void>
  after(tx: Transaction<Tables>): Promise<void>
}

type Read = { readonly manifest: Manifest; readonly source: Source }

const nothing = '{}'

/**
 * Makes the instance what the manifest says, and then approves what the lockfile has, all or nothing. A dry run is the same transaction, rolled back at its end, so
 * it meets everything an application would. Throws `manifest.invalid` with every problem.
 */
export async function apply(
  parts: ApplyParts,
  application: Application,
  observer?: Observer,
): Promise<Applied> {
  const read = readManifest(application.text ?? nothing)
  const lock = application.lock === undefined ? undefined : lockOf(application.lock)
  let steps: readonly Step[] = []
  let locked: readonly PlanEntry[] = []
  await parts.approvals.saveApprovals()
  try {
    await parts.database.change(async tx => {
      await observer?.before(tx)
      const state = await readState(parts, tx)
      steps = planned(parts, application, read, state)
      for (const step of inWorkingOrder(steps)) await step.run(tx)
      if (lock !== undefined) locked = await applyLock(parts, tx, { ...application, source: lock })
      await observer?.after(tx)
      if (application.dryRun) throw new DryRun()
      await record(parts.audit, application, steps)
    })
  } catch (error) {
    if (!(error instanceof DryRun)) throw error
  }
  if (!application.dryRun) await refresh(parts)
  return { plan: [...steps.map(step => step.entry), ...locked], applied: !application.dryRun }
}

/** Ends the transaction of a dry run. */
class DryRun extends Error {}

function readManifest(text: string): Read {
  const read = readSource(text)
  if ('problems' in read) return refuse(read.problems)
  const validated = validate(read.source)
  return 'problems' in validated ? refuse(validated.problems) : { ...validated, ...read }
}

function planned(parts: ApplyParts, application: Application, read: Read, state: State): Step[] {
  const { manifest, source } = read
  const doomed = application.prune ? doomedBy(manifest, state, application.caller) : nothingDoomed
  const given = { manifest, source, secrets: application.secrets }
  const { servers, problems } = composeServers(parts, given, state)
  const providers = composeProviders(parts, given, state)
  const names = namesAfter(manifest, state, doomed)
  const after = serversAfter(state, servers, doomed)
  const all = [
    ...check(manifest, source, { state, doomed }),
    ...problems,
    ...providers.problems,
    ...checkVirtualServers(parts.servers.manifest, { manifest, source, servers: after }, state),
    ...checkPolicies(parts.access.policies, { manifest, source, names }),
  ]
  if (all.length > 0) return refuse(all)
  const { caller } = application
  return planSteps(parts, state, { manifest, servers, caller, ...providers }, doomed)
}

function inWorkingOrder(steps: readonly Step[]): readonly Step[] {
  return steps.toSorted((a, b) => Number(b.makesAdmin) - Number(a.makesAdmin))
}

async function record(audit: AuditRecord, application: Application, steps: readonly Step[]): Promise<void> {
  const { caller, requestId, prune } = application
  const changing = steps.map(step => step.entry).filter(entry => entry.action !== 'keep')
  const events = changing.map(({ action, kind, name, changes }) =>
    changeEvent(caller, requestId, {
      action: `manifest.${action}`,
      target: targetOf(kind, name),
      detail: changes,
    }),
  )
  const counts = Map.groupBy(steps, step => step.entry.action)
  const detail = { prune, ...Object.fromEntries([...counts].map(([action, { length }]) => [action, length])) }
  events.push(changeEvent(caller, requestId, { action: 'manifest.apply', target: 'manifest', detail }))
  await Promise.all(events.map(event => audit.recorded(event)))
}

const targetKinds: Readonly<Partial<Record<PlanEntry['kind'], string>>> = {
  virtualAccount: 'account',
  identityProvider: 'identity-provider',
}

function targetOf(kind: PlanEntry['kind'], name: string): string {
  if (kind === 'server' || kind === 'virtualServer') return name
  return `${targetKinds[kind] ?? kind}:${name}`
}

async function refresh({ identity, access, register, servers, approvals }: ApplyParts): Promise<void> {
  await identity.refresh()
  await access.refresh()
  // Servers that are new are read once they are known, by what is approved of them.
  await approvals.refreshApprovals()
  await register.refresh()
  await servers.refresh()
}
