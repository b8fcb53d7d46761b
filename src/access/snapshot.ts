import type { Caller } from '../foundation/route.ts'
import type { Action } from './actions.ts'
import { type Decision, decide, type Grant, type Target, type ToolPolicy } from './decide.ts'
import type { Group } from './table.ts'

/** All groups as they were read at one moment, and the decisions that follow from them. */
export type Snapshot = {
  /** By name, in order of name. */
  readonly groups: ReadonlyMap<string, Group>
  clear(caller: Caller, action: Action, target: Target): Decision
}

type Remembered = { readonly policy: ToolPolicy; readonly decision: Decision }

const noGrants: readonly Grant[] = []
// Tool names come from clients, so what is remembered for each caller is bounded.
const mostRemembered = 2048

/**
 * Decisions are remembered as long as everything they came from stays: the grants (this snapshot), the caller's subjects
 * (the caller's object), the tool policy (its object) and what the key spells out. Nothing can outlive its reason.
 */
export function takeSnapshot(groups: readonly Group[]): Snapshot {
  const byName = new Map(groups.map(group => [group.name, group]))
  const remembered = new WeakMap<Caller, Map<string, Remembered>>()
  const memoryOf = (caller: Caller): Map<string, Remembered> => {
    const memory = remembered.get(caller)
    if (memory !== undefined && memory.size < mostRemembered) return memory
    const fresh = new Map<string, Remembered>()
    remembered.set(caller, fresh)
    return fresh
  }
  return {
    groups: byName,
    clear(caller, action, target) {
      const memory = memoryOf(caller)
      const key = keyOf(action, target)
      const known = memory.get(key)
      if (known !== undefined && known.policy === target.policy) return known.decision
      const decision = decide(caller, action, target, byName.get(target.group)?.grants ?? noGrants)
      memory.set(key, { policy: target.policy, decision })
      return decision
    },
  }
}

/** Injective: actions, group and server names hold no spaces, and the tool's name comes last. */
function keyOf(action: Action, { group, server, tool }: Target): string {
  if (tool === undefined) return `${action} ${group}/${server}`
  return `${action} ${group}/${server} ${tool.readOnly ? 'r' : 'w'} ${tool.name}`
}

/** May the caller read everything there is, if not change it? */
export function seesAll(caller: Caller): boolean {
  return caller.kind === 'operator' || caller.role === 'admin' || caller.role === 'auditor'
}

export function managesAll(caller: Caller): boolean {
  return caller.kind === 'operator' || caller.role === 'admin'
}

export function manages(caller: Caller, group: Group): boolean {
  return managesAll(caller) || group.managers.some(subject => caller.subjects.includes(subject))
}

export function sees(caller: Caller, group: Group): boolean {
  return (
    seesAll(caller) ||
    manages(caller, group) ||
    group.grants.some(grant => caller.subjects.includes(grant.subject))
  )
}
