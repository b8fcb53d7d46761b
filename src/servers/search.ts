/** Finds tools by what somebody wants to do: BM25 over the fields of their definitions, each with a weight of its own (BM25F). */
import type { SearchedTool } from './search-fields.ts'
import { type Index, indexOf, type Postings } from './search-index.ts'
import { synonymsOf } from './search-synonyms.ts'
import { termsOf } from './search-words.ts'

export type { SearchedTool } from './search-fields.ts'

export type Found = { readonly name: string; readonly score: number }

export type Search = {
  /** The tools that fit the query, best first, at most `limit`; equal ones by name. Only the first 1,000 characters of a query are read. */
  find(query: string, limit: number): readonly Found[]
}

const maxQueryChars = 1000
const maxQueryTerms = 64
/** What a synonym counts, beside the word itself. */
const synonymWeight = 0.8
/** What a longer word of a name counts that begins or ends with the word: "box" and boxplot. */
const partWeight = 0.3
/** What it is worth that a name says nothing but what was asked for. */
const nameWorth = 0.3

/** An index over these tools. Later changes of the tools do not reach it. */
export function openSearch(tools: readonly SearchedTool[]): Search {
  const names = tools.map(({ name }) => name)
  const index = indexOf(tools)
  return {
    find(query, limit) {
      const scores = scoresOf(query, index, names.length)
      return names
        .flatMap((name, at) => ((scores[at] ?? 0) > 0 ? [{ name, score: scores[at] ?? 0 }] : []))
        .sort((one, other) => other.score - one.score || (one.name < other.name ? -1 : 1))
        .slice(0, Math.max(0, limit))
    },
  }
}

type Alternative = { readonly postings: Postings; readonly weight: number }

function scoresOf(query: string, index: Index, count: number): Float64Array {
  const scores = new Float64Array(count)
  const named = new Float64Array(count)
  for (const alternatives of meant(query, index)) {
    addBest(scores, alternatives, ({ weight, postings }, at) => weight * (postings.gains[at] ?? 0))
    addBest(
      named,
      alternatives,
      ({ weight, postings }, at) => (weight / postings.rarity) * (postings.shares[at] ?? 0),
    )
  }
  return scores.map((score, tool) => score * (1 + nameWorth * Math.min(1, named[tool] ?? 0)))
}

/** Adds to each tool what the best of the alternatives gives it: words that mean the same say a thing once. */
function addBest(
  sums: Float64Array,
  alternatives: readonly Alternative[],
  worth: (alternative: Alternative, at: number) => number,
): void {
  const best = new Float64Array(sums.length)
  for (const alternative of alternatives) {
    alternative.postings.tools.forEach((tool, at) => {
      best[tool] = Math.max(best[tool] ?? 0, worth(alternative, at))
    })
  }
  best.forEach((one, tool) => {
    sums[tool] = (sums[tool] ?? 0) + one
  })
}

/** For each term of the query, the terms of the index that may be meant by it. */
function meant(query: string, index: Index): Alternative[][] {
  const terms = termsOf(query.slice(0, maxQueryChars)).slice(0, maxQueryTerms)
  // Two words that tools write as one: "screen shot".
  const joined = terms.flatMap((term, at) => (at > 0 ? [`${terms[at - 1] ?? ''}${term}`] : []))
  return [
    ...[...new Set(terms)].map(term => alternativesOf(term, index)),
    ...[...new Set(joined)].map(term => weighted(index, [term], 1)),
  ]
}

function alternativesOf(term: string, index: Index): Alternative[] {
  const own = weighted(index, [term], 1)
  const others = weighted(index, [...synonymsOf(term)], synonymWeight)
  const longer = weighted(index, longerThan(term, index), partWeight)
  // What is meant is no rarer than the word that was said; where nobody says that, than the most frequent that means it.
  const known = own.length > 0 ? own : others
  const rarity = Math.min(...known.map(({ postings }) => postings.rarity))
  const atMost = ({ postings, weight }: Alternative) => ({
    postings,
    weight: (weight / postings.rarity) * Math.min(rarity, postings.rarity),
  })
  return [...own, ...[...others, ...longer].map(atMost)]
}

function weighted({ terms }: Index, those: readonly string[], weight: number): Alternative[] {
  return those.flatMap(term => {
    const postings = terms.get(term)
    return postings === undefined ? [] : [{ postings, weight: weight * postings.rarity }]
  })
}

/** The words of names that hold this one and at least three letters more. */
function longerThan(term: string, { inNames }: Index): string[] {
  if (term.length < 3) return []
  return inNames.filter(
    name =>
      name.length >= term.length + 3 && (name.startsWith(term) || (term.length > 3 && name.endsWith(term))),
  )
}
