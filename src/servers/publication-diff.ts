/** What differs between two definitions of a virtual server, in sentences for who has to say whether it may be published. */
import { canonical, isObject, type JsonObject } from '../foundation/json.ts'
import { visibly } from '../foundation/visible.ts'
import type { Definition, Source } from './definition.ts'
import { keyed } from './keyed.ts'
import { diffRules } from './rule-diff.ts'

export const publicationChangeKinds = [
  'instructions',
  'source-added',
  'source-removed',
  'choice',
  'added',
  'removed',
  'renamed',
  'title',
  'description',
  'argument-fixed',
  'argument-freed',
  'argument-hidden',
  'argument-shown',
  'argument-default',
  'argument-narrowed',
  'argument-widened',
  'argument-description',
] as const

export type PublicationChange = {
  readonly kind: (typeof publicationChangeKinds)[number]
  /** `group/server`. */
  readonly source?: string
  /** What of it, and what the source calls that. */
  readonly part?: 'tools' | 'resources' | 'prompts'
  readonly name?: string
  readonly argument?: string
  readonly from?: unknown
  readonly to?: unknown
  readonly sentence: string
}

/** Empty when both mean the same, whatever their order. */
export function diffPublications(from: Definition, to: Definition): PublicationChange[] {
  const [before, after] = [byServer(from), byServer(to)]
  const servers = [...new Set([...before.keys(), ...after.keys()])].sort()
  return [
    ...diffTexts(from.instructions, to.instructions, {
      kind: 'instructions',
      what: 'What a model is told about the whole server',
    }),
    ...servers.flatMap(server => diffSources(server, before.get(server), after.get(server))),
  ]
}

function byServer({ sources }: Definition): Map<string, Source> {
  return new Map(sources.map(source => [source.server, source]))
}

type Texts = Omit<PublicationChange, 'from' | 'to' | 'sentence'> & { readonly what: string }

function diffTexts(from: unknown, to: unknown, { what, ...change }: Texts): PublicationChange[] {
  if (from === to) return []
  const happened = from === undefined ? 'was added' : to === undefined ? 'was removed' : 'changed'
  return [{ ...change, ...sides(from, to), sentence: `${what} ${happened}.` }]
}

/** The two sides of a change, without what is not there. */
export function sides(from: unknown, to: unknown): Pick<PublicationChange, 'from' | 'to'> {
  return { ...(from !== undefined && { from }), ...(to !== undefined && { to }) }
}

function diffSources(source: string, from: Source | undefined, to: Source | undefined): PublicationChange[] {
  if (from === undefined && to === undefined) return []
  if (from === undefined || to === undefined) {
    const [kind, sentence] =
      from === undefined
        ? (['source-added', `${source} is a source now: ${takenOf(to)}.`] as const)
        : (['source-removed', `${source} is no source any more.`] as const)
    return [{ kind, source, ...sides(from, to), sentence }]
  }
  const [before, after] = [partsOf(from), partsOf(to)]
  return (['tools', 'resources', 'prompts'] as const).flatMap(part =>
    diffChoices({ source, part }, before[part], after[part]),
  )
}

type Choices = 'all' | 'readOnly' | JsonObject
type Parts = Readonly<Record<'tools' | 'resources' | 'prompts', Choices>>

/** One that names nothing gives everything. */
function partsOf(source: Source): Parts {
  const { sources } = keyed({ sources: [source] })
  const own = isObject(sources) ? sources[source.server] : undefined
  const named = isObject(own) ? own : {}
  const rest: Choices = Object.keys(named).length === 0 ? 'all' : {}
  const choices = (value: unknown): Choices =>
    value === 'all' || value === 'readOnly' ? value : isObject(value) ? value : rest
  return {
    tools: choices(named.tools),
    resources: choices(named.resources),
    prompts: choices(named.prompts),
  }
}

function takenOf(source: Source | undefined): string {
  if (source === undefined) return 'nothing'
  const parts = partsOf(source)
  if (Object.values(parts).every(choices => choices === 'all')) return 'everything of it'
  const taken = (['tools', 'resources', 'prompts'] as const).filter(part => !isNothing(parts[part]))
  return taken.length === 0 ? 'nothing of it' : taken.map(part => wordsFor(part, parts[part])).join('; ')
}

function isNothing(choices: Choices): boolean {
  return isObject(choices) && Object.keys(choices).length === 0
}

function wordsFor(part: string, choices: Choices): string {
  if (choices === 'all') return `all ${part}`
  if (choices === 'readOnly') return `the ${part} that are confirmed to only read`
  const names = Object.keys(choices)
  if (names.length === 0) return `no ${part}`
  const shown = names.slice(0, 10).map(shownName)
  return `the ${part} ${[...shown, ...(names.length > 10 ? ['...'] : [])].join(', ')}`
}

type At = { readonly source: string; readonly part: 'tools' | 'resources' | 'prompts' }

function diffChoices(at: At, from: Choices, to: Choices): PublicationChange[] {
  if (canonical(from) === canonical(to)) return []
  if (typeof from === 'string' || typeof to === 'string') {
    const sentence = `Of ${at.source} it takes ${wordsFor(at.part, to)}, before: ${wordsFor(at.part, from)}.`
    return [{ kind: 'choice', ...at, from, to, sentence }, ...diffNamed(at, from, to)]
  }
  const names = [...new Set([...Object.keys(from), ...Object.keys(to)])].sort()
  return names.flatMap(name => diffChoice({ ...at, name }, from[name], to[name]))
}

/** What is said of single things, where one side names them and the other takes them with all others. */
function diffNamed(at: At, from: Choices, to: Choices): PublicationChange[] {
  const [before, after] = [isObject(from) ? from : {}, isObject(to) ? to : {}]
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()
  return names.flatMap(name => diffChoice({ ...at, name }, before[name] ?? {}, after[name] ?? {}))
}

function diffChoice(at: At & { readonly name: string }, from: unknown, to: unknown): PublicationChange[] {
  const what = `${shownName(at.name)} of ${at.source}`
  const before = isObject(from) ? from : undefined
  const after = isObject(to) ? to : {}
  if (to === undefined) return [{ kind: 'removed', ...at, from, sentence: `${what} is not taken any more.` }]
  const added: PublicationChange[] =
    before === undefined ? [{ kind: 'added', ...at, to, sentence: `${what} is taken now.` }] : []
  const { as: oldName, title: oldTitle, description: oldDescription, arguments: oldRules } = before ?? {}
  return [
    ...added,
    ...renamed(at, oldName, after.as),
    ...diffTexts(oldTitle, after.title, { kind: 'title', ...at, what: `The title of ${what}` }),
    ...diffTexts(oldDescription, after.description, {
      kind: 'description',
      ...at,
      what: `The description of ${what}`,
    }),
    ...diffRules(oldRules, after.arguments).map(({ argument, sentence, ...change }) => ({
      ...at,
      ...change,
      argument,
      sentence: `The argument ${shownName(argument)} of ${what} ${sentence}.`,
    })),
  ]
}

function renamed(at: At & { readonly name: string }, from: unknown, to: unknown): PublicationChange[] {
  if (from === to) return []
  const what = `${shownName(at.name)} of ${at.source}`
  const now = to === undefined ? 'has the name that it gets by rule' : `is called ${String(to)}`
  const before = from === undefined ? '' : `, no longer ${String(from)}`
  return [{ kind: 'renamed', ...at, ...sides(from, to), sentence: `${what} ${now}${before}.` }]
}

function shownName(name: string): string {
  const shown = visibly(name)
  return shown.length > 80 ? `${shown.slice(0, 79)}…` : shown
}
