import type { JsonObject } from '../foundation/json.ts'

/** Extensions that are data and no methods, and so mean the same in either era. */
const dataOnly = new Set(['io.modelcontextprotocol/ui'])

/** What may be said of extensions to the other era; undefined when nothing is left. */
export function acrossEras(extensions: JsonObject): JsonObject | undefined {
  const kept = Object.entries(extensions).filter(([name]) => dataOnly.has(name))
  return kept.length === 0 ? undefined : Object.fromEntries(kept)
}
