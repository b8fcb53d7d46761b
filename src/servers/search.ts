/** Finds tools by what somebody wants to do: BM25 over the fields of their definitions, each with a weight of its own (BM25F). */
import { type FieldName, fields, fieldsOf, type SearchedTool } from './search-fields.ts'
import { synonymsOf } from './search-synonyms.ts'
import { termsOf } from './search-words.ts'

export type { SearchedTool } from './search-fields.ts'

export type Found = { readonly name: string; readonly score: number }

export type Search = {
  /** The tools that fit the query, best first, at most `limit`; equal ones by name. Only the first 1,000 characters of a query are read. */
  find(query: string, limit: number): readonly Found[]
}

/** For one term: the tools that have it, and what it adds to the score of each. */
type Postings = { readonly tools: number[]; readonly gains: number[] }

const maxQueryChars = 1000
const maxQueryTerms = 64
/** How soon a term that comes again stops to count. */
const saturation = 1.4
/** What a synonym counts, beside the word itself. */
const synonymWeight = 0.5

/** An index over these tools. Later changes of the tools do not reach it. */
export function openSearch(tools: readonly SearchedTool[]): Search {
  const names = tools.map(({ name }) => name)
  const index = indexOf(tools)
  return {
    find(query, limit) {
      const scores = new Float64Array(names.length)
      for (const alternatives of meant(query, index)) addBest(scores, alternatives, index)
      return names
        .flatMap((name, at) => ((scores[at] ?? 0) > 0 ? [{ name, score: scores[at] ?? 0 }] : []))
        .sort((one, other) => other.score - one.score || (one.name < other.name ? -1 : 1))
        .slice(0, Math.max(0, limit))
    },
  }
}

function indexOf(tools: readonly SearchedTool[]): ReadonlyMap<string, Postings> {
  const read = tools.map(fieldsOf)
  const average = averages(read)
  const index = new Map<string, Postings>()
  read.forEach((tool, at) => {
    for (const [term, frequency] of frequencies(tool, average)) {
      const postings = index.get(term) ?? { tools: [], gains: [] }
      index.set(term, postings)
      postings.tools.push(at)
      postings.gains.push(frequency / (frequency + saturation))
    }
  })
  for (const { tools: having, gains } of index.values()) {
    const rarity = Math.log(1 + (tools.length - having.length + 0.5) / (having.length + 0.5))
    gains.forEach((gain, at) => {
      gains[at] = gain * rarity
    })
  }
  return index
}

type Fields = Record<FieldName, string[]>

const fieldNames = Object.keys(fields).filter((name): name is FieldName => name in fields)

function averages(read: readonly Fields[]): Record<FieldName, number> {
  const average = (name: FieldName) => {
    const filled = read.map(tool => tool[name].length).filter(length => length > 0)
    return filled.reduce((sum, length) => sum + length, 0) / Math.max(1, filled.length)
  }
  return {
    name: average('name'),
    server: average('server'),
    title: average('title'),
    opening: average('opening'),
    description: average('description'),
    arguments: average('arguments'),
    values: average('values'),
  }
}

/** How often each term comes in a tool, by the weights of the fields and against their usual lengths. */
function frequencies(tool: Fields, average: Record<FieldName, number>): Map<string, number> {
  const found = new Map<string, number>()
  for (const name of fieldNames) {
    const { weight, evenness } = fields[name]
    const gain = weight / (1 - evenness + (evenness * tool[name].length) / Math.max(1, average[name]))
    for (const term of tool[name]) found.set(term, (found.get(term) ?? 0) + gain)
  }
  return found
}

type Alternative = { readonly term: string; readonly weight: number }

/** For each term of the query, the terms of the index that may be meant by it. */
function meant(query: string, index: ReadonlyMap<string, Postings>): Alternative[][] {
  const terms = termsOf(query.slice(0, maxQueryChars)).slice(0, maxQueryTerms)
  // Two words that tools write as one: "screen shot".
  const joined = terms.flatMap((term, at) => (at > 0 ? [`${terms[at - 1] ?? ''}${term}`] : []))
  return [
    ...[...new Set(terms)].map(term => [
      { term, weight: 1 },
      ...[...synonymsOf(term)].map(synonym => ({ term: synonym, weight: synonymWeight })),
    ]),
    ...[...new Set(joined)].filter(term => index.has(term)).map(term => [{ term, weight: 1 }]),
  ]
}

/** Adds to each tool what the best of the alternatives gives it: synonyms say a thing once. */
function addBest(
  scores: Float64Array,
  alternatives: Alternative[],
  index: ReadonlyMap<string, Postings>,
): void {
  const best = new Map<number, number>()
  for (const { term, weight } of alternatives) {
    const postings = index.get(term)
    postings?.tools.forEach((tool, at) => {
      const gain = weight * (postings.gains[at] ?? 0)
      if (gain > (best.get(tool) ?? 0)) best.set(tool, gain)
    })
  }
  for (const [tool, gain] of best) scores[tool] = (scores[tool] ?? 0) + gain
}
