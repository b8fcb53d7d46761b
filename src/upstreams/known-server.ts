/** What is known of one server. */
import type { ServerFacts } from './catalogue-table.ts'
import { ObservedTools } from './observed-tools.ts'
import type { CatalogueItem, CatalogueLimits } from './read-catalogue.ts'
import type { ToolFacts } from './tool-facts.ts'

export type Synced = { readonly facts: ServerFacts; readonly items: readonly CatalogueItem[] }

export type Known = {
  facts: ServerFacts | undefined
  items: readonly CatalogueItem[]
  /** Tools of the gateway's own reading. */
  tools: ReadonlyMap<string, ToolFacts>
  /** Tools that were seen since, in lists on their way to clients; they are newer. */
  readonly observed: ObservedTools
  syncing: Promise<Synced> | undefined
  /** Why the last reading failed; undefined when it did not. */
  trouble: string | undefined
  triedAt: number
  /** When it was last found to speak something else than was thought. */
  mistakenAt: number
  /** When it was last read because a call did not fit what it was thought to be. */
  rereadAt: number
}

export const unread = ({ catalogueItems }: CatalogueLimits): Known => ({
  facts: undefined,
  items: [],
  tools: new Map(),
  observed: new ObservedTools(catalogueItems),
  syncing: undefined,
  trouble: undefined,
  triedAt: Number.NEGATIVE_INFINITY,
  mistakenAt: Number.NEGATIVE_INFINITY,
  rereadAt: Number.NEGATIVE_INFINITY,
})
