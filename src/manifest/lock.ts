/** Locking an instance: what is approved, as a text; and a text, as what is approved. */
import type { Kysely, Transaction } from 'kysely'
import { type AuditRecord, changeEvent } from '../audit/index.ts'
import type { Tables } from '../database/index.ts'
import { nearest } from '../foundation/nearest.ts'
import {
  definitionOf,
  diffDefinitions,
  type LockStep,
  planLock,
  putLock,
  readLocked,
  type Upstream,
} from '../upstreams/index.ts'
import type { Application } from './apply.ts'
import { type Lock, type LockSource, problem, readLock, writeLock } from './lock-text.ts'
import type { PlanEntry } from './plan.ts'
import { refuse } from './problem.ts'
import type { Rooms } from './state.ts'

/** What is approved now. Servers of which nothing is are left out. */
export async function presentLock(rooms: Rooms, database: Kysely<Tables>): Promise<Lock> {
  const servers = await rooms.register.manifest.read(database)
  const all = await Promise.all(
    servers.map(async ({ id, group, name }) => [`${group}/${name}`, await readLocked(database, id)] as const),
  )
  return new Map(all.filter(([, tools]) => tools.length > 0))
}

export async function exportLock(rooms: Rooms, database: Kysely<Tables>): Promise<string> {
  return writeLock(await presentLock(rooms, database))
}

/** The lock of a text. Throws `manifest.invalid` with everything that is wrong with it. */
export function lockOf(text: string): LockSource {
  const read = readLock(text)
  return 'problems' in read ? refuse(read.problems) : read
}

/** Approves exactly what the lock has of each server it names, and holds the rest of it. Throws `manifest.invalid` where there is no such server. */
export async function applyLock(
  rooms: Rooms & { readonly audit: AuditRecord },
  tx: Transaction<Tables>,
  {
    caller,
    requestId,
    dryRun,
    source,
  }: Pick<Application, 'caller' | 'requestId' | 'dryRun'> & { source: LockSource },
): Promise<PlanEntry[]> {
  const servers = await rooms.register.manifest.read(tx)
  const known = new Map(servers.map(server => [`${server.group}/${server.name}`, server]))
  checkServers(source, known)
  const entries: PlanEntry[] = []
  for (const [place, tools] of source.lock) {
    const server = known.get(place)
    if (server === undefined) continue
    const steps = await planLock(tx, server.id, { tools, by: caller.name, at: Date.now() })
    if (steps.length === 0) continue
    await putLock(tx, server.id, steps)
    entries.push(...steps.map(step => entryOf(place, step)))
    const event = { action: 'manifest.lock', target: place, detail: { tools: steps.map(told) } }
    if (!dryRun) await rooms.audit.recorded(changeEvent(caller, requestId, event))
  }
  return entries
}

function checkServers({ lock, source }: LockSource, known: ReadonlyMap<string, Upstream>): void {
  const problems = [...lock.keys()]
    .filter(place => !known.has(place))
    .map(place => {
      const meant = nearest(place, known.keys())
      const fix = meant === undefined ? 'Register the server first.' : `Did you mean ${meant}?`
      return problem(source, ['servers', place], `There is no server ${place}.`, fix)
    })
  if (problems.length > 0) refuse(problems)
}

function told({ name, after: { approved, held } }: LockStep) {
  return { tool: name, approved: approved?.hash ?? null, held: held?.reason ?? null }
}

/** As a plan shows it: approved is created, another definition approved is updated, held is deleted. */
function entryOf(place: string, { name, before, after }: LockStep): PlanEntry {
  const entry = { kind: 'tool', name: `${place} ${name}` } as const
  if (after.held !== undefined) return { ...entry, action: 'delete', changes: [] }
  const [from, to] = [before?.approved, after.approved]
  if (from === undefined || to === undefined || from.hash === to.hash)
    return { ...entry, action: 'create', changes: [] }
  const changes = diffDefinitions(definitionOf(from), definitionOf(to))
  return { ...entry, action: 'update', changes }
}
