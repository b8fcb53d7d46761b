import type { Kysely, Transaction } from 'kysely'
import { z } from 'zod'
import type { Tables } from '../database/index.ts'
import {
  type StoredAuth,
  type StoredTransport,
  toolPolicySchema,
  transportSchema,
  type Upstream,
} from './upstream.ts'

const sealedValues = z.record(z.string(), z.object({ sealed: z.string(), text: z.string() }))
const [streamableHttp, sse, stdio] = transportSchema.options

const storedTransport: z.ZodType<StoredTransport> = z.discriminatedUnion('kind', [
  streamableHttp,
  sse,
  stdio.extend({ env: sealedValues }),
])
const storedAuth: z.ZodType<StoredAuth> = z
  .object({
    kind: z.string(),
    settings: z.record(z.string(), z.unknown()).default({}),
    secrets: sealedValues.default({}),
    // As it was written before there were kinds with settings.
    headers: sealedValues.optional(),
  })
  .transform(({ headers = {}, secrets, ...auth }) => {
    const named = Object.entries(headers).map(([name, value]) => [`headers.${name}`, value] as const)
    return { ...auth, secrets: { ...secrets, ...Object.fromEntries(named) } }
  })

/** All servers, in order of group and name. */
export async function readServers(database: Kysely<Tables>): Promise<Upstream[]> {
  const rows = await database
    .selectFrom('servers')
    .innerJoin('server_groups', 'server_groups.id', 'servers.group_id')
    .selectAll('servers')
    .select('server_groups.name as group')
    .orderBy('server_groups.name')
    .orderBy('servers.name')
    .execute()
  return rows.map(row => ({
    id: row.id,
    group: row.group,
    name: row.name,
    description: row.description,
    transport: storedTransport.parse(JSON.parse(row.transport_json)),
    auth: storedAuth.parse(JSON.parse(row.auth_json)),
    policy: toolPolicySchema.parse(JSON.parse(row.tool_policy_json)),
    version: row.version,
  }))
}

export async function readServer(
  database: Kysely<Tables>,
  { group, name }: { group: string; name: string },
): Promise<Upstream | undefined> {
  return (await readServers(database)).find(server => server.group === group && server.name === name)
}

export async function groupExists(database: Kysely<Tables>, name: string): Promise<boolean> {
  const row = await database
    .selectFrom('server_groups')
    .select('id')
    .where('name', '=', name)
    .executeTakeFirst()
  return row !== undefined
}

export async function countServers(database: Kysely<Tables>, groupId: string): Promise<number> {
  const ids = await database.selectFrom('servers').select('id').where('group_id', '=', groupId).execute()
  return ids.length
}

/** Throws where there is no such group; look first. */
export async function insertServer(tx: Transaction<Tables>, server: Upstream): Promise<void> {
  const now = Date.now()
  await tx
    .insertInto('servers')
    .values(from => ({
      id: server.id,
      group_id: from.selectFrom('server_groups').select('id').where('name', '=', server.group),
      name: server.name,
      ...columns(server),
      created_at: now,
      updated_at: now,
    }))
    .execute()
}

export async function updateServer(tx: Transaction<Tables>, server: Upstream): Promise<void> {
  await tx
    .updateTable('servers')
    .set({ ...columns(server), updated_at: Date.now() })
    .where('id', '=', server.id)
    .execute()
}

/** Its facts and catalogue go with it. */
export async function deleteServer(tx: Transaction<Tables>, id: string): Promise<void> {
  await tx.deleteFrom('servers').where('id', '=', id).execute()
}

function columns({ description, transport, auth, policy, version }: Upstream) {
  return {
    description,
    transport_json: JSON.stringify(transport),
    auth_json: JSON.stringify(auth),
    tool_policy_json: JSON.stringify(policy),
    version,
  }
}
