/** What there is about a definition that a person should see before a model does. */
import { isObject } from '../foundation/json.ts'
import { unseen, visibly } from '../foundation/visible.ts'
import { named } from './definition-change.ts'
import { oddityOf } from './definition-hash.ts'
import { type Hidden, hiddenIn } from './hidden-characters.ts'
import { isMixed, pretends } from './look-alike.ts'
import { type SuspicionKind, suspicionsIn } from './suspicious-text.ts'

export type FindingKind =
  | Hidden['kind']
  | SuspicionKind
  | 'look-alike'
  | 'same-name'
  | 'mention'
  | 'unreadable'

export type Finding = {
  /** high: never accepted without a person. low: shown. */
  readonly severity: 'high' | 'low'
  readonly kind: FindingKind
  /** Where in the definition, as in `inputSchema.properties.path.description`. */
  readonly where: string
  readonly sentence: string
}

/** The other tools that a tool could be taken for. */
export type Neighbours = {
  /** Has the same server a tool of this name? */
  isOwn(name: string): boolean
  /** Has another server one? */
  isOthers(name: string): boolean
  /** Names of any of them that look like this one and are not. */
  twins(name: string): readonly string[]
}

const mostFindings = 40

type Seen = { readonly name: string; readonly text: string; readonly definition: unknown }

/** Everything of note, in the order of the definition. `definition` is what `text` says. */
export function scanDefinition(seen: Seen, neighbours: Neighbours): Finding[] {
  const grave = graveFindings(seen, neighbours)
  if (grave.some(({ kind }) => kind === 'unreadable')) return grave
  const findings = [...grave, ...sameName(seen.name, neighbours)]
  for (const { where, text } of stringsOf(seen.definition)) {
    if (findings.length >= mostFindings) break
    findings.push(...suspicious(where, text), ...mentionsIn(where, text, neighbours))
  }
  return findings
}

/** Those of high severity alone, which decide whether a definition may be accepted without a person. */
export function graveFindings({ name, text, definition }: Seen, neighbours: Neighbours): Finding[] {
  const unreadable = unreadableIn(text)
  if (unreadable !== undefined) return [unreadable]
  const findings = aboutName(name, neighbours)
  // Nearly all definitions are done with here.
  if (!unseen.test(text) && !/\\[bfu]/.test(text)) return findings
  for (const { where, text: one } of stringsOf(definition)) {
    if (findings.length >= mostFindings) break
    findings.push(...hidden(where, one))
  }
  return findings
}

/** How much new text a change may bring that nobody reads. */
const mostNewText = 8000

/** Does a definition say something suspicious that the one before did not, or too much to be looked through? */
export function bringsSuspicions(before: unknown, after: unknown): boolean {
  const known = new Set([...stringsOf(before)].map(({ text }) => text))
  const fresh = [...stringsOf(after)].filter(({ text }) => !known.has(text))
  if (fresh.reduce((sum, { text }) => sum + text.length, 0) > mostNewText) return true
  return fresh.some(({ where, text }) => suspicious(where, text).length > 0)
}

/** One key twice is read in one way here and in another elsewhere, so that what was approved is not what is seen. */
function unreadableIn(text: string): Finding | undefined {
  const oddity = oddityOf(text)
  if (oddity === undefined) return undefined
  const sentence = `Not everybody reads it as the gateway does: ${oddity}`
  return { severity: 'high', kind: 'unreadable', where: '', sentence }
}

function aboutName(name: string, { isOwn, twins }: Neighbours): Finding[] {
  const high = (sentence: string): Finding[] => [
    { severity: 'high', kind: 'look-alike', where: 'name', sentence },
  ]
  const plain = pretends(name)
  if (plain !== undefined) return high(`The name is written in other letters and reads as ${named(plain)}.`)
  if (isMixed(name)) return high('The name mixes letters of alphabets that are mistaken for each other.')
  const found = twins(name)
  if (found.some(isOwn)) return high('The name looks like that of another tool of this server.')
  if (found.length > 0) return high('The name looks like that of a tool of another server.')
  return []
}

function sameName(name: string, { isOthers }: Neighbours): Finding[] {
  if (!isOthers(name)) return []
  const sentence = 'A tool of another server has the same name.'
  return [{ severity: 'low', kind: 'same-name', where: 'name', sentence }]
}

const words: Readonly<Record<Hidden['kind'], string>> = {
  tag: 'tag characters, which nobody sees and models read',
  invisible: 'characters that nobody sees',
  bidi: 'characters that turn the direction of the text around',
  control: 'control characters, as terminals obey them',
}

function hidden(where: string, text: string): Finding[] {
  return hiddenIn(text).map(({ kind, points: all, spells }) => {
    const points = [...new Set(all)].slice(0, 8).map(point => `U+${hex(point)}`)
    const spelt = spells ? `; they spell ${named(spells)}` : ''
    return { severity: 'high', kind, where, sentence: `It has ${words[kind]}: ${points.join(', ')}${spelt}.` }
  })
}

function suspicious(where: string, text: string): Finding[] {
  // Pictures are kept as text.
  if (where.startsWith('icons')) return []
  return suspicionsIn(text).map(({ kind, quote }) => {
    return { severity: 'low', kind, where, sentence: `${sentences[kind]}: "${visibly(quote)}".` }
  })
}

const sentences: Readonly<Record<SuspicionKind, string>> = {
  instruction: 'It gives orders to the model',
  markup: 'It has markup',
  encoded: 'It has text that nobody can read',
}

function hex(point: number): string {
  return point.toString(16).toUpperCase().padStart(4, '0')
}

/** Ordinary words are no mentions, so only names made of several parts count. */
const compound = /[\p{L}\p{N}]+(?:[_.-][\p{L}\p{N}]+)+|\p{Ll}+\p{Lu}[\p{L}\p{N}]*/gu

function mentionsIn(where: string, text: string, { isOwn, isOthers }: Neighbours): Finding[] {
  if (where === 'name') return []
  const found = new Set([...text.matchAll(compound)].map(([name]) => name))
  return [...found]
    .filter(name => isOthers(name) && !isOwn(name))
    .slice(0, 3)
    .map(name => {
      const sentence = `It speaks of ${named(name)}, a tool of another server.`
      return { severity: 'low', kind: 'mention', where, sentence }
    })
}

/** Every string in a value, keys too, with where it stands. */
function* stringsOf(value: unknown, where = ''): Generator<{ where: string; text: string }> {
  if (typeof value === 'string') yield { where, text: value }
  else if (Array.isArray(value))
    for (const [index, one] of value.entries()) yield* stringsOf(one, `${where}[${index}]`)
  else if (isObject(value))
    for (const [key, one] of Object.entries(value)) {
      const place = where === '' ? visibly(key) : `${where}.${visibly(key)}`
      yield { where: place, text: key }
      yield* stringsOf(one, place)
    }
}
