/** Policies taken apart into their statements, with everything that is known of one before anybody asks. */
import type { PolicyJson } from './cedar.ts'
import { reading } from './cedar.ts'
import type { Policy } from './policy.ts'
import { type Reach, reachOf } from './reach.ts'
import { argumentsRead, type Reads, readsOf } from './reads.ts'

export type Statement = {
  /** Among all statements that are decided by. */
  readonly id: string
  readonly policy: string
  readonly isEnforced: boolean
  readonly isForbid: boolean
  readonly reach: Reach
  readonly reads: Reads
  readonly arguments: ReadonlySet<string> | 'all'
  readonly hasConditions: boolean
  readonly json: PolicyJson
  /** What whoever is refused by it is told. */
  readonly says: string
}

const longestReason = 500

/** Cedar gives JSON to and takes it from its own parser, which goes 128 levels deep; some of them are around a statement. */
const deepestJson = 100
/** In brackets, a text may go this deep. */
const deepestText = 64
export const mostStatements = 50

export type Part = { readonly json: PolicyJson; readonly text: string }

/** The statements of a text; undefined when it is no valid Cedar, or deeper than Cedar can go. */
export function partsOf(text: string): readonly Part[] | undefined {
  if (isTooDeep(text)) return undefined
  return reading(cedar => {
    const answer = cedar.policySetTextToParts(text)
    if (answer.type === 'failure' || answer.policy_templates.length > 0) return undefined
    const parts = answer.policies.flatMap((part): Part[] => {
      const read = cedar.policyToJson(part)
      return read.type === 'success' && depthOf(read.json) <= deepestJson
        ? [{ text: part, json: read.json }]
        : []
    })
    return parts.length === answer.policies.length ? parts : undefined
  })
}

/** Do the brackets of a text go deeper than is safe to read? */
export function isTooDeep(text: string): boolean {
  let depth = 0
  let most = 0
  for (const letter of text) {
    if ('([{'.includes(letter)) most = Math.max(most, ++depth)
    if (')]}'.includes(letter)) depth--
  }
  return most > deepestText
}

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Object.values(value).reduce((most: number, inner) => Math.max(most, depthOf(inner)), 0)
}

/** A policy that was good when it was saved and cannot be read now forbids everything: nobody knows what it would have. */
const unreadable: PolicyJson = {
  effect: 'forbid',
  principal: { op: 'All' },
  action: { op: 'All' },
  resource: { op: 'All' },
  conditions: [],
}

export function statementsOf(policies: readonly Policy[]): Statement[] {
  return policies.flatMap(policy => {
    const parts = partsOf(policy.text)
    if (parts === undefined)
      return [statement(policy, 0, unreadable, `The policy ${policy.name} cannot be read any more.`)]
    return parts.map(({ json }, at) => statement(policy, at, json, sentenceOf(policy, json)))
  })
}

function statement(policy: Policy, at: number, json: PolicyJson, says: string): Statement {
  const reads = readsOf(json)
  return {
    id: `${policy.name} ${at}`,
    policy: policy.name,
    isEnforced: policy.mode === 'enforce',
    isForbid: json.effect === 'forbid',
    reach: reachOf(json),
    reads,
    arguments: argumentsRead(reads),
    hasConditions: json.conditions.length > 0,
    json,
    says,
  }
}

function sentenceOf({ name }: Policy, { annotations }: PolicyJson): string {
  const reason = annotations?.reason
  return reason ? reason.slice(0, longestReason) : `The policy ${name} forbids it.`
}
