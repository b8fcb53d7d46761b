import { Catalogue, type CatalogueParts } from './catalogue.ts'
import { readFacts, readItems } from './catalogue-table.ts'
import { type Known, unread } from './known-server.ts'
import { openPins } from './pins.ts'
import { toolsOf } from './tool-facts.ts'
import { ToolWatch } from './tool-watch.ts'

/** Opens the catalogue with what was read before, so that a start needs no upstream. */
export async function openCatalogue(parts: CatalogueParts): Promise<Catalogue> {
  const { database, register, clock, limits } = parts
  const servers = new Map<string, Known>()
  for (const facts of await readFacts(database.kysely))
    servers.set(facts.serverId, { ...unread(limits), facts })
  for (const { serverId, ...item } of await readItems(database.kysely)) {
    const known = servers.get(serverId)
    if (known) known.items = [...known.items, item]
  }
  const pins = await openPins(parts)
  const watch = new ToolWatch({ pins, clock, mostTools: limits.catalogueItems })
  for (const [serverId, known] of servers) {
    known.tools = toolsOf(known.items)
    watch.remember(serverId, known.items)
  }
  await watch.begin(register.list(), serverId => servers.get(serverId)?.items ?? [])
  return new Catalogue({ ...parts, pins, watch }, servers)
}
