/** What the gateway goes by of a tool's definition. */
import { isObject } from '../foundation/json.ts'
import { type MirroredArgument, mirroredArguments } from './mirrored-arguments.ts'
import type { CatalogueItem } from './read-catalogue.ts'

export type ToolFacts = {
  /** As the server claims it. Claims are shown; they count where the tool policy says so. */
  readonly readOnly: boolean
  /** Claimed, too. */
  readonly idempotent?: boolean
  /** Which arguments are mirrored into headers; `invalid` when its schema says so wrongly. */
  readonly mirrored: readonly MirroredArgument[] | 'invalid'
  /** Why nobody may call it before a manager has looked at its definition; absent when it may be called. */
  readonly held?: string
}

export function toolFacts(definition: unknown): ToolFacts {
  const annotations = isObject(definition) && isObject(definition.annotations) ? definition.annotations : {}
  return {
    readOnly: annotations.readOnlyHint === true,
    idempotent: annotations.idempotentHint === true,
    mirrored: mirroredArguments(isObject(definition) ? definition.inputSchema : undefined),
  }
}

export function toolsOf(items: readonly CatalogueItem[]): Map<string, ToolFacts> {
  const tools = items.filter(({ kind }) => kind === 'tool')
  return new Map(tools.map(({ name, definition }) => [name, toolFacts(JSON.parse(definition))]))
}
