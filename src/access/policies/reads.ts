/** What the conditions of a statement read, from its JSON form. */
import { isObject } from '../../foundation/json.ts'
import type { PolicyJson, TypeAndId } from './cedar.ts'

export type Reads = {
  readonly action: boolean
  readonly resource: boolean
  /** Paths below `context`, such as `arguments.path`; an empty one where it is read as a whole. */
  readonly context: readonly (readonly string[])[]
  /** Entities that stand in the conditions. */
  readonly entities: readonly TypeAndId[]
}

type Found = { action: boolean; resource: boolean; context: string[][]; entities: TypeAndId[] }

export function readsOf({ conditions }: Pick<PolicyJson, 'conditions'>): Reads {
  const found: Found = { action: false, resource: false, context: [], entities: [] }
  for (const { body } of conditions) walk(body, found)
  return found
}

/** First names below `context.arguments` that are read; `all` where they are read as a whole. */
export function argumentsRead({ context }: Pick<Reads, 'context'>): ReadonlySet<string> | 'all' {
  const names = new Set<string>()
  for (const [first, name] of context) {
    if (first !== undefined && first !== 'arguments') continue
    if (name === undefined) return 'all'
    names.add(name)
  }
  return names
}

function walk(node: unknown, found: Found): void {
  if (Array.isArray(node)) for (const each of node) walk(each, found)
  if (!isObject(node)) return
  const path = pathOf(node)
  if (path !== undefined) return note(path, found)
  if ('Value' in node) return noteEntities(node.Value, found)
  // Its keys are names that people chose.
  if (isObject(node.Record)) return walk(Object.values(node.Record), found)
  walk(Object.values(node), found)
}

function note([root, ...path]: readonly string[], found: Found): void {
  if (root === 'action') found.action = true
  if (root === 'resource') found.resource = true
  if (root === 'context') found.context.push(path)
}

/** `context.a.b` and `context.a has b` as what they are: the root and the names below it. */
function pathOf(node: unknown): string[] | undefined {
  if (!isObject(node)) return undefined
  if (typeof node.Var === 'string') return [node.Var]
  const step = node['.'] ?? node.has
  if (!isObject(step)) return undefined
  const left = pathOf(step.left)
  const names = Array.isArray(step.attr) ? step.attr.map(String) : [String(step.attr)]
  return left && [...left, ...names]
}

function noteEntities(value: unknown, found: Found): void {
  if (Array.isArray(value)) for (const each of value) noteEntities(each, found)
  if (!isObject(value)) return
  const { __entity: entity } = value
  if (isObject(entity)) found.entities.push({ type: String(entity.type), id: String(entity.id) })
  else noteEntities(Object.values(value), found)
}
