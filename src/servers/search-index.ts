/** Which tools have which terms, and how much of each: the part of the search that no query changes. */
import { type FieldName, fields, fieldsOf, type SearchedTool } from './search-fields.ts'

/** What is known of one term; the lists are of the same tools in the same order. */
export type Postings = {
  readonly tools: readonly number[]
  /** How much of the term each has, from 0 to 1. */
  readonly gains: readonly number[]
  /** How much of its name the term is, from 0 to 1. */
  readonly shares: readonly number[]
  /** The fewer have it, the more it says. */
  readonly rarity: number
}

export type Index = {
  readonly terms: ReadonlyMap<string, Postings>
  /** The terms that stand in a name. */
  readonly inNames: readonly string[]
}

type Fields = Record<FieldName, string[]>
type Having = { readonly tools: number[]; readonly gains: number[] }

/** How late a term that comes again stops to count. */
const saturation = 5

export function indexOf(tools: readonly SearchedTool[]): Index {
  const read = tools.map(fieldsOf)
  const having = termsOfAll(read)
  const rarity = (term: string) => {
    const count = having.get(term)?.tools.length ?? 0
    return Math.log(1 + (tools.length - count + 0.5) / (count + 0.5))
  }
  const shares = read.map(({ name }) => sharesOf(name, rarity))
  const terms = new Map<string, Postings>()
  for (const [term, { tools: those, gains }] of having) {
    const ofNames = those.map(tool => shares[tool]?.get(term) ?? 0)
    terms.set(term, { tools: those, gains, shares: ofNames, rarity: rarity(term) })
  }
  return { terms, inNames: [...new Set(read.flatMap(({ name }) => name))] }
}

function termsOfAll(read: readonly Fields[]): Map<string, Having> {
  const usual = usualLengths(read)
  const all = new Map<string, Having>()
  read.forEach((tool, at) => {
    for (const [term, frequency] of frequencies(tool, usual)) {
      const having = all.get(term) ?? { tools: [], gains: [] }
      all.set(term, having)
      having.tools.push(at)
      having.gains.push(frequency / (frequency + saturation))
    }
  })
  return all
}

const fieldNames: readonly FieldName[] = [
  'name',
  'server',
  'title',
  'opening',
  'description',
  'arguments',
  'values',
]

/** How long each field is where there is one. */
function usualLengths(read: readonly Fields[]): ReadonlyMap<FieldName, number> {
  return new Map(
    fieldNames.map(name => {
      const lengths = read.map(tool => tool[name].length).filter(length => length > 0)
      const sum = lengths.reduce((total, length) => total + length, 0)
      return [name, sum / Math.max(1, lengths.length)]
    }),
  )
}

/** How often each term comes in a tool, by the weights of the fields and against their usual lengths. */
function frequencies(tool: Fields, usual: ReadonlyMap<FieldName, number>): Map<string, number> {
  const found = new Map<string, number>()
  for (const name of fieldNames) {
    const { weight, evenness } = fields[name]
    const gain = weight / (1 - evenness + (evenness * tool[name].length) / Math.max(1, usual.get(name) ?? 1))
    for (const term of tool[name]) found.set(term, (found.get(term) ?? 0) + gain)
  }
  return found
}

function sharesOf(name: readonly string[], rarity: (term: string) => number): Map<string, number> {
  const unlike = [...new Set(name)]
  const whole = unlike.reduce((sum, term) => sum + rarity(term), 0)
  return new Map(unlike.map(term => [term, rarity(term) / whole]))
}
