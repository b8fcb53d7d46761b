/** One difference between two definitions of a tool, and how it is said. */
import { z } from 'zod'
import type { JsonObject } from '../foundation/json.ts'
import { visibly } from '../foundation/visible.ts'

export type ChangeKind =
  | 'description'
  | 'title'
  | 'argument-added'
  | 'argument-removed'
  | 'type'
  | 'enum'
  | 'required'
  | 'default'
  | 'output-schema'
  | 'annotations'
  | 'execution'
  | 'icons'
  | 'ui'
  | 'other'

export type DefinitionChange = {
  readonly kind: ChangeKind
  /** Where it is in the definition, as in `inputSchema.properties.path.type`. */
  readonly path: string
  readonly from?: unknown
  readonly to?: unknown
  /** Whoever used the tool as it was can go on, and what was said of it still stands. */
  readonly additive: boolean
  readonly sentence: string
}

/** The same, as answers of the API have it. */
export const definitionChange = z.object({
  kind: z.string(),
  path: z.string(),
  from: z.unknown().optional(),
  to: z.unknown().optional(),
  additive: z.boolean(),
  sentence: z.string(),
})

/** The two sides at one place; undefined where there is nothing. */
export type Sides = { readonly path: string; readonly from: unknown; readonly to: unknown }

type Both = { readonly from: JsonObject; readonly to: JsonObject }

/** Every member that either of two objects has, in order of name. */
export function sidesOf({ from, to }: Both, path = ''): { key: string; sides: Sides }[] {
  const keys = [...new Set([...Object.keys(from), ...Object.keys(to)])].sort()
  return keys.map(key => ({
    key,
    sides: { path: path === '' ? key : `${path}.${key}`, from: own(from, key), to: own(to, key) },
  }))
}

// What every object inherits is no member of it.
function own(object: JsonObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined
}

export function changeOf(
  kind: ChangeKind,
  { path, from, to }: Sides,
  { additive, sentence }: Pick<DefinitionChange, 'additive' | 'sentence'>,
): DefinitionChange {
  return {
    kind,
    path,
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
    additive,
    sentence,
  }
}

/** A name that a server chose, as a person may safely read it. */
export function named(name: string): string {
  const shown = visibly(name)
  return `\`${shown.length > 80 ? `${shown.slice(0, 79)}…` : shown}\``
}

/** What happened to something that is there or not. */
export function verb(from: unknown, to: unknown): 'was added' | 'was removed' | 'changed' {
  if (from === undefined) return 'was added'
  return to === undefined ? 'was removed' : 'changed'
}
