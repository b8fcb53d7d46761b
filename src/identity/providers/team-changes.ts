/** Teams as claims give and take them. What a person, the manifest or SCIM gave is left alone. */
import { newId } from '../../foundation/id.ts'
import { deleteMember, type From, insertMember, insertTeam, teamByName } from '../table.ts'
import type { Said } from './claims.ts'
import type { IdentityProvider } from './provider.ts'
import { membershipsOf } from './provider-table.ts'

export type TeamChanges = { readonly added: readonly string[]; readonly removed: readonly string[] }

const nothing: TeamChanges = { added: [], removed: [] }

/** Claims that say nothing of groups change nothing; claims that name none take all that claims gave. */
export async function teamChanges(
  from: From,
  { bound }: Pick<IdentityProvider, 'bound'>,
  { teams }: Pick<Said, 'teams'>,
  userId: string | undefined,
): Promise<TeamChanges> {
  const wanted = bound !== undefined && 'team' in bound ? [bound.team] : teams
  if (wanted === undefined) return nothing
  const present = userId === undefined ? [] : await membershipsOf(from, userId)
  const names = new Set(present.map(({ name }) => name))
  return {
    added: wanted.filter(name => !names.has(name)),
    removed: present
      .filter(({ name, given_by }) => given_by === 'claims' && !wanted.includes(name))
      .map(({ name }) => name),
  }
}

export async function changeTeams(
  tx: From,
  { userId, now }: { readonly userId: string; readonly now: number },
  { added, removed }: TeamChanges,
): Promise<void> {
  for (const name of added) await insertMember(tx, await teamId(tx, name, now), userId, 'claims')
  for (const name of removed) await deleteMember(tx, await teamId(tx, name, now), userId)
}

/** A team that claims name is made when it is not there. */
async function teamId(tx: From, name: string, now: number): Promise<string> {
  const known = await teamByName(tx, name)
  if (known !== undefined) return known.id
  const id = newId(now)
  await insertTeam(tx, { id, name, created_at: now })
  return id
}
