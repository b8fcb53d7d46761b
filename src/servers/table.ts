import type { Kysely, Transaction } from 'kysely'
import type { Tables } from '../database/index.ts'
import { type Definition, definitionSchema } from './definition.ts'

/** A definition as it was published, and the names that things got by it. */
export type Publication = {
  readonly number: number
  readonly definition: Definition
  readonly settled: ReadonlyMap<string, string>
  readonly by: string
  readonly at: number
}

/** A virtual server as it is stored. */
export type StoredVirtual = {
  readonly id: string
  readonly group: string
  readonly name: string
  readonly description: string
  readonly version: number
  /** What is served; undefined before the first publication. */
  readonly published: Publication | undefined
  readonly draft: Definition | undefined
}

type Reader = Kysely<Tables>
type Writer = Transaction<Tables>
export type Place = { readonly group: string; readonly name: string }

/** All of them, in order of group and name, each with what it serves. */
export async function readVirtuals(database: Reader): Promise<StoredVirtual[]> {
  const rows = await database
    .selectFrom('virtual_servers')
    .innerJoin('server_groups', 'server_groups.id', 'virtual_servers.group_id')
    .leftJoin('publications', join =>
      join
        .onRef('publications.server_id', '=', 'virtual_servers.id')
        .onRef('publications.number', '=', 'virtual_servers.published'),
    )
    .select(['virtual_servers.id', 'virtual_servers.name', 'virtual_servers.description'])
    .select(['virtual_servers.version', 'virtual_servers.draft_json', 'server_groups.name as group'])
    .select(['number', 'definition_json', 'settled_json', 'published_by', 'published_at'])
    .orderBy('server_groups.name')
    .orderBy('virtual_servers.name')
    .execute()
  return rows.map(({ id, group, name, description, version, draft_json, ...publication }) => ({
    id,
    group,
    name,
    description,
    version,
    published: isPublication(publication) ? asPublication(publication) : undefined,
    draft: draft_json === null ? undefined : definitionSchema.parse(JSON.parse(draft_json)),
  }))
}

export async function readVirtual(
  database: Reader,
  { group, name }: Place,
): Promise<StoredVirtual | undefined> {
  return (await readVirtuals(database)).find(each => each.group === group && each.name === name)
}

/** Every publication of a virtual server, the latest first. */
export async function readPublications(database: Reader, serverId: string): Promise<Publication[]> {
  const rows = await database
    .selectFrom('publications')
    .selectAll()
    .where('server_id', '=', serverId)
    .orderBy('number', 'desc')
    .execute()
  return rows.map(asPublication)
}

/** Throws where there is no such group; look first. */
export async function insertVirtual(
  tx: Writer,
  { id, group, name, description, draft }: Omit<StoredVirtual, 'version' | 'published'>,
): Promise<void> {
  const now = Date.now()
  await tx
    .insertInto('virtual_servers')
    .values(from => ({
      id,
      group_id: from.selectFrom('server_groups').select('id').where('name', '=', group),
      name,
      description,
      version: 1,
      published: null,
      draft_json: draft === undefined ? null : JSON.stringify(draft),
      created_at: now,
      updated_at: now,
    }))
    .execute()
}

export async function updateVirtual(
  tx: Writer,
  id: string,
  changes: { description?: string; draft?: Definition | undefined; published?: number },
): Promise<void> {
  const { description, published } = changes
  await tx
    .updateTable('virtual_servers')
    .set(from => ({
      version: from('version', '+', 1),
      updated_at: Date.now(),
      ...(description !== undefined && { description }),
      ...(published !== undefined && { published }),
      ...('draft' in changes && {
        draft_json: changes.draft === undefined ? null : JSON.stringify(changes.draft),
      }),
    }))
    .where('id', '=', id)
    .execute()
}

export async function insertPublication(
  tx: Writer,
  serverId: string,
  { number, definition, settled, by, at }: Publication,
): Promise<void> {
  await tx
    .insertInto('publications')
    .values({
      server_id: serverId,
      number,
      definition_json: JSON.stringify(definition),
      settled_json: JSON.stringify(Object.fromEntries(settled)),
      published_by: by,
      published_at: at,
    })
    .execute()
}

/** Its publications go with it. */
export async function deleteVirtual(tx: Writer, id: string): Promise<void> {
  await tx.deleteFrom('virtual_servers').where('id', '=', id).execute()
}

type PublicationRow = {
  number: number
  definition_json: string
  settled_json: string
  published_by: string
  published_at: number
}

function isPublication(
  row: { [Key in keyof PublicationRow]: PublicationRow[Key] | null },
): row is PublicationRow {
  return row.number !== null
}

function asPublication(row: PublicationRow): Publication {
  const { number, definition_json, settled_json, published_by: by, published_at: at } = row
  const settled: Record<string, string> = JSON.parse(settled_json)
  return {
    number,
    definition: definitionSchema.parse(JSON.parse(definition_json)),
    settled: new Map(Object.entries(settled)),
    by,
    at,
  }
}
