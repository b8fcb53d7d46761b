import type { Kysely } from 'kysely'
import type { Database, Tables } from '../database/index.ts'
import type { CatalogueItem } from './read-catalogue.ts'
import type { Era } from './upstream.ts'

export type ServerFacts = {
  readonly serverId: string
  readonly eras: readonly Era[]
  /** Until when `eras` holds without being asked again. */
  readonly erasUntil: number
  readonly checkedAt: number
  readonly warnings: readonly string[]
  readonly serverName: string
}

/** Replaces what is known of a server by what was just read. */
export async function storeReading(
  database: Database,
  facts: ServerFacts,
  items: readonly CatalogueItem[],
): Promise<void> {
  await database.kysely.transaction().execute(async tx => {
    const known = await tx
      .selectFrom('servers')
      .select('id')
      .where('id', '=', facts.serverId)
      .executeTakeFirst()
    if (known === undefined) return
    await tx.deleteFrom('catalogue_items').where('server_id', '=', facts.serverId).execute()
    await tx.deleteFrom('server_facts').where('server_id', '=', facts.serverId).execute()
    await tx
      .insertInto('server_facts')
      .values({
        server_id: facts.serverId,
        eras_json: JSON.stringify(facts.eras),
        checked_at: facts.checkedAt,
        problem_json: null,
        facts_json: JSON.stringify({
          warnings: facts.warnings,
          serverName: facts.serverName,
          erasUntil: facts.erasUntil,
        }),
      })
      .execute()
    const rows = items.map((item, position) => ({
      server_id: facts.serverId,
      ...item,
      position,
      seen_at: facts.checkedAt,
    }))
    for (let at = 0; at < rows.length; at += 100)
      await tx
        .insertInto('catalogue_items')
        .values(rows.slice(at, at + 100))
        .execute()
  })
}

export async function readFacts(database: Kysely<Tables>): Promise<ServerFacts[]> {
  const rows = await database.selectFrom('server_facts').selectAll().execute()
  return rows.map(row => {
    const { warnings, serverName, erasUntil = 0 } = JSON.parse(row.facts_json)
    return {
      serverId: row.server_id,
      eras: JSON.parse(row.eras_json),
      erasUntil,
      checkedAt: row.checked_at,
      warnings,
      serverName,
    }
  })
}

export async function readItems(database: Kysely<Tables>): Promise<(CatalogueItem & { serverId: string })[]> {
  const rows = await database
    .selectFrom('catalogue_items')
    .selectAll()
    .orderBy('server_id')
    .orderBy('position')
    .execute()
  return rows.map(({ server_id: serverId, kind, name, definition, hash }) => ({
    serverId,
    kind,
    name,
    definition,
    hash,
  }))
}

/** The tools that a server had when it was last read, by name. */
export async function readTools(
  database: Kysely<Tables>,
  serverId: string,
): Promise<Map<string, { hash: string; text: string }>> {
  const rows = await database
    .selectFrom('catalogue_items')
    .select(['name', 'definition', 'hash'])
    .where('server_id', '=', serverId)
    .where('kind', '=', 'tool')
    .execute()
  return new Map(rows.map(({ name, definition: text, hash }) => [name, { hash, text }]))
}
