/** Servers that the gateway makes out of others, and what is behind them. */
import type { Access } from '../access/index.ts'
import type { Announcements } from '../foundation/announcements.ts'
import type { Caller } from '../foundation/route.ts'
import {
  type Catalogue,
  definitionHash,
  type Register,
  type Upstream,
  type UsableTool,
} from '../upstreams/index.ts'
import { composeNow } from './changes.ts'
import { Composition } from './composition.ts'
import { composeEverything, itemsOf, mayUseItem, type Part } from './everything.ts'
import type { OfferParts } from './offers.ts'
import { anyTool, type ComposedServer, everythingId, type Served } from './served.ts'
import type { StoredVirtual } from './table.ts'

/** What is needed to serve what is behind others. */
export type ServeParts = OfferParts & {
  readonly access: Pick<Access, 'clear'>
  readonly register: Pick<Register, 'find' | 'list'>
  readonly catalogue: Pick<Catalogue, 'items' | 'tool' | 'trouble' | 'facts'>
}

const empty = new Composition([], [], [])

export type Look = (make: () => Composition) => Pick<ComposedServer, 'composition' | 'unread'>

/** Compositions are made when they are asked for, and again once something is announced that they may be made of. */
export function openLook({ catalogue }: Pick<ServeParts, 'catalogue'>, announcements?: Announcements): Look {
  let age = 0
  for (const topic of ['upstream.changed', 'catalogue.read', 'access.changed'] as const)
    announcements?.listen(topic, () => void age++)
  return make => {
    let made: { readonly composition: Composition; readonly age: number } | undefined
    const composition = () => {
      if (made?.age !== age) made = { composition: make(), age }
      return made.composition
    }
    const unread = () => composition().sources.filter(({ id }) => catalogue.facts(id) === undefined)
    return { composition, unread }
  }
}

export function serve(parts: ServeParts, look: Look, virtual: StoredVirtual): ComposedServer {
  const { id, group, name, description, version, published } = virtual
  const definition = published?.definition
  const compose = () => (definition ? composeNow(parts, virtual, definition).composition : empty)
  return {
    ...{ id, group, name, description, version, policy: anyTool },
    instructions: definition?.instructions,
    ...look(compose),
  }
}

const everythingSays =
  'The tools of several servers stand here under one address. Where search_tools is among them, there are more than are listed: search for what you want to do, then call what fits with call_tool.'

type Reach = { readonly caller: Caller; virtuals(): Iterable<ComposedServer> }

export function everythingOf(parts: ServeParts, look: Look, { caller, virtuals }: Reach): ComposedServer {
  const { access, register, catalogue } = parts
  const mayUse = ({ group, name, policy }: Served) =>
    access.clear(caller, 'server.use', { group, server: name, policy }).allowed
  const real = () => [...register.list()].filter(mayUse)
  const made = look(() => {
    const virtual = [...virtuals()].filter(mayUse)
    const all = [...real().map(upstream => partOf(parts, upstream)), ...virtual.map(partOfVirtual)]
    return composeEverything(all, item => mayUseItem(parts, caller, item))
  })
  const unread = () => real().filter(({ id }) => catalogue.facts(id) === undefined)
  return {
    ...{ id: everythingId, group: '', name: '', description: '', version: 1, policy: anyTool },
    instructions: everythingSays,
    composition: made.composition,
    unread,
  }
}

export function usableTools(parts: ServeParts, caller: Caller, server: ComposedServer): UsableTool[] {
  const items = server.composition().of('tool')
  return items
    .filter(item => mayUseItem(parts, caller, item))
    .map(({ name, definition: text }) => {
      const definition: unknown = JSON.parse(text)
      const hash = definitionHash(text, definition)
      return { server: `${server.group}/${server.name}`, name, hash, definition }
    })
}

function partOf({ catalogue }: ServeParts, upstream: Upstream): Part {
  const place = `${upstream.group}/${upstream.name}`
  const trouble = catalogue.trouble(upstream.id)
  return {
    place,
    items: itemsOf(upstream, catalogue),
    missing: trouble === undefined ? [] : [{ server: place, why: trouble, reason: 'trouble' }],
  }
}

function partOfVirtual({ group, name, composition }: ComposedServer): Part {
  return { place: `${group}/${name}`, items: composition().items, missing: [] }
}
