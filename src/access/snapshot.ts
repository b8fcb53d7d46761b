import type { Caller } from '../foundation/route.ts'
import type { Action } from './actions.ts'
import {
  type Circumstances,
  type Decision,
  decide,
  type Grant,
  isGrantedOnly,
  isOutside,
  isSettled,
  type Target,
  type TargetTool,
  type ToolPolicy,
} from './decide.ts'
import { type Explanation, explanationOf, openSource } from './explanation.ts'
import type { Judge, Judgement } from './policies/judge.ts'
import type { Group } from './table.ts'

/** All groups as they were read at one moment, and the decisions that follow from them. */
export type Snapshot = {
  /** By name, in order of name. */
  readonly groups: ReadonlyMap<string, Group>
  /** May the caller know that the group exists? */
  sees(caller: Caller, group: Group): boolean
  clear(caller: Caller, action: Action, target: Target, circumstances?: () => Circumstances): Decision
  explain(caller: Caller, action: Action, target: Target, circumstances?: () => Circumstances): Explanation
}

type Remembered = {
  readonly policy: ToolPolicy
  readonly sourcePolicy: ToolPolicy | undefined
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
    if (isSettled(granted) || (isGrantedOnly(caller) && !granted.allowed))
      return { decision: granted, depends: false }
    const judged = policies.judge({ caller, action, target, granted, circumstances })
    const { source } = target
    if (source === undefined || !judged.decision.allowed) return judged
    return both(
      judged,
      policies.judge({ caller, action, target: source, granted: openSource, circumstances }),
    )
  }
  const made = (caller: Caller, action: Action, target: Target): Remembered => ({
    policy: target.policy,
    sourcePolicy: target.source?.policy,
    ...judge(caller, action, target),
  })
  const shown = (caller: Caller, action: Action, target: Target): Remembered => {
    // Only policies look at what resources and prompts are called; of those, too long a name is not kept.
    const subject = policies.isIdle ? undefined : target.subject
    if (subject !== undefined && subject.length > longestSubject) return made(caller, action, target)
    const memory = memoryOf(caller)
    const key = keyOf(action, target, subject)
    const known = memory.get(key)
    if (known?.policy === target.policy && known.sourcePolicy === target.source?.policy) return known
    const fresh = made(caller, action, target)
    memory.set(key, fresh)
    return fresh
  }
  const snapshot: Snapshot = {
    groups: byName,
    sees: (caller, group) =>
      !isOutside(caller, group.name) &&
      (sees(caller, group) || (!isGrantedOnly(caller) && policies.reaches(caller, group.name))),
    explain: (caller, action, target, circumstances) =>
      explanationOf(
        { clear: snapshot.clear, policies, grants: byName.get(target.group)?.grants ?? noGrants },
        { caller, action, target, circumstances },
      ),
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
  return snapshot
}

function both(own: Judgement, source: Judgement): Judgement {
  const depends = own.depends || source.depends
  if (!source.decision.allowed) return { decision: source.decision, depends }
  const shadow = [...(own.decision.shadow ?? []), ...(source.decision.shadow ?? [])]
  return { decision: shadow.length === 0 ? own.decision : { ...own.decision, shadow }, depends }
}

/** Injective: actions, group and server names hold no spaces, and of what comes from outside the length is said. */
function keyOf(action: Action, { group, server, tool, source }: Target, subject: string | undefined): string {
  const thing = tool === undefined ? subject : `${claimsOf(tool)} ${tool.name}`
  const place = `${action} ${group}/${server}`
  if (source === undefined) return thing === undefined ? place : `${place} ${thing}`
  const own = source.tool?.name ?? source.subject
  return `${place} ${thing?.length} ${thing} ${source.group}/${source.server} ${own}`
}

function claimsOf({ readOnly, idempotent }: TargetTool): string {
  return `${readOnly ? 'r' : 'w'}${idempotent === true ? 'i' : ''}`
}

/** May the caller read everything there is, if not change it? */
export function seesAll(caller: Caller): boolean {
  return caller.kind === 'operator' || caller.role === 'admin' || caller.role === 'auditor'
}

export function managesAll(caller: Caller): boolean {
  return caller.kind === 'operator' || caller.role === 'admin'
}

export function manages(caller: Caller, group: Group): boolean {
  if (isOutside(caller, group.name)) return false
  return managesAll(caller) || group.managers.some(subject => caller.subjects.includes(subject))
}

function sees(caller: Caller, group: Group): boolean {
  return (
    seesAll(caller) ||
    manages(caller, group) ||
    group.grants.some(grant => caller.subjects.includes(grant.subject))
  )
}
