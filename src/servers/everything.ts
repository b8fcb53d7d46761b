/** All that one caller may use, as one server. Its names are of what the caller sees, so that they tell nothing of what they do not. */
import type { Access, Action, Target } from '../access/index.ts'
import type { Caller } from '../foundation/route.ts'
import { type Catalogue, type ItemKind, targetTool, type Upstream } from '../upstreams/index.ts'
import { Composition, type Home, type Item, type Missing } from './composition.ts'
import { nameAll } from './names.ts'
import { reshaped } from './reshape.ts'

export type Part = {
  /** `group/server`: a server of the gateway, real or virtual. */
  readonly place: string
  readonly items: readonly Item[]
  readonly missing: readonly Missing[]
}

const actions: Readonly<Record<ItemKind, Action>> = {
  tool: 'tool.call',
  resource: 'resource.read',
  template: 'resource.read',
  prompt: 'prompt.get',
}

export type MayParts = { readonly access: Pick<Access, 'clear'>; readonly catalogue: Pick<Catalogue, 'tool'> }

/** May the caller use the thing, and so see it? Held tools are nobody's. */
export function mayUseItem({ access, catalogue }: MayParts, caller: Caller, item: Item): boolean {
  if (item.kind === 'tool' && catalogue.tool(item.source.id, item.own)?.held !== undefined) return false
  return access.clear(caller, actions[item.kind], targetOfItem(catalogue, item)).allowed
}

/** What is decided about: the thing where it was granted, and what that has it from. `uri` is the one of a template that is meant. */
export function targetOfItem(catalogue: Pick<Catalogue, 'tool'>, item: Item, uri?: string): Target {
  const { kind, home, source, own, homeName } = item
  const tool = kind === 'tool' ? targetTool(source, own, catalogue.tool(source.id, own)) : undefined
  const at = ({ group, name: server, policy }: Home, name: string) => ({
    ...{ group, server, policy },
    ...(tool === undefined ? { subject: uri ?? name } : { tool: { ...tool, name } }),
  })
  const target = at(home, homeName)
  const isOwn = home.group === source.group && home.name === source.name
  return isOwn ? target : { ...target, source: at(source, own) }
}

/** Puts the parts of a caller together. */
export function composeEverything(parts: readonly Part[], may: (item: Item) => boolean): Composition {
  const allowed = parts.flatMap(({ place, items }) => items.filter(may).map(item => ({ place, item })))
  const direct = new Set(allowed.filter(isDirect).map(({ item }) => sameOf(item)))
  // What a virtual server has as its source has it, and the caller has from that as well, is there once.
  const things = allowed
    .filter(each => isDirect(each) || !isPlain(each.item) || !direct.has(sameOf(each.item)))
    .map(({ place, item }) => ({ from: place, own: item.name, alias: undefined, item }))
  const items: Item[] = []
  const missing = parts.flatMap(part => part.missing)
  for (const kind of ['tool', 'resource', 'template', 'prompt'] as const) {
    const ofKind = things.filter(({ item }) => item.kind === kind)
    const named = kind === 'tool' || kind === 'prompt' ? nameAll(ofKind) : byUri(ofKind)
    for (const [name, { item }] of named.byName) items.push({ ...item, ...look(item, name) })
    for (const { name, of } of named.clashes)
      missing.push({
        server: of.join(', '),
        why: `They all have ${JSON.stringify(name.slice(0, 200))}, so nobody can tell which is meant.`,
        reason: 'clash',
      })
  }
  return new Composition(items, [...new Set(items.map(({ source }) => source))], missing)
}

type Thing = { readonly from: string; readonly own: string; readonly alias: undefined; readonly item: Item }

function look(item: Item, name: string): Pick<Item, 'name' | 'definition'> {
  return {
    name,
    definition: name === item.name ? item.definition : reshaped(item.definition, item.name, { name }),
  }
}

function byUri(things: readonly Thing[]) {
  const groups = [...Map.groupBy(things, ({ own }) => own)]
  return {
    byName: new Map(
      groups.flatMap(([name, [first, ...more]]) =>
        first && more.length === 0 ? [[name, first] as const] : [],
      ),
    ),
    clashes: groups
      .filter(([, of]) => of.length > 1)
      .map(([name, of]) => ({ name, of: of.map(({ from }) => from) })),
  }
}

function isDirect({ place, item }: { readonly place: string; readonly item: Item }): boolean {
  return place === `${item.source.group}/${item.source.name}`
}

function isPlain({ name, own, arguments: rules }: Item): boolean {
  return name === own && rules === undefined
}

function sameOf({ kind, source, own }: Item): string {
  return `${kind} ${source.id} ${own}`
}

/** The items of a real server as they are. */
export function itemsOf(upstream: Upstream, catalogue: Pick<Catalogue, 'items'>): Item[] {
  const { group, name: server, policy } = upstream
  return catalogue.items(upstream.id).map(({ kind, name, definition }) => ({
    kind,
    name,
    definition: kind === 'tool' || kind === 'prompt' ? reshaped(definition, name, { name }) : definition,
    source: upstream,
    own: name,
    home: { group, name: server, policy },
    homeName: name,
    arguments: undefined,
  }))
}
