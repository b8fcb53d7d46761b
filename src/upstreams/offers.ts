import type { Offers } from '../access/index.ts'
import type { Catalogue } from './catalogue.ts'
import type { CatalogueItem } from './read-catalogue.ts'
import type { Register } from './register.ts'

const parsed = new WeakMap<CatalogueItem, unknown>()

function inputSchemaOf(item: CatalogueItem): unknown {
  if (!parsed.has(item)) parsed.set(item, JSON.parse(item.definition).inputSchema)
  return parsed.get(item)
}

/** What policies are checked against: the servers there are, and what their tools take as the catalogue last read it. */
export function offersOf(parts: {
  readonly register: Pick<Register, 'list' | 'find'>
  readonly catalogue: Pick<Catalogue, 'items' | 'facts'>
}): Offers {
  const { register, catalogue } = parts
  return {
    servers: () =>
      [...register.list()].map(({ id, group, name: server }) => {
        const tools = catalogue.items(id).filter(({ kind }) => kind === 'tool')
        const offered = tools.map(item => ({ name: item.name, inputSchema: inputSchemaOf(item) }))
        return { group, server, tools: catalogue.facts(id) === undefined ? undefined : offered }
      }),
    inputSchema({ group, server, tool }) {
      const upstream = tool && register.find(group, server)
      const items = upstream === undefined ? [] : catalogue.items(upstream.id)
      const item = items.find(({ kind, name }) => kind === 'tool' && name === tool?.name)
      return item && inputSchemaOf(item)
    },
  }
}
