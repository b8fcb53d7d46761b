/** What policies make of a decision that grants made. */
import type { Caller } from '../../foundation/route.ts'
import type { Action } from '../actions.ts'
import type { Decision } from '../decide.ts'
import { type Finder, type Found, openFinder, readsContext, type SchemaOf, type Subject } from './find.ts'
import type { Policy } from './policy.ts'
import { type Statement, statementsOf } from './statement.ts'

export type Question = Subject & {
  readonly action: Action
  /** What grants say. */
  readonly granted: Decision
}

export type Judgement = {
  readonly decision: Decision
  /** Does one that applies read the circumstances? Without them it is then about whether the thing may be shown. */
  readonly depends: boolean
}

/** What one statement that is about the question says to it. */
export type Weighed = {
  readonly policy: string
  readonly isEnforced: boolean
  readonly effect: 'forbid' | 'permit'
  /** `open`: it depends on what is not known. `failed`: it could not be evaluated; such a forbid forbids. */
  readonly verdict: Found['verdict']
  /** What whoever is refused by it is told. */
  readonly says: string
  /** What it reads of the circumstances: `arguments.path`, `address` and so on. */
  readonly reads: readonly string[]
}

export type Judge = {
  /** Are there none, so that everything stays as grants say? */
  readonly isIdle: boolean
  judge(question: Question): Judgement
  /** The statements that `judge` goes by. */
  weigh(question: Question): readonly Weighed[]
  /** Is anything of the group permitted to the caller, whatever else it may take? */
  reaches(caller: Caller, group: string): boolean
  /** Gives up what Cedar holds of it. */
  close(): void
}

/** Using a server, listing what it has, using one thing of it: who may not the one, may not what follows. */
const implies: Readonly<Record<Action, readonly Action[]>> = {
  'server.use': [],
  'tool.list': ['server.use'],
  'tool.call': ['tool.list', 'server.use'],
  'resource.list': ['server.use'],
  'resource.read': ['resource.list', 'server.use'],
  'prompt.list': ['server.use'],
  'prompt.get': ['prompt.list', 'server.use'],
}

/** Whoever may use something of a server may reach it: for these, a permit of one of those will do. */
const reachedBy: Readonly<Partial<Record<Action, readonly Action[]>>> = {
  'server.use': ['tool.call', 'resource.read', 'prompt.get', 'tool.list', 'resource.list', 'prompt.list'],
  'tool.list': ['tool.call'],
  'resource.list': ['resource.read'],
  'prompt.list': ['prompt.get'],
}

/** A judge for policies in force. Without any, Cedar is never loaded. */
export function openJudge(policies: readonly Policy[], schemaOf: SchemaOf): Judge {
  if (policies.length === 0)
    return {
      isIdle: true,
      judge: ({ granted }) => ({ decision: granted, depends: false }),
      weigh: () => [],
      reaches: () => false,
      close: () => undefined,
    }
  const finder = openFinder(statementsOf(policies), schemaOf)
  return {
    isIdle: false,
    judge: question => judge(finder, question),
    weigh: question => {
      const { forbids, permitting } = applying(finder, question)
      return [...forbids, ...permitting].map(weighed)
    },
    reaches: (caller, group) =>
      finder.findInGroup(caller, group).some(found => isEnforced(found) && permits(found)),
    close: finder.close,
  }
}

function weighed(found: Found): Weighed {
  const { statement, verdict } = found
  return {
    policy: statement.policy,
    isEnforced: statement.isEnforced,
    effect: statement.isForbid ? 'forbid' : 'permit',
    verdict,
    says: sentence(found),
    reads: statement.reads.context.map(path => path.join('.')),
  }
}

function applying(finder: Finder, question: Question): { forbids: Found[]; permitting: Found[] } {
  const { action } = question
  const forbids = forbidsOf(finder, question)
  const permitting = finder.find(question, { action, isForbid: false })
  for (const other of reachedBy[action] ?? []) permitting.push(...finder.findWithin(question, other))
  return { forbids, permitting }
}

function judge(finder: Finder, question: Question): Judgement {
  const { granted } = question
  const { forbids, permitting } = applying(finder, question)
  const depends = [...forbids, ...permitting].some(({ statement }) => readsContext(statement))
  return { decision: conclude(granted, forbids, permitting), depends }
}

function forbidsOf(finder: Finder, question: Question): Found[] {
  const found: Found[] = []
  const settled = new Set<Statement>()
  for (const action of [question.action, ...implies[question.action]]) {
    found.push(...finder.find(question, { action, isForbid: true, except: settled }))
    // Of what is implied the same would be said again, unless a statement looks at the action or the thing.
    for (const { statement } of found)
      if (!statement.reads.action && !statement.reads.resource) settled.add(statement)
  }
  return found
}

function conclude(granted: Decision, forbids: readonly Found[], permitting: readonly Found[]): Decision {
  // What cannot be evaluated forbids, and permits nothing. What is open forbids nothing yet, and permits.
  const against = forbids.filter(({ verdict }) => verdict === 'met' || verdict === 'failed')
  const inFavour = permitting.filter(permits)
  const decision = enforced(granted, against.filter(isEnforced), inFavour.filter(isEnforced))
  if (decision.allowed) return withShadow(decision, against)
  return against.some(isEnforced) ? decision : withShadow(decision, inFavour)
}

function permits({ verdict }: Found): boolean {
  return verdict === 'met' || verdict === 'open'
}

function isEnforced({ statement }: Found): boolean {
  return statement.isEnforced
}

function enforced(granted: Decision, against: readonly Found[], inFavour: readonly Found[]): Decision {
  const [forbid] = against
  if (forbid !== undefined) return { allowed: false, reason: sentence(forbid), policies: namesOf(against) }
  if (granted.allowed || inFavour.length === 0) return granted
  const policies = namesOf(inFavour)
  return { allowed: true, reason: `policy ${policies.join(', ')}`, policies }
}

function withShadow(decision: Decision, found: readonly Found[]): Decision {
  const shadow = namesOf(found.filter(each => !isEnforced(each)))
  return shadow.length === 0 ? decision : { ...decision, shadow }
}

function namesOf(found: readonly Found[]): string[] {
  return [...new Set(found.map(({ statement }) => statement.policy))].sort()
}

function sentence({ statement, verdict, why }: Found): string {
  if (verdict !== 'failed') return statement.says
  const because = why === undefined ? '' : `: ${why}`
  return `${statement.says} (The policy ${statement.policy} could not be evaluated, and so forbids${because}.)`
}
