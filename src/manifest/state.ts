/** What is there, in the shape of a manifest. */
import type { Kysely } from 'kysely'
import type { Access, GrantInput, GroupInput, PolicyInput } from '../access/index.ts'
import type { Tables } from '../database/index.ts'
import type { DeclaredPeople, Identity } from '../identity/index.ts'
import type { DeclaredVirtual, Servers } from '../servers/index.ts'
import type { Register, Upstream } from '../upstreams/index.ts'

export type Rooms = {
  readonly identity: Pick<
    Identity,
    | 'readDeclared'
    | 'composeProvider'
    | 'putProvider'
    | 'removeProvider'
    | 'putUser'
    | 'putTeam'
    | 'putAccount'
    | 'removeUser'
    | 'removeTeam'
    | 'removeAccount'
    | 'refresh'
  >
  readonly access: Pick<Access, 'readGroups' | 'putGroup' | 'removeGroup' | 'policies' | 'refresh'>
  readonly register: Pick<Register, 'manifest' | 'refresh'>
  readonly servers: Pick<Servers, 'manifest' | 'refresh'>
}

export type State = DeclaredPeople & {
  readonly groups: readonly GroupInput[]
  readonly servers: readonly Upstream[]
  readonly virtualServers: readonly DeclaredVirtual[]
  readonly policies: readonly PolicyInput[]
}

export async function readState(rooms: Rooms, database: Kysely<Tables>): Promise<State> {
  const people = await rooms.identity.readDeclared(database)
  const groups = await rooms.access.readGroups(database)
  const servers = await rooms.register.manifest.read(database)
  const virtualServers = await rooms.servers.manifest.read(database)
  const policies = await rooms.access.policies.readInputs(database)
  const isThere = subjectsOf(people)
  const named = [...servers, ...virtualServers]
  return {
    ...people,
    servers,
    policies,
    groups: groups.map(group => withoutLeftovers(group, isThere, named)),
    virtualServers: virtualServers.map(server => ({
      ...server,
      access: server.access.filter(({ subject }) => isThere(subject)),
    })),
  }
}

type IsThere = (subject: string) => boolean

function subjectsOf({ teams, virtualAccounts }: DeclaredPeople): IsThere {
  const known = new Set([
    ...teams.map(({ name }) => `team:${name}`),
    ...virtualAccounts.map(({ name }) => `account:${name}`),
  ])
  return subject => !/^(?:team|account):/.test(subject) || known.has(subject)
}

/** Grants may name a team or account before there is one, and outlive a server. They give nothing to anybody, so a manifest does not show them. */
function withoutLeftovers(
  group: GroupInput,
  isThere: IsThere,
  servers: readonly { readonly group: string; readonly name: string }[],
): GroupInput {
  const names = new Set(servers.filter(server => server.group === group.name).map(server => server.name))
  return {
    ...group,
    managers: group.managers.filter(isThere),
    access: group.access.filter(grant => isThere(grant.subject)).flatMap(grant => withServers(grant, names)),
  }
}

function withServers(grant: GrantInput, names: ReadonlySet<string>): GrantInput[] {
  if (grant.servers === undefined) return [grant]
  const servers = grant.servers.filter(server => names.has(server))
  return servers.length === 0 ? [] : [{ ...grant, servers }]
}
