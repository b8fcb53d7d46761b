/** What a change of a virtual server means for those who call it: names that appear, vanish, or are defined otherwise. */
import { isObject, type JsonObject } from '../foundation/json.ts'
import { visibly } from '../foundation/visible.ts'
import { type DefinitionChange, diffDefinitions, type ItemKind } from '../upstreams/index.ts'
import type { Composition, Item } from './composition.ts'

export type CallerChange = {
  readonly kind: ItemKind
  /** What callers say from then on; for what vanishes, what they said. */
  readonly name: string
  readonly effect: 'appears' | 'vanishes' | 'renamed' | 'changed'
  /** What a renamed thing was called. */
  readonly was?: string
  readonly sentence: string
  readonly changes: readonly DefinitionChange[]
}

export function diffCallers(from: Composition, to: Composition): CallerChange[] {
  return (['tool', 'resource', 'template', 'prompt'] as const).flatMap(kind => {
    const before = new Map(from.of(kind).map(item => [item.name, item]))
    const after = new Map(to.of(kind).map(item => [item.name, item]))
    const gone = [...before.values()].filter(({ name }) => !after.has(name))
    const moved = new Map(gone.map(item => [originOf(item), item]))
    const renamed = new Set<Item>()
    const there = [...after.values()].flatMap(item => {
      const was = before.get(item.name)
      if (was !== undefined) return changed(was, item)
      const old = moved.get(originOf(item))
      if (old === undefined) return [plain(item, 'appears')]
      renamed.add(old)
      return [renamedTo(old, item)]
    })
    const vanished = gone.filter(item => !renamed.has(item)).map(item => plain(item, 'vanishes'))
    return [...there, ...vanished].sort((a, b) => (a.name < b.name ? -1 : 1))
  })
}

function originOf({ source, own }: Item): string {
  return `${source.id} ${own}`
}

function plain(item: Item, effect: 'appears' | 'vanishes'): CallerChange {
  const { kind, name } = item
  return { kind, name, effect, sentence: `${called(item)} ${effect}.`, changes: [] }
}

function renamedTo(old: Item, { kind, name, ...item }: Item): CallerChange {
  const sentence = `${called(old)} is called ${shown(name)}.`
  return { kind, name, effect: 'renamed', was: old.name, sentence, changes: changesOf(old, item) }
}

function changed(before: Item, after: Item): CallerChange[] {
  const { kind, name, source } = after
  const isMoved = before.source.id !== source.id || before.own !== after.own
  const changes = changesOf(before, after)
  if (!isMoved && changes.length === 0) return []
  const origin = `${shown(after.own)} of ${source.group}/${source.name}`
  const sentence = isMoved ? `${called(after)} is now ${origin}.` : `${called(after)} is defined otherwise.`
  return [{ kind, name, effect: 'changed', sentence, changes }]
}

function changesOf(before: Pick<Item, 'definition'>, after: Pick<Item, 'definition'>): DefinitionChange[] {
  return diffDefinitions(nameless(before), nameless(after))
}

// Names are told of by themselves.
function nameless({ definition }: Pick<Item, 'definition'>): JsonObject {
  const parsed: unknown = JSON.parse(definition)
  if (!isObject(parsed)) return {}
  const { name: _, ...rest } = parsed
  return rest
}

const words: Readonly<Record<ItemKind, string>> = {
  tool: 'tool',
  resource: 'resource',
  template: 'resource template',
  prompt: 'prompt',
}

function called({ kind, name }: Item): string {
  return `The ${words[kind]} ${shown(name)}`
}

function shown(name: string): string {
  const text = visibly(name)
  return text.length > 80 ? `${text.slice(0, 79)}…` : text
}
