/** Which statements apply to a question, and which of them are met. Cedar is asked only where one that applies has a condition. */
import type { Caller } from '../../foundation/route.ts'
import type { Action } from '../actions.ts'
import type { Circumstances, Target } from '../decide.ts'
import { argumentTypes } from './argument-types.ts'
import { type Prepared, prepare } from './cedar.ts'
import { contextOf, type Wanted } from './context.ts'
import { above, actionEntity, itemTypes, type Someone, someone, thing } from './entities.ts'
import { reachesAction, reachesGroup, reachesPrincipal, reachesResource, reachesWithin } from './reach.ts'
import type { Statement } from './statement.ts'

/** The input schema of a tool as its server wrote it. */
export type SchemaOf = (target: Target) => unknown

export type Subject = {
  readonly caller: Caller
  readonly target: Target
  /** Absent for lists, where the question is whether the thing may be shown. */
  readonly circumstances?: Circumstances | undefined
}

export type Found = {
  readonly statement: Statement
  /** `open`: it depends on what is not known here. `failed`: it could not be evaluated. */
  readonly verdict: 'met' | 'unmet' | 'open' | 'failed'
  /** Why it failed. */
  readonly why?: string | undefined
}

export type Search = {
  readonly action: Action
  readonly isForbid: boolean
  /** Statements to leave out. */
  readonly except?: ReadonlySet<Statement>
}

export type Finder = {
  /** About the thing the action is about, or, where it is not named, about any thing of the server. */
  find(subject: Subject, search: Search): Found[]
  /** Permits of the action for anything of the server. */
  findWithin(subject: Subject, action: Action): Found[]
  /** Permits for anything in the group. */
  findInGroup(caller: Caller, group: string): Found[]
  close(): void
}

export function openFinder(statements: readonly Statement[], schemaOf: SchemaOf): Finder {
  const conditional = statements.filter(each => each.hasConditions)
  const whole = prepare(new Map(conditional.map(({ id, json }) => [id, json])))
  // Of a thing that is not named only this can be asked: what reads nothing but who asks, whatever is done to what.
  const every = { op: 'All' } as const
  const personal = prepare(
    new Map(
      conditional.filter(isPersonal).map(({ id, json }) => [id, { ...json, action: every, resource: every }]),
    ),
  )
  const parts = { statements, whole, personal, schemaOf }
  return {
    find(subject, search) {
      const resource = thing(search.action, subject.target)
      return resource === undefined
        ? unnamed(parts, subject, search)
        : named(parts, subject, { ...search, resource })
    },
    findWithin(subject, action) {
      const search = { action, isForbid: false }
      return itemTypes[action] === undefined ? this.find(subject, search) : unnamed(parts, subject, search)
    },
    findInGroup: (caller, group) => inGroup(parts, caller, group),
    close() {
      whole.close()
      personal.close()
    },
  }
}

type Parts = {
  readonly statements: readonly Statement[]
  readonly whole: Prepared
  readonly personal: Prepared
  readonly schemaOf: SchemaOf
}

export function readsContext({ reads }: Statement): boolean {
  return reads.context.length > 0
}

function isPersonal(statement: Statement): boolean {
  return !statement.reads.action && !statement.reads.resource && !readsContext(statement)
}

function named(parts: Parts, subject: Subject, search: Search & { readonly resource: Someone }): Found[] {
  const applying = applyingTo(parts, subject, search).filter(each =>
    reachesResource(each.reach, search.resource),
  )
  const isKnown = (each: Statement) => subject.circumstances !== undefined || !readsContext(each)
  return answered(applying, isKnown, conditional =>
    ask({ ...search, prepared: parts.whole, schemaOf: parts.schemaOf, subject }, conditional),
  )
}

/** What is about one thing of the server forbids nothing here, and permits that much. */
function unnamed(parts: Parts, subject: Subject, search: Search): Found[] {
  const { server, keys } = above(subject.target)
  const type = itemTypes[search.action] ?? 'Server'
  const applying = applyingTo(parts, subject, search).filter(each => {
    const part = reachesWithin(each.reach, { type, server, above: keys })
    return search.isForbid ? part === 'all' : part !== 'none'
  })
  const resource = anyOf({ type, id: `${server}/` })
  return answered(applying, isPersonal, conditional =>
    ask({ ...search, resource, prepared: parts.personal, schemaOf: parts.schemaOf, subject }, conditional),
  )
}

function inGroup(parts: Parts, caller: Caller, group: string): Found[] {
  const principal = someone(caller)
  const applying = parts.statements.filter(
    each => !each.isForbid && reachesPrincipal(each.reach, principal) && reachesGroup(each.reach, group),
  )
  const resource = anyOf({ type: 'Group', id: group })
  const target = { group, server: '', policy: { default: 'allow', allow: [], deny: [] } } as const
  return answered(applying, isPersonal, conditional =>
    ask(
      { ...parts, prepared: parts.personal, subject: { caller, target }, action: 'server.use', resource },
      conditional,
    ),
  )
}

function anyOf(uid: Someone['uid']): Someone {
  return { type: uid.type, self: '', within: new Set(), uid, entity: { uid, attrs: {}, parents: [] } }
}

function applyingTo(
  { statements }: Parts,
  { caller }: Subject,
  { action, isForbid, except }: Search,
): Statement[] {
  const principal = someone(caller)
  return statements.filter(
    each =>
      each.isForbid === isForbid &&
      reachesAction(each.reach, action) &&
      reachesPrincipal(each.reach, principal) &&
      except?.has(each) !== true,
  )
}

type Answers = (conditional: readonly Statement[]) => readonly Found[]

function answered(
  applying: readonly Statement[],
  isKnown: (statement: Statement) => boolean,
  answers: Answers,
): Found[] {
  const isAsked = (each: Statement) => each.hasConditions && isKnown(each)
  const asked = applying.filter(isAsked)
  const rest = applying.filter(each => !isAsked(each))
  return [
    ...rest.map((statement): Found => ({ statement, verdict: statement.hasConditions ? 'open' : 'met' })),
    ...(asked.length === 0 ? [] : answers(asked)),
  ]
}

type Asking = {
  readonly prepared: Prepared
  readonly schemaOf: SchemaOf
  readonly subject: Subject
  readonly action: Action
  readonly resource: Someone
}

function ask(asking: Asking, conditional: readonly Statement[]): Found[] {
  const { subject, resource } = asking
  const principal = someone(subject.caller)
  const action = actionEntity(asking.action)
  const { context, unheld } = known(asking, conditional)
  const matches = asking.prepared.match({
    principal: principal.uid,
    action: action.uid,
    resource: resource.uid,
    context,
    entities: [principal.entity, action.entity, resource.entity],
  })
  return conditional.map((statement): Found => {
    const why = whyUnheld(statement, unheld)
    if (why !== undefined) return { statement, verdict: 'failed', why }
    if (matches === undefined || matches.failed.has(statement.id)) return { statement, verdict: 'failed' }
    return { statement, verdict: matches.met.has(statement.id) ? 'met' : 'unmet' }
  })
}

const nothing = { context: {}, unheld: new Map<string, string>() }

function known(
  { subject, schemaOf }: Asking,
  conditional: readonly Statement[],
): ReturnType<typeof contextOf> {
  if (subject.circumstances === undefined || !conditional.some(readsContext)) return nothing
  return contextOf(subject.circumstances, wantedBy(conditional), argumentTypes(schemaOf(subject.target)))
}

function wantedBy(conditional: readonly Statement[]): Wanted {
  const names = conditional.flatMap(({ reads }) => reads.context.map(([name]) => name))
  const read = conditional.map(each => each.arguments)
  return {
    names: names.includes(undefined) ? 'all' : new Set(names.filter(name => name !== undefined)),
    arguments: read.includes('all') ? 'all' : new Set(read.flatMap(each => [...each])),
  }
}

function whyUnheld(statement: Statement, unheld: ReadonlyMap<string, string>): string | undefined {
  for (const [name, why] of unheld)
    if (statement.arguments === 'all' || statement.arguments.has(name))
      return `of the argument ${name}, ${why}`
  return undefined
}
