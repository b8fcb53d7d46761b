/** What differs between the rules over the arguments of one tool. */
import { canonical, isObject } from '../foundation/json.ts'
import { visibly } from '../foundation/visible.ts'
import type { ArgumentRule } from './definition.ts'
import { argumentRule } from './definition.ts'
import type { PublicationChange } from './publication-diff.ts'
import { isHidden } from './reshape.ts'

/** `sentence` goes on after the name of the argument. */
export type RuleChange = Pick<PublicationChange, 'kind' | 'from' | 'to' | 'sentence'> & {
  readonly argument: string
}

export function diffRules(from: unknown, to: unknown): RuleChange[] {
  const [before, after] = [rulesOf(from), rulesOf(to)]
  const names = [...new Set([...before.keys(), ...after.keys()])].sort()
  return names.flatMap(argument => {
    const rules = { from: before.get(argument) ?? {}, to: after.get(argument) ?? {} }
    return facets.flatMap(facet => facet(rules)).map(change => ({ argument, ...change }))
  })
}

function rulesOf(rules: unknown): Map<string, ArgumentRule> {
  const entries = isObject(rules) ? Object.entries(rules) : []
  return new Map(entries.map(([name, rule]) => [name, argumentRule.parse(rule)]))
}

type Rules = { readonly from: ArgumentRule; readonly to: ArgumentRule }
type Facet = (rules: Rules) => Omit<RuleChange, 'argument'>[]

const value: Facet = ({ from: { value: from }, to: { value: to } }) => {
  if (isSame(from, to)) return []
  if (to === undefined) return [{ kind: 'argument-freed', from, sentence: 'may be set by callers again' }]
  return [{ kind: 'argument-fixed', ...both(from, to), sentence: `is always ${shown(to)}` }]
}

const visibility: Facet = ({ from, to }) => {
  if (isHidden(from) === isHidden(to)) return []
  return isHidden(to)
    ? [{ kind: 'argument-hidden', sentence: 'is hidden from callers' }]
    : [{ kind: 'argument-shown', sentence: 'is shown to callers' }]
}

const fallback: Facet = ({ from: { default: from }, to: { default: to } }) => {
  if (isSame(from, to)) return []
  const sentence = to === undefined ? 'has no default of its own any more' : `is ${shown(to)} when left out`
  return [{ kind: 'argument-default', ...both(from, to), sentence }]
}

const choices: Facet = ({ from: { enum: from }, to: { enum: to } }) => {
  if (isSame(from, to)) return []
  if (to === undefined) return [{ kind: 'argument-widened', from, sentence: 'may be any value again' }]
  const known = new Set(to.map(canonical))
  const isWider = from?.every(each => known.has(canonical(each))) === true
  const kind = isWider ? 'argument-widened' : 'argument-narrowed'
  return [{ kind, ...both(from, to), sentence: `must be one of ${shown(to)}` }]
}

/** A bound, which narrows when it goes up (as a minimum) or down. */
function bound(key: 'minimum' | 'maximum', word: string, sign: 1 | -1): Facet {
  return ({ from: { [key]: from }, to: { [key]: to } }) => {
    if (from === to) return []
    if (to === undefined)
      return [{ kind: 'argument-widened', from, sentence: `has no ${key} of its own any more` }]
    const isWider = from !== undefined && sign * (to - from) < 0
    const kind = isWider ? 'argument-widened' : 'argument-narrowed'
    return [{ kind, ...both(from, to), sentence: `must be ${word} ${to}` }]
  }
}

const words: Facet = ({ from: { description: from }, to: { description: to } }) => {
  if (from === to) return []
  const happened = to === undefined ? 'as its server does' : 'in other words'
  return [{ kind: 'argument-description', ...both(from, to), sentence: `is described ${happened}` }]
}

const facets: readonly Facet[] = [
  value,
  visibility,
  fallback,
  choices,
  bound('minimum', 'at least', 1),
  bound('maximum', 'at most', -1),
  words,
]

function isSame(a: unknown, b: unknown): boolean {
  return a === undefined || b === undefined ? a === b : canonical(a) === canonical(b)
}

function both(from: unknown, to: unknown): Pick<RuleChange, 'from' | 'to'> {
  return { ...(from !== undefined && { from }), to }
}

function shown(value: unknown): string {
  const text = visibly(JSON.stringify(value))
  return text.length > 200 ? `${text.slice(0, 199)}…` : text
}
