/** A decision with everything that had a say in it, from the same functions that make it. */
import type { Caller } from '../foundation/route.ts'
import type { Action } from './actions.ts'
import {
  type Circumstances,
  closedBy,
  type Decision,
  decide,
  type Grant,
  type GrantVerdict,
  isGrantedOnly,
  isOutside,
  type Target,
  weigh,
} from './decide.ts'
import type { Judge, Weighed } from './policies/judge.ts'

export type Explanation = {
  readonly decision: Decision
  /** The target, or its source, whose tool policy lets nobody have the tool. */
  readonly closedBy: Omit<Target, 'source'> | undefined
  /** The grants of the group that name the caller, and what each gives of this. */
  readonly grants: readonly { readonly grant: Grant; readonly gives: GrantVerdict }[]
  /** How many grants of the group name others. */
  readonly otherGrants: number
  /** The statements that are about this. */
  readonly policies: readonly Weighed[]
  /** Those about what a virtual server has it from: their permits give nothing. */
  readonly sourcePolicies: readonly Weighed[]
}

/** What holds of a virtual server's source: nobody needs to be granted that. */
export const openSource: Decision = { allowed: true, reason: 'a virtual server' }

type Parts = {
  readonly clear: (
    caller: Caller,
    action: Action,
    target: Target,
    circumstances?: () => Circumstances,
  ) => Decision
  readonly policies: Judge
  /** Those of the target's group. */
  readonly grants: readonly Grant[]
}

type Asked = {
  readonly caller: Caller
  readonly action: Action
  readonly target: Target
  readonly circumstances: (() => Circumstances) | undefined
}

export function explanationOf({ clear, policies, grants: all }: Parts, asked: Asked): Explanation {
  const { caller, action, target } = asked
  const grants = all
    .map(grant => ({ grant, gives: weigh(caller, action, target, grant) }))
    .filter(({ gives }) => gives !== 'other subject')
  const circumstances = asked.circumstances?.()
  const isCounting = ({ effect }: Weighed) => effect === 'forbid' || !isGrantedOnly(caller)
  const said = (about: Target, granted: Decision) =>
    caller.kind === 'operator' || isOutside(caller, target.group)
      ? []
      : policies.weigh({ caller, action, target: about, granted, circumstances }).filter(isCounting)
  return {
    decision: clear(caller, action, target, asked.circumstances),
    closedBy: closedBy(target),
    grants,
    otherGrants: all.length - grants.length,
    policies: said(target, decide(caller, action, target, all)),
    sourcePolicies: target.source === undefined ? [] : said(target.source, openSource),
  }
}
