import { z } from 'zod'
import { fail } from '../foundation/errors.ts'
import { newId } from '../foundation/id.ts'
import { type Route, route } from '../foundation/route.ts'
import { freeOfBounds } from './providers/bounds.ts'
import { keepBoundTeam } from './providers/changes.ts'
import { change, forget, type Room, removal } from './room.ts'
import { emailSchema, isoTime, listed, listOf, nameSchema, teamView } from './schemas.ts'
import {
  deleteMember,
  deleteTeam,
  type From,
  insertMember,
  insertTeam,
  type Membership,
  memberships,
  type Team,
  teamByName,
  teams,
} from './table.ts'
import { knownUser } from './users.ts'

const byName = z.object({ name: nameSchema })
const byNameAndEmail = z.object({ name: nameSchema, email: emailSchema })

type WantedTeam = { name: string; members: readonly string[] }

async function knownTeam(from: From, name: string): Promise<Team> {
  return (await teamByName(from, name)) ?? fail('identity.unknown', { why: `There is no team ${name}.` })
}

/** Creates the team if need be, and makes these all that were put into it by hand. What claims give, and people within bounds, stay. */
export async function putTeam(tx: From, { name, members }: WantedTeam, now: number): Promise<void> {
  const id = (await teamByName(tx, name))?.id ?? newId(now)
  if ((await teamByName(tx, name)) === undefined) await insertTeam(tx, { id, name, created_at: now })
  for (const { email } of await byHandIn(tx, name))
    await deleteMember(tx, id, (await knownUser(tx, email)).id)
  for (const email of members) await insertMember(tx, id, (await knownUser(tx, email)).id)
}

export async function removeTeam(room: Pick<Room, 'namers'>, tx: From, name: string): Promise<void> {
  await keepBoundTeam(tx, name)
  await deleteTeam(tx, (await knownTeam(tx, name)).id)
  await forget(room, tx, `team:${name}`)
}

async function byHandIn(from: From, team: string): Promise<Membership[]> {
  const isFree = await freeOfBounds(from)
  return (await memberships(from)).filter(member => member.team === team && isByHand(member, isFree))
}

function isByHand({ given_by, provider_id }: Membership, isFree: (id: string | null) => boolean): boolean {
  return given_by === 'hand' && isFree(provider_id)
}

type WithMembers = Team & { readonly members: string[]; readonly byHand: string[] }

export async function teamsWithMembers(from: From): Promise<WithMembers[]> {
  const isFree = await freeOfBounds(from)
  const all = Map.groupBy(await memberships(from), member => member.team)
  return (await teams(from)).map(team => {
    const members = all.get(team.name) ?? []
    const byHand = members.filter(member => isByHand(member, isFree))
    const emails = (some: readonly Membership[]) => some.map(({ email }) => email)
    return { ...team, members: emails(members), byHand: emails(byHand) }
  })
}

function view({ id, name, members, created_at }: Team & { members: string[] }): z.infer<typeof teamView> {
  return { id, name, members, createdAt: isoTime(created_at) }
}

async function oneTeam(from: From, name: string): Promise<z.infer<typeof teamView>> {
  const team = (await teamsWithMembers(from)).find(it => it.name === name)
  return team === undefined ? fail('identity.unknown', { why: `There is no team ${name}.` }) : view(team)
}

export function teamRoutes(room: Room): Route[] {
  return [
    listTeams(room),
    createTeam(room),
    getTeam(room),
    deleteTeamRoute(room),
    addMember(room),
    removeMember(room),
  ]
}

function listTeams({ database: { kysely } }: Room): Route {
  return route({
    method: 'GET',
    path: '/api/v1/teams',
    summary: 'List teams with their members',
    entry: 'auditor',
    answer: listOf(teamView),
    act: async () => listed((await teamsWithMembers(kysely)).map(view), 'No team has been created yet.'),
  })
}

function createTeam(room: Room): Route {
  return route({
    method: 'POST',
    path: '/api/v1/teams',
    summary: 'Create a team',
    entry: 'admin',
    status: 201,
    body: z.strictObject({ name: nameSchema, members: z.array(emailSchema).max(1000).default([]) }),
    answer: teamView,
    act({ caller, requestId, body }) {
      const act = { caller, requestId, action: 'identity.create_team', target: `team:${body.name}` } as const
      return change(room, { ...act, detail: { members: body.members } }, async tx => {
        if (await teamByName(tx, body.name)) fail('http.conflict', { why: `The team ${body.name} exists.` })
        await putTeam(tx, body, room.clock.now())
        return oneTeam(tx, body.name)
      })
    },
  })
}

function getTeam({ database: { kysely } }: Room): Route {
  return route({
    method: 'GET',
    path: '/api/v1/teams/{name}',
    summary: 'Show a team',
    entry: 'auditor',
    params: byName,
    answer: teamView,
    act: ({ params }) => oneTeam(kysely, params.name),
  })
}

function deleteTeamRoute(room: Room): Route {
  return route({
    method: 'DELETE',
    path: '/api/v1/teams/{name}',
    summary: 'Delete a team; its members stay users',
    entry: 'admin',
    params: byName,
    act({ caller, requestId, params: { name } }) {
      const act = { caller, requestId, action: 'identity.delete_team', target: `team:${name}` } as const
      return removal(room, act, tx => removeTeam(room, tx, name))
    },
  })
}

function addMember(room: Room): Route {
  return route({
    method: 'PUT',
    path: '/api/v1/teams/{name}/members/{email}',
    summary: 'Put a user into a team',
    entry: 'admin',
    params: byNameAndEmail,
    act({ caller, requestId, params: { name, email } }) {
      const act = { caller, requestId, action: 'identity.add_member', target: `team:${name}` } as const
      return change(room, { ...act, detail: { member: email } }, async tx => {
        const team = await knownTeam(tx, name)
        await insertMember(tx, team.id, (await knownUser(tx, email)).id)
      })
    },
  })
}

function removeMember(room: Room): Route {
  return route({
    method: 'DELETE',
    path: '/api/v1/teams/{name}/members/{email}',
    summary: 'Take a user out of a team',
    entry: 'admin',
    params: byNameAndEmail,
    act({ caller, requestId, params: { name, email } }) {
      const act = { caller, requestId, action: 'identity.remove_member', target: `team:${name}` } as const
      return change(room, { ...act, detail: { member: email } }, async tx => {
        const team = await knownTeam(tx, name)
        const wasMember = await deleteMember(tx, team.id, (await knownUser(tx, email)).id)
        if (!wasMember) fail('identity.unknown', { why: `${email} is not in the team ${name}.` })
      })
    },
  })
}
