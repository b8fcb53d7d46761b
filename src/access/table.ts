import type { Kysely, Transaction } from 'kysely'
import type { Tables } from '../database/index.ts'
import { newId } from '../foundation/id.ts'
import type { Grant, ToolScope } from './decide.ts'
import { type GrantInput, grantSchema } from './scope.ts'

/** A server group with everything that is decided by. */
export type Group = {
  readonly id: string
  readonly name: string
  readonly description: string
  readonly managers: readonly string[]
  readonly grants: readonly Grant[]
}

type Reader = Kysely<Tables>
type Writer = Transaction<Tables>

/** All groups by name, each with its managers by name and its grants by age. */
export async function readGroups(database: Reader): Promise<Group[]> {
  const groups = await database.selectFrom('server_groups').selectAll().orderBy('name').execute()
  const managers = await database.selectFrom('group_managers').selectAll().orderBy('subject').execute()
  const grants = await database.selectFrom('grants').selectAll().orderBy('id').execute()
  const managersOf = Map.groupBy(managers, row => row.group_id)
  const grantsOf = Map.groupBy(grants, row => row.group_id)
  return groups.map(({ id, name, description }) => ({
    id,
    name,
    description,
    managers: (managersOf.get(id) ?? []).map(row => row.subject),
    grants: (grantsOf.get(id) ?? []).map(asGrant),
  }))
}

export async function readGroup(database: Reader, name: string): Promise<{ id: string } | undefined> {
  return database.selectFrom('server_groups').select('id').where('name', '=', name).executeTakeFirst()
}

export async function insertGroup(
  tx: Writer,
  { name, description }: Pick<Group, 'name' | 'description'>,
): Promise<string> {
  const id = newId()
  await tx.insertInto('server_groups').values({ id, name, description, created_at: Date.now() }).execute()
  return id
}

export async function describeGroup(tx: Writer, id: string, description: string): Promise<void> {
  await tx.updateTable('server_groups').set({ description }).where('id', '=', id).execute()
}

export async function deleteGroup(tx: Writer, id: string): Promise<void> {
  await tx.deleteFrom('server_groups').where('id', '=', id).execute()
}

export async function insertManager(tx: Writer, groupId: string, subject: string): Promise<void> {
  await tx
    .insertInto('group_managers')
    .values({ group_id: groupId, subject })
    .onConflict(conflict => conflict.doNothing())
    .execute()
}

export async function deleteManager(tx: Writer, groupId: string, subject: string): Promise<boolean> {
  const { numDeletedRows } = await tx
    .deleteFrom('group_managers')
    .where('group_id', '=', groupId)
    .where('subject', '=', subject)
    .executeTakeFirst()
  return numDeletedRows > 0n
}

export async function insertGrant(
  tx: Writer,
  groupId: string,
  grant: GrantInput,
  virtualServer?: string,
): Promise<Grant> {
  const id = newId()
  await tx
    .insertInto('grants')
    .values({
      id,
      group_id: groupId,
      subject: grant.subject,
      servers_json: grant.servers === undefined ? null : JSON.stringify(grant.servers),
      tools_json: grant.tools === undefined ? null : JSON.stringify(grant.tools),
      virtual_server: virtualServer ?? null,
      created_at: Date.now(),
    })
    .execute()
  return { id, subject: grant.subject, servers: grant.servers, tools: grant.tools ?? 'all' }
}

export async function deleteGrant(tx: Writer, groupId: string, id: string): Promise<boolean> {
  const { numDeletedRows } = await tx
    .deleteFrom('grants')
    .where('group_id', '=', groupId)
    .where('id', '=', id)
    .executeTakeFirst()
  return numDeletedRows > 0n
}

/** Takes a subject out of every group, as manager and from the grants. */
export async function deleteSubject(tx: Reader, subject: string): Promise<void> {
  await tx.deleteFrom('group_managers').where('subject', '=', subject).execute()
  await tx.deleteFrom('grants').where('subject', '=', subject).execute()
}

/** Gives what a subject has to another name of it. */
export async function renameSubject(tx: Reader, from: string, to: string): Promise<void> {
  const groups = await tx
    .selectFrom('group_managers')
    .select('group_id')
    .where('subject', '=', from)
    .execute()
  await tx.deleteFrom('group_managers').where('subject', '=', from).execute()
  for (const { group_id } of groups)
    await tx
      .insertInto('group_managers')
      .values({ group_id, subject: to })
      .onConflict(conflict => conflict.doNothing())
      .execute()
  await tx.updateTable('grants').set({ subject: to }).where('subject', '=', from).execute()
}

/** Takes a server out of the grants that name it. A grant that named nothing else goes: one that names no server would mean all of them. */
export async function deleteServerFromGrants(tx: Reader, group: string, server: string): Promise<void> {
  const rows = await tx
    .selectFrom('grants')
    .innerJoin('server_groups', 'server_groups.id', 'grants.group_id')
    .where('server_groups.name', '=', group)
    .where('servers_json', 'is not', null)
    .select(['grants.id', 'servers_json'])
    .execute()
  for (const { id, servers_json } of rows) {
    const named = storedServers.parse(JSON.parse(servers_json ?? 'null')) ?? []
    if (!named.includes(server)) continue
    const rest = named.filter(name => name !== server)
    if (rest.length === 0) await tx.deleteFrom('grants').where('id', '=', id).execute()
    else
      await tx
        .updateTable('grants')
        .set({ servers_json: JSON.stringify(rest) })
        .where('id', '=', id)
        .execute()
  }
}

type GrantRow = {
  id: string
  subject: string
  servers_json: string | null
  tools_json: string | null
  virtual_server: string | null
}

const storedServers = grantSchema.shape.servers
const storedTools = grantSchema.shape.tools

function asGrant({ id, subject, servers_json, tools_json, virtual_server }: GrantRow): Grant {
  const tools: ToolScope = tools_json === null ? 'all' : (storedTools.parse(JSON.parse(tools_json)) ?? 'all')
  return {
    id,
    subject,
    servers: servers_json === null ? undefined : storedServers.parse(JSON.parse(servers_json)),
    tools,
    ...(virtual_server !== null && { virtualServer: virtual_server }),
  }
}
