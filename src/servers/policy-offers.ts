import type { OfferedTool, Offers, Target } from '../access/index.ts'
import { isObject } from '../foundation/json.ts'
import type { Item } from './composition.ts'
import { type Addressed, isComposed } from './served.ts'

const parsed = new WeakMap<Item, unknown>()

function inputSchemaOf(item: Item): unknown {
  if (!parsed.has(item)) {
    const definition: unknown = JSON.parse(item.definition)
    parsed.set(item, isObject(definition) ? definition.inputSchema : undefined)
  }
  return parsed.get(item)
}

/** What policies are checked against: the servers behind the gateway and the virtual ones, these with their tools as callers see them. */
export function offersWithVirtual(
  behind: Offers,
  virtual: {
    find(group: string, name: string): Addressed | undefined
    /** All there are, also those that were never published. */
    list(): Iterable<{ readonly group: string; readonly name: string }>
  },
): Offers {
  return {
    servers: () => [
      ...behind.servers(),
      ...[...virtual.list()].map(({ group, name }) => ({
        ...{ group, server: name },
        tools: toolsOf(virtual.find(group, name)),
      })),
    ],
    inputSchema: target => behind.inputSchema(target) ?? schemaOfItem(virtual.find, target),
  }
}

function toolsOf(served: Addressed | undefined): OfferedTool[] | undefined {
  if (served === undefined || !isComposed(served)) return undefined
  const tools = served.composition().of('tool')
  return tools.map(item => ({ name: item.name, inputSchema: inputSchemaOf(item) }))
}

function schemaOfItem(
  find: (group: string, name: string) => Addressed | undefined,
  { group, server, tool }: Target,
): unknown {
  const served = tool && find(group, server)
  if (served === undefined || !isComposed(served)) return undefined
  const item = served.composition().find('tool', tool?.name ?? '')
  return item && inputSchemaOf(item)
}
