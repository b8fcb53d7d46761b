/** What of a composed server is one caller's: found once, for as long as the composition and the caller stay the same. */
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
} from '../servers/index.ts'
import type { ClearParts } from './clear.ts'

export class Offered {
  /** By the names that the caller has for them. */
  readonly tools: ReadonlyMap<string, Item>
  /** About what a model would read for all their definitions. */
  readonly tokens: number
  #search: Search | undefined

  constructor(tools: readonly Item[]) {
    this.tools = new Map(tools.map(item => [item.name, item]))
    this.tokens = estimateTokens(tools.reduce((bytes, { definition }) => bytes + definition.length, 0))
  }

  definition(name: string): JsonObject | undefined {
    const item = this.tools.get(name)
    return item && parsed(item)
  }

  /** An index over all of them takes a while, so it is made when it is first asked for. */
  get search(): Search {
    this.#search ??= openSearch(
      [...this.tools.values()].map(item => ({
        name: item.name,
        definition: parsed(item),
        server: item.home.name,
      })),
    )
    return this.#search
  }
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
