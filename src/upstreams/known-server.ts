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
  /** Milliseconds that the last reading took; endless when it failed. */
  took: number
  /** When it was last found to speak something else than was thought. */
  mistakenAt: number
  /** When it was last read because a call did not fit what it was thought to be. */
  rereadAt: number
  /** It said that it changed, and is read as soon as it had its rest. */
  isDue: boolean
}

/** A server that says all the time that it changed is read for no more than a tenth of the time, as long as that is not too seldom. */
const restShare = 10
const shortestRestMs = 250
const longestRestMs = 2000

/** Reads it once it had its rest and nobody else reads it; what is said until then is about the same reading. */
export function afterRest(known: Known, rested: number, read: () => void): void {
  if (known.isDue) return
  known.isDue = true
  const milliseconds = Math.min(longestRestMs, Math.max(shortestRestMs, restShare * known.took)) - rested
  const begin = async () => {
    await known.syncing?.catch(() => undefined)
    known.isDue = false
    read()
  }
  if (milliseconds <= 0) void begin()
  else setTimeout(() => void begin(), milliseconds).unref()
}

export const unread = ({ catalogueItems }: CatalogueLimits): Known => ({
  facts: undefined,
  items: [],
  tools: new Map(),
  observed: new ObservedTools(catalogueItems),
  syncing: undefined,
  trouble: undefined,
  triedAt: Number.NEGATIVE_INFINITY,
  took: 0,
  mistakenAt: Number.NEGATIVE_INFINITY,
  rereadAt: Number.NEGATIVE_INFINITY,
  isDue: false,
})

/** How soon an era is asked about again whose question stayed open. */
export const openEraMilliseconds = 60_000
/** How soon one is tried again that could be read before and cannot be now. */
const troubleMilliseconds = 15_000

type Times = {
  readonly now: number
  /** Since it was last tried. */
  readonly rested: number
  /** At which a reading is old. */
  readonly age: number
}

/** Is it time to read the server again, although nothing was heard of it? */
export function isWorthReading({ facts, trouble }: Known, { now, rested, age }: Times): boolean {
  const { checkedAt = 0, erasUntil = 0 } = facts ?? {}
  if (checkedAt < now - age && rested > age) return true
  if (facts === undefined) return false
  return (
    (trouble !== undefined && rested > troubleMilliseconds) ||
    (erasUntil < now && rested > openEraMilliseconds)
  )
}
