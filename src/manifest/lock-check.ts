/** How what is approved, and what servers offer, differs from a lockfile. */
import type { Kysely } from 'kysely'
import type { Tables } from '../database/index.ts'
import {
  type DefinitionChange,
  definitionOf,
  diffDefinitions,
  type LockedTool,
  readWaiting,
} from '../upstreams/index.ts'
import { presentLock } from './lock.ts'
import type { Lock } from './lock-text.ts'
import type { Rooms } from './state.ts'

export type LockDifference = {
  /** `group/server`. */
  readonly server: string
  /** Absent where it is about the server as a whole. */
  readonly tool?: string
  /** missing: only in the lockfile. added: only approved here. changed: approved otherwise. waiting: the server offers another definition, which is held. */
  readonly kind: 'missing' | 'added' | 'changed' | 'waiting'
  readonly sentence: string
  readonly changes: readonly DefinitionChange[]
}

export async function checkLock(
  rooms: Rooms,
  database: Kysely<Tables>,
  lock: Lock,
): Promise<LockDifference[]> {
  const present = await presentLock(rooms, database)
  const servers = await rooms.register.manifest.read(database)
  const differences: LockDifference[] = []
  for (const server of [...new Set([...lock.keys(), ...present.keys()])].sort()) {
    const [locked, approved] = [lock.get(server), present.get(server)]
    if (locked === undefined || approved === undefined) {
      const kind = locked === undefined ? 'added' : 'missing'
      const sentence =
        locked === undefined ? 'The lockfile does not name this server.' : 'Nothing of it is approved here.'
      differences.push({ server, kind, sentence, changes: [] })
      continue
    }
    const id = servers.find(({ group, name }) => `${group}/${name}` === server)?.id ?? ''
    const waiting = await readWaiting(database, id)
    differences.push(...differencesOf(server, { locked, approved, waiting }))
  }
  return differences
}

type Sides = {
  readonly locked: readonly LockedTool[]
  readonly approved: readonly LockedTool[]
  readonly waiting: ReadonlyMap<string, { readonly hash: string; readonly text: string }>
}

function differencesOf(server: string, { locked, approved, waiting }: Sides): LockDifference[] {
  const [before, after] = [locked, approved].map(tools => new Map(tools.map(tool => [tool.name, tool])))
  const names = [...new Set([...locked, ...approved].map(({ name }) => name))].sort()
  return names.flatMap((tool): LockDifference[] => {
    const [from, to, next] = [before?.get(tool), after?.get(tool), waiting.get(tool)]
    const about = { server, tool, changes: [] }
    if (from === undefined)
      return [{ ...about, kind: 'added', sentence: 'It is approved here, and not in the lockfile.' }]
    if (to === undefined)
      return [{ ...about, kind: 'missing', sentence: 'It is in the lockfile, and not approved here.' }]
    const changes = (other: { hash: string; text: string }) =>
      diffDefinitions(definitionOf(from), definitionOf(other))
    if (from.hash !== to.hash)
      return [
        {
          ...about,
          kind: 'changed',
          sentence: 'Another definition of it is approved here.',
          changes: changes(to),
        },
      ]
    if (next === undefined || next.hash === from.hash) return []
    return [
      {
        ...about,
        kind: 'waiting',
        sentence: 'Its server offers another definition, which is held.',
        changes: changes(next),
      },
    ]
  })
}
