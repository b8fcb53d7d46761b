/** Groups as the manifest has them: written whole, compared regardless of order. */
import type { Kysely, Transaction } from 'kysely'
import type { Tables } from '../database/index.ts'
import { fail } from '../foundation/errors.ts'
import { canonical } from '../foundation/json.ts'
import type { Grant } from './decide.ts'
import type { GrantInput, GroupInput } from './scope.ts'
import {
  deleteGrant,
  deleteManager,
  describeGroup,
  type Group,
  insertGrant,
  insertGroup,
  insertManager,
  readGroups,
} from './table.ts'

/** One way to write each group, so that two that mean the same are the same: everything sorted, nothing twice. */
export function normalGroup({ name, description, managers, access }: GroupInput): GroupInput {
  const grants = new Map(access.map(normalGrant).map(grant => [canonical(grant), grant]))
  return {
    name,
    description,
    managers: sorted(managers),
    access: [...grants].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, grant]) => grant),
  }
}

function normalGrant({ subject, servers, tools }: GrantInput): GrantInput {
  return {
    subject,
    ...(servers !== undefined && { servers: sorted(servers) }),
    ...(tools !== undefined && { tools: tools === 'readOnly' ? tools : sorted(tools) }),
  }
}

function sorted(texts: readonly string[]): string[] {
  return [...new Set(texts)].sort()
}

export function asGrantInput({ subject, servers, tools }: Grant): GrantInput {
  return normalGrant({
    subject,
    ...(servers !== undefined && { servers: [...servers] }),
    ...(tools !== 'all' && { tools: tools === 'readOnly' ? tools : [...tools] }),
  })
}

export async function readGroupInputs(database: Kysely<Tables>): Promise<GroupInput[]> {
  const groups = await readGroups(database)
  return groups.map(({ name, description, managers, grants }) =>
    normalGroup({
      name,
      description,
      managers: [...managers],
      access: grants.filter(isOfGroup).map(asGrantInput),
    }),
  )
}

function isOfGroup({ virtualServer }: Grant): boolean {
  return virtualServer === undefined
}

/** Makes the own grants of a virtual server exactly these. Throws `access.not_found` where there is no such group. */
export async function putOwnGrants(
  tx: Transaction<Tables>,
  { group, name }: { group: string; name: string },
  access: readonly Omit<GrantInput, 'servers'>[],
): Promise<void> {
  const present = (await readGroups(tx)).find(each => each.name === group)
  if (present === undefined) return fail('access.not_found')
  const own = present.grants.filter(({ virtualServer }) => virtualServer === name)
  const wanted = access.map(grant => normalGrant({ ...grant, servers: [name] }))
  await putGrants(tx, { id: present.id, virtualServer: name }, own, wanted)
}

/** The own grants of all virtual servers by `group/server`, each as its manifest has them. */
export async function readOwnGrants(
  database: Kysely<Tables>,
): Promise<ReadonlyMap<string, Omit<GrantInput, 'servers'>[]>> {
  const own = (await readGroups(database)).flatMap(({ name, grants }) =>
    grants.flatMap(grant => {
      const { servers, ...given } = asGrantInput(grant)
      return grant.virtualServer === undefined ? [] : [{ place: `${name}/${grant.virtualServer}`, given }]
    }),
  )
  const byPlace = Map.groupBy(own, ({ place }) => place)
  return new Map([...byPlace].map(([place, each]) => [place, each.map(({ given }) => given)]))
}

/** Makes the group exactly this. Grants that stay keep their ids, which audit events name. */
export async function putGroup(tx: Transaction<Tables>, input: GroupInput): Promise<void> {
  const wanted = normalGroup(input)
  const present = (await readGroups(tx)).find(group => group.name === wanted.name)
  const id = present?.id ?? (await insertGroup(tx, wanted))
  if (present !== undefined) await describeGroup(tx, id, wanted.description)
  await putManagers(tx, id, present?.managers ?? [], wanted.managers)
  await putGrants(tx, { id }, (present?.grants ?? []).filter(isOfGroup), wanted.access)
}

async function putManagers(
  tx: Transaction<Tables>,
  id: string,
  present: Group['managers'],
  wanted: readonly string[],
): Promise<void> {
  for (const subject of present) if (!wanted.includes(subject)) await deleteManager(tx, id, subject)
  for (const subject of wanted) if (!present.includes(subject)) await insertManager(tx, id, subject)
}

async function putGrants(
  tx: Transaction<Tables>,
  { id, virtualServer }: { id: string; virtualServer?: string },
  present: readonly Grant[],
  wanted: readonly GrantInput[],
): Promise<void> {
  const missing = new Map(wanted.map(grant => [canonical(grant), grant]))
  for (const grant of present)
    if (!missing.delete(canonical(asGrantInput(grant)))) await deleteGrant(tx, id, grant.id)
  for (const grant of missing.values()) await insertGrant(tx, id, grant, virtualServer)
}
