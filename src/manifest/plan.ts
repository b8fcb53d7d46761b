/** From what is there and what is wanted to steps, in an order in which they work. */
import type { Transaction } from 'kysely'
import { type GroupInput, normalGroup, type PolicyInput } from '../access/index.ts'
import type { Tables } from '../database/index.ts'
import type { Caller } from '../foundation/route.ts'
import type { DeclaredAccount, DeclaredTeam, DeclaredUser, StoredProvider } from '../identity/index.ts'
import { type DeclaredVirtual, declared } from '../servers/index.ts'
import type { Upstream } from '../upstreams/index.ts'
import { changedSecret, changedSecrets, type Difference, differences } from './differences.ts'
import { type Doomed, type Named, nameOf } from './prune.ts'
import type { Manifest } from './schema.ts'
import type { Rooms, State } from './state.ts'
import { normalVirtual, serversAfter, virtualDifferences } from './virtual-servers.ts'

type Tx = Transaction<Tables>

/** What applying does to one thing. */
export type PlanEntry = {
  readonly action: 'create' | 'update' | 'delete' | 'keep'
  readonly kind:
    | 'identityProvider'
    | 'user'
    | 'team'
    | 'virtualAccount'
    | 'group'
    | 'server'
    | 'virtualServer'
    | 'tool'
    | 'policy'
  /** E-mail of a user, `group/server`, `group/server tool`, name of anything else. */
  readonly name: string
  /** For updates. */
  readonly changes: readonly Difference[]
}

export type Step = {
  readonly entry: PlanEntry
  /** Steps that make an admin go first: the last one may only step down after them. */
  readonly makesAdmin: boolean
  run(tx: Tx): Promise<void>
}

/** One section of the manifest: what its things are called, how they compare, and how they are written. */
type Trade<Thing> = {
  readonly kind: PlanEntry['kind']
  readonly before: readonly Thing[]
  readonly wanted: readonly Thing[]
  readonly doomed: ReadonlySet<string>
  compare(before: Thing, wanted: Thing): readonly Difference[]
  put(tx: Tx, thing: Thing): Promise<void>
  remove(tx: Tx, thing: Thing): Promise<void>
}

type Wanted = {
  readonly manifest: Manifest
  /** The servers of the manifest. */
  readonly servers: readonly Upstream[]
  readonly identityProviders: readonly StoredProvider[]
  readonly caller: Caller
}

/** Creations and updates by section and name, then deletions in the other direction, so that nothing is named before it is there. */
export function planSteps(rooms: Rooms, state: State, wanted: Wanted, doomed: Doomed): Step[] {
  const { identity, register } = rooms
  const { manifest, servers } = wanted
  const parts = [
    providerSteps(rooms, state, wanted, doomed),
    stepsOf<DeclaredUser>({
      doomed: doomed.users,
      kind: 'user',
      before: state.users.map(({ email, role }) => ({ email, role })),
      wanted: manifest.users ?? [],
      compare: differences,
      put: identity.putUser,
      remove: (tx, { email }) => identity.removeUser(tx, email),
    }),
    stepsOf<DeclaredTeam>({
      doomed: doomed.teams,
      kind: 'team',
      before: state.teams.map(normalTeam),
      wanted: (manifest.teams ?? []).map(normalTeam),
      compare: differences,
      put: identity.putTeam,
      remove: (tx, { name }) => identity.removeTeam(tx, name),
    }),
    stepsOf<DeclaredAccount>({
      doomed: doomed.virtualAccounts,
      kind: 'virtualAccount',
      before: state.virtualAccounts,
      wanted: manifest.virtualAccounts ?? [],
      compare: differences,
      put: identity.putAccount,
      remove: (tx, { name }) => identity.removeAccount(tx, name),
    }),
    groupSteps(rooms, state, manifest, doomed),
    stepsOf<Upstream>({
      doomed: doomed.servers,
      kind: 'server',
      before: state.servers,
      wanted: servers,
      compare: (before, wanted) => [
        ...differences(register.manifest.show(before), register.manifest.show(wanted)),
        ...changedSecrets(before, wanted),
      ],
      put: register.manifest.put,
      remove: register.manifest.remove,
    }),
    virtualSteps(rooms, state, wanted, doomed),
    policySteps(rooms, state, manifest, doomed),
  ]
  return [...parts.flatMap(({ puts }) => puts), ...parts.toReversed().flatMap(({ removals }) => removals)]
}

function providerSteps({ identity }: Rooms, state: State, wanted: Wanted, doomed: Doomed) {
  return stepsOf<StoredProvider>({
    doomed: doomed.identityProviders,
    kind: 'identityProvider',
    before: state.identityProviders,
    wanted: wanted.identityProviders,
    compare: (before, after) => [
      ...differences(before.input, after.input),
      ...changedSecret('clientSecret', before.secret, after.secret),
    ],
    put: identity.putProvider,
    remove: (tx, { name }) => identity.removeProvider(tx, name),
  })
}

function virtualSteps({ servers: room }: Rooms, state: State, wanted: Wanted, doomed: Doomed) {
  const { manifest, servers, caller } = wanted
  const after = serversAfter(state, servers, doomed)
  return stepsOf<DeclaredVirtual>({
    doomed: doomed.virtualServers,
    kind: 'virtualServer',
    before: state.virtualServers.map(normalVirtual),
    wanted: (manifest.virtualServers ?? []).map(declared).map(normalVirtual),
    compare: virtualDifferences,
    put: (tx, thing) => room.manifest.put(tx, thing, { by: caller, servers: after }),
    remove: room.manifest.remove,
  })
}

function groupSteps({ access }: Rooms, state: State, manifest: Manifest, doomed: Doomed) {
  return stepsOf<GroupInput>({
    doomed: doomed.groups,
    kind: 'group',
    before: state.groups.map(normalGroup),
    wanted: (manifest.groups ?? []).map(normalGroup),
    compare: differences,
    put: access.putGroup,
    remove: (tx, { name }) => access.removeGroup(tx, name),
  })
}

function policySteps({ access }: Rooms, state: State, manifest: Manifest, doomed: Doomed) {
  return stepsOf<PolicyInput>({
    doomed: doomed.policies,
    kind: 'policy',
    before: state.policies,
    wanted: manifest.policies ?? [],
    compare: differences,
    put: access.policies.put,
    remove: (tx, { name }) => access.policies.remove(tx, name),
  })
}

function stepsOf<Thing extends Named>(trade: Trade<Thing>) {
  const { kind, before, wanted, doomed, compare, put, remove } = trade
  const known = new Map(before.map(thing => [nameOf(thing), thing]))
  const puts = wanted.toSorted(byName).map((thing): Step => {
    const name = nameOf(thing)
    const present = known.get(name)
    const changes = present === undefined ? [] : compare(present, thing)
    const action = present === undefined ? 'create' : changes.length > 0 ? 'update' : 'keep'
    return {
      entry: { action, kind, name, changes },
      makesAdmin: 'role' in thing && thing.role === 'admin',
      run: async tx => (action === 'keep' ? undefined : put(tx, thing)),
    }
  })
  const removals = before
    .filter(thing => doomed.has(nameOf(thing)))
    .toSorted(byName)
    .map(
      (thing): Step => ({
        entry: { action: 'delete', kind, name: nameOf(thing), changes: [] },
        makesAdmin: false,
        run: tx => remove(tx, thing),
      }),
    )
  return { puts, removals }
}

function byName(a: Named, b: Named): number {
  return nameOf(a) < nameOf(b) ? -1 : 1
}

function normalTeam<Team extends { members: readonly string[] }>(team: Team): Team {
  return { ...team, members: [...new Set(team.members)].sort() }
}
