/** Groups as an identity provider provisions them: each is a team. Members that a person or the manifest gave are left alone. */
import { fail } from '../../foundation/errors.ts'
import { newId } from '../../foundation/id.ts'
import { teamOf } from '../providers/claims.ts'
import type { IdentityProvider } from '../providers/provider.ts'
import { type By, changeToldAfter, type Room } from '../room.ts'
import { nameSchema } from '../schemas.ts'
import { type From, insertMember, insertTeam, type Team, teamByName } from '../table.ts'
import { removeTeam } from '../teams.ts'
import { checkVersion, type Known, unknownHere } from './people.ts'
import {
  deleteScimGroup,
  deleteScimMembers,
  insertScimGroup,
  otherMembers,
  type ScimGroupRow,
  scimGroupOf,
  scimGroups,
  scimMemberships,
  scimTeamName,
  scimUsers,
  updateScimGroup,
} from './scim-table.ts'

export type ProvisionedGroup = {
  /** The team's id. */
  readonly id: string
  readonly displayName: string
  readonly externalId: string | undefined
  readonly members: readonly { readonly id: string; readonly name: string }[]
  readonly version: number
  readonly createdAt: number
  readonly updatedAt: number
}

export type WantedGroup = Pick<ProvisionedGroup, 'displayName' | 'externalId'> & {
  /** Ids of users. */
  readonly members: readonly string[]
}

type Memberships = Awaited<ReturnType<typeof scimMemberships>>

export function asGroup(row: ScimGroupRow, memberships: Memberships): ProvisionedGroup {
  return {
    id: row.team_id,
    displayName: row.display_name,
    version: row.version,
    externalId: row.external_id ?? undefined,
    members: memberships
      .filter(({ team_id }) => team_id === row.team_id)
      .map(({ user_id, user_name }) => ({ id: user_id, name: user_name })),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}

async function findGroup(
  from: From,
  { id: providerId }: IdentityProvider,
  id: string,
): Promise<ScimGroupRow> {
  const [row] = await scimGroups(from, providerId, { id })
  return row ?? unknownHere('group')
}

async function oneGroup(from: From, provider: IdentityProvider, id: string): Promise<ProvisionedGroup> {
  return asGroup(await findGroup(from, provider, id), await scimMemberships(from, provider.id))
}

export function createGroup(
  room: Room,
  provider: IdentityProvider,
  wanted: WantedGroup,
  by: By,
): Promise<ProvisionedGroup> {
  return changeToldAfter(room, async tx => {
    await checkFree(tx, provider, wanted)
    const now = room.clock.now()
    const team = await teamFor(tx, provider, wanted.displayName, now)
    await insertScimGroup(tx, {
      team_id: team.id,
      provider_id: provider.id,
      display_name: wanted.displayName,
      external_id: wanted.externalId ?? null,
      version: 1,
      created_at: now,
      updated_at: now,
    })
    await setMembers(tx, provider, team.id, wanted.members)
    return { answer: await oneGroup(tx, provider, team.id), act: actOf(by, provider, team.name, wanted) }
  })
}

/** The team keeps its name, which grants are written with, whatever the group is called later. */
export function replaceGroup(
  room: Room,
  provider: IdentityProvider,
  { id, version, ...wanted }: WantedGroup & Known,
  by: By,
): Promise<ProvisionedGroup> {
  return changeToldAfter(room, async tx => {
    checkVersion(await findGroup(tx, provider, id), version)
    await checkFree(tx, provider, { ...wanted, id })
    await updateScimGroup(tx, id, {
      display_name: wanted.displayName,
      external_id: wanted.externalId ?? null,
      version: version + 1,
      updated_at: room.clock.now(),
    })
    await setMembers(tx, provider, id, wanted.members)
    const name = await scimTeamName(tx, id)
    return { answer: await oneGroup(tx, provider, id), act: actOf(by, provider, name, wanted) }
  })
}

/** Its members leave; the team itself goes unless somebody else put people into it. */
export async function deprovisionGroup(
  room: Room,
  provider: IdentityProvider,
  id: string,
  by: By,
): Promise<void> {
  await changeToldAfter(room, async tx => {
    const { team_id } = await findGroup(tx, provider, id)
    const name = await scimTeamName(tx, team_id)
    await setMembers(tx, provider, team_id, [])
    const isKept = (await otherMembers(tx, team_id)) > 0
    if (isKept) await deleteScimGroup(tx, team_id)
    else await removeTeam(room, tx, name)
    const detail = { provider: provider.name, did: isKept ? 'leave' : 'delete' }
    return {
      answer: undefined,
      act: { ...by, action: 'identity.deprovision_group', target: `team:${name}`, detail },
    }
  })
  for (const namer of room.namers) await namer.refresh()
}

function actOf(by: By, provider: IdentityProvider, team: string, { displayName, members }: WantedGroup) {
  const detail = { provider: provider.name, displayName, members: members.length }
  return { ...by, action: 'identity.provision_group', target: `team:${team}`, detail } as const
}

async function checkFree(
  from: From,
  { id: providerId }: IdentityProvider,
  { id, displayName, externalId }: WantedGroup & { id?: string },
): Promise<void> {
  const keys = [{ displayName }, ...(externalId === undefined ? [] : [{ externalId }])]
  for (const key of keys) {
    const others = (await scimGroups(from, providerId, key)).filter(row => row.team_id !== id)
    if (others.length > 0)
      fail('http.conflict', {
        why: `There is a group of this ${Object.keys(key)[0]} already.`,
        fix: 'Update that one.',
      })
  }
}

/**
 * The team of a group: the one the provider's mapping names, which may be there already; otherwise one of the group's name,
 * which must not, for what was granted to a team that people made is not for a provider to hand out.
 */
async function teamFor(
  tx: From,
  provider: IdentityProvider,
  displayName: string,
  now: number,
): Promise<Team> {
  const mapped = teamOf(provider, displayName)
  const name = mapped ?? slug(displayName)
  if (!nameSchema.safeParse(name).success)
    fail('http.bad_request', {
      why: `No team can be named after the group ${JSON.stringify(displayName.slice(0, 100))}.`,
      fix: 'Map the group to a team in the settings of the identity provider.',
    })
  const known = await teamByName(tx, name)
  if (known === undefined) {
    const team = { id: newId(now), name, created_at: now }
    await insertTeam(tx, team)
    return team
  }
  if (mapped !== undefined && (await scimGroupOf(tx, known.id)) === undefined) return known
  return fail('http.conflict', {
    why: `There is a team ${name} already.`,
    fix: `To let ${provider.name} provision it, map the group to the team in the settings of the identity provider.`,
  })
}

async function setMembers(
  tx: From,
  { id: providerId }: IdentityProvider,
  teamId: string,
  wanted: readonly string[],
): Promise<void> {
  const theirs = new Set((await scimUsers(tx, providerId)).map(({ user_id }) => user_id))
  const strangers = wanted.filter(id => !theirs.has(id))
  if (strangers.length > 0)
    fail('http.bad_request', { why: `${strangers.length} of the members are no users of this provider.` })
  const present = (await scimMemberships(tx, providerId)).filter(({ team_id }) => team_id === teamId)
  const gone = present.map(({ user_id }) => user_id).filter(id => !wanted.includes(id))
  await deleteScimMembers(tx, teamId, gone)
  for (const userId of wanted) await insertMember(tx, teamId, userId, 'scim')
}

function slug(displayName: string): string {
  const words = displayName.toLowerCase().replace(/[^a-z0-9]+/g, '-')
  return words.slice(0, 64).replace(/^-|-$/g, '')
}
