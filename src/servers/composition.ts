/** What stands behind one address that has several servers behind it: every thing by the name that callers have for it. */
import type { ToolPolicy } from '../access/index.ts'
import type { ItemKind, Upstream } from '../upstreams/index.ts'
import type { ArgumentRules } from './definition.ts'
import { isExpansion } from './uri-template.ts'

/** Where a thing is decided about: the server that it was granted with. */
export type Home = { readonly group: string; readonly name: string; readonly policy: ToolPolicy }

export type Item = {
  readonly kind: ItemKind
  /** What callers say: a name, a URI or a URI template. */
  readonly name: string
  /** The definition as callers see it, as JSON. */
  readonly definition: string
  readonly source: Upstream
  /** What the source calls it. */
  readonly own: string
  readonly home: Home
  /** What it is called where it is decided about. */
  readonly homeName: string
  readonly arguments: ArgumentRules | undefined
}

export type Missing = {
  /** `group/server`. */
  readonly server: string
  readonly why: string
  /** gone: there is no such server. trouble: it could not be read, or not lately. clash: several things have one name, so none has it. */
  readonly reason: 'gone' | 'trouble' | 'clash'
}

export class Composition {
  readonly items: readonly Item[]
  /** The servers behind it, each once. */
  readonly sources: readonly Upstream[]
  /** What is not there, and why. */
  readonly missing: readonly Missing[]
  readonly #byName: ReadonlyMap<string, Item>
  readonly #templates: readonly Item[]

  constructor(items: readonly Item[], sources: readonly Upstream[], missing: readonly Missing[]) {
    this.items = items
    this.sources = sources
    this.missing = missing
    this.#byName = new Map(items.map(item => [keyOf(item.kind, item.name), item]))
    this.#templates = items.filter(({ kind }) => kind === 'template')
  }

  find(kind: ItemKind, name: string): Item | undefined {
    return this.#byName.get(keyOf(kind, name))
  }

  /** What a URI is of: a resource that is listed, or one of a template; undefined for every other, and where two servers could be meant. */
  resource(uri: string): Item | undefined {
    const listed = this.find('resource', uri)
    if (listed !== undefined) return listed
    const fitting = this.#templates.filter(({ name }) => isExpansion(name, uri))
    const [first] = fitting
    return fitting.every(({ source }) => source === first?.source) ? first : undefined
  }

  of(kind: ItemKind): Item[] {
    return this.items.filter(item => item.kind === kind)
  }
}

function keyOf(kind: ItemKind, name: string): string {
  return `${kind} ${name}`
}
