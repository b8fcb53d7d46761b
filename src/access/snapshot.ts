import type { Caller } from '../foundation/route.ts'
import type { Action } from './actions.ts'
import {
  type Circumstances,
  type Decision,
  decide,
  type Grant,
  isSettled,
  type Target,
  type ToolPolicy,
} from './decide.ts'
import type { Judge } from './policies/judge.ts'
import type { Group } from './table.ts'

/** All groups as they were read at one moment, and the decisions that follow from them. */
export type Snapshot = {
  /** By name, in order of name. */
  readonly groups: ReadonlyMap<string, Group>
  /** May the caller know that the group exists? */
  sees(caller: Caller, group: Group): boolean
  clear(caller: Caller, action: Action, target: Target, circumstances?: () => Circumstances): Decision
}

type Remembered = {
  readonly policy: ToolPolicy
  /** Where circumstances matter, the decision without them. */
  readonly decision: Decision
  readonly depends: boolean
}

const noGrants: readonly Grant[] = []
// Tool names come from clients, so what is remembered for each caller is bounded.
const mostRemembered = 2048
const longestSubject = 512

/**
 * Decisions are remembered as long as everything they came from stays: grants and policies (this snapshot), the caller's
 * subjects (the caller's object), the tool policy (its object) and what the key spells out. Nothing can outlive its reason.
 * What depends on the circumstances of a request is decided each time.
 */
export function takeSnapshot(groups: readonly Group[], policies: Judge): Snapshot {
  const byName = new Map(groups.map(group => [group.name, group]))
  const remembered = new WeakMap<Caller, Map<string, Remembered>>()
  const memoryOf = (caller: Caller): Map<string, Remembered> => {
    const memory = remembered.get(caller)
    if (memory !== undefined && memory.size < mostRemembered) return memory
    const fresh = new Map<string, Remembered>()
    remembered.set(caller, fresh)
    return fresh
  }
  const judge = (caller: Caller, action: Action, target: Target, circumstances?: Circumstances) => {
    const granted = decide(caller, action, target, byName.get(target.group)?.grants ?? noGrants)
    if (isSettled(granted)) return { decision: granted, depends: false }
    return policies.judge({ caller, action, target, granted, circumstances })
  }
  const shown = (caller: Caller, action: Action, target: Target): Remembered => {
    // Only policies look at what resources and prompts are called; of those, too long a name is not kept.
    const subject = policies.isIdle ? undefined : target.subject
    if (subject !== undefined && subject.length > longestSubject)
      return { policy: target.policy, ...judge(caller, action, target) }
    const memory = memoryOf(caller)
    const key = keyOf(action, target, subject)
    const known = memory.get(key)
    if (known !== undefined && known.policy === target.policy) return known
    const made = { policy: target.policy, ...judge(caller, action, target) }
    memory.set(key, made)
    return made
  }
  return {
    groups: byName,
    sees: (caller, group) => sees(caller, group) || policies.reaches(caller, group.name),
    clear(caller, action, target, circumstances) {
      const { decision: listed, depends } = shown(caller, action, target)
      if (!depends || circumstances === undefined) return listed
      const { decision } = judge(caller, action, target, circumstances())
      // What may be listed and is refused now is refused for what is in the request: that is no secret to who sent it.
      return listed.allowed && !decision.allowed && decision.policies !== undefined
        ? { ...decision, isAboutArguments: true }
        : decision
    },
  }
}

/** Injective: actions, group and server names hold no spaces, and what comes from outside comes last. */
function keyOf(action: Action, { group, server, tool }: Target, subject: string | undefined): string {
  if (tool === undefined) return `${action} ${group}/${server}${subject === undefined ? '' : ` ${subject}`}`
  const claims = `${tool.readOnly ? 'r' : 'w'}${tool.idempotent === true ? 'i' : ''}`
  return `${action} ${group}/${server} ${claims} ${tool.name}`
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

function sees(caller: Caller, group: Group): boolean {
  return (
    seesAll(caller) ||
    manages(caller, group) ||
    group.grants.some(grant => caller.subjects.includes(grant.subject))
  )
}
