/** What of a composed server is one caller's: found once, for as long as the composition and the caller stay the same. */
import { createHash } from 'node:crypto'
import type { JsonObject } from '../foundation/json.ts'
import type { Principal } from '../identity/index.ts'
import {
  type ComposedServer,
  type Composition,
  estimateTokens,
  type Item,
  mayUseItem,
  openSearch,
  type Search,
  type SearchedTool,
} from '../servers/index.ts'
import type { ClearParts } from './clear.ts'

export class Offered {
  /** By the names that the caller has for them. */
  readonly tools: ReadonlyMap<string, Item>
  /** About what a model would read for all their definitions. */
  readonly tokens: number
  #key: string | undefined

  constructor(tools: readonly Item[]) {
    this.tools = new Map(tools.map(item => [item.name, item]))
    this.tokens = estimateTokens(tools.reduce((bytes, { definition }) => bytes + definition.length, 0))
  }

  definition(name: string): JsonObject | undefined {
    const item = this.tools.get(name)
    return item && parsed(item)
  }

  /** An index over all of them. */
  search(): Search {
    this.#key ??= keyOf(this.tools.values())
    return searchOf(this.#key, this.tools)
  }
}

/** An index takes time to make and room to keep: callers who may use the same share one, and those asked last are kept. */
const indexes = new Map<string, { readonly search: Search; readonly tools: number }>()
const mostIndexedTools = 50_000

function searchOf(key: string, tools: ReadonlyMap<string, Item>): Search {
  const known = indexes.get(key)
  const made = known ?? { search: openSearch([...tools.values()].map(searched)), tools: tools.size }
  indexes.delete(key)
  indexes.set(key, made)
  let indexed = [...indexes.values()].reduce((sum, index) => sum + index.tools, 0)
  for (const [oldest, index] of indexes) {
    if (indexed <= mostIndexedTools || oldest === key) break
    indexes.delete(oldest)
    indexed -= index.tools
  }
  return made.search
}

function searched(item: Item): SearchedTool {
  return { name: item.name, definition: parsed(item), server: item.home.name }
}

function keyOf(tools: Iterable<Item>): string {
  const sum = createHash('sha256')
  for (const { name, home, definition } of tools)
    sum.update(`${JSON.stringify([name, home.name, definition.length])}${definition}`)
  return sum.digest('base64')
}

const all = new WeakMap<Composition, WeakMap<Principal, Offered>>()

export function offered(
  parts: Pick<ClearParts, 'access' | 'catalogue'>,
  { principal, upstream }: { readonly principal: Principal; readonly upstream: ComposedServer },
): Offered {
  const composition = upstream.composition()
  const callers = all.get(composition) ?? new WeakMap<Principal, Offered>()
  all.set(composition, callers)
  const known = callers.get(principal)
  if (known !== undefined) return known
  const made = new Offered(composition.of('tool').filter(item => mayUseItem(parts, principal, item)))
  callers.set(principal, made)
  return made
}

function parsed({ definition }: Item): JsonObject {
  return JSON.parse(definition)
}
