/** The SQL of provisioning: what an identity provider keeps here, and nothing of another. */
import type { Insertable, Selectable, Updateable } from 'kysely'
import type { Tables } from '../../database/index.ts'
import type { From, User } from '../table.ts'

export type ScimUserRow = Selectable<Tables['scim_users']> & Pick<User, 'email' | 'disabled_at'>
export type ScimGroupRow = Selectable<Tables['scim_groups']>

/** What a user is looked up by; all of the provider without any. */
export type UserKey = { readonly id?: string; readonly userName?: string; readonly externalId?: string }

export function scimUsers(from: From, providerId: string, by: UserKey = {}): Promise<ScimUserRow[]> {
  let query = from
    .selectFrom('scim_users')
    .innerJoin('users', 'users.id', 'scim_users.user_id')
    .selectAll('scim_users')
    .select(['users.email', 'users.disabled_at'])
    .where('scim_users.provider_id', '=', providerId)
    .orderBy('scim_users.user_id')
  if (by.id !== undefined) query = query.where('scim_users.user_id', '=', by.id)
  if (by.userName !== undefined) query = query.where('scim_users.user_name', '=', by.userName)
  if (by.externalId !== undefined) query = query.where('scim_users.external_id', '=', by.externalId)
  return query.execute()
}

export async function insertScimUser(tx: From, row: Insertable<Tables['scim_users']>): Promise<void> {
  await tx.insertInto('scim_users').values(row).execute()
}

export async function updateScimUser(
  tx: From,
  userId: string,
  set: Updateable<Tables['scim_users']>,
): Promise<void> {
  await tx.updateTable('scim_users').set(set).where('user_id', '=', userId).execute()
}

export async function deleteScimUser(tx: From, userId: string): Promise<void> {
  await tx.deleteFrom('scim_users').where('user_id', '=', userId).execute()
}

export function scimUserOf(
  from: From,
  userId: string,
): Promise<Selectable<Tables['scim_users']> | undefined> {
  return from.selectFrom('scim_users').selectAll().where('user_id', '=', userId).executeTakeFirst()
}

/** What a group is looked up by; all of the provider without any. */
export type GroupKey = { readonly id?: string; readonly displayName?: string; readonly externalId?: string }

export function scimGroups(from: From, providerId: string, by: GroupKey = {}): Promise<ScimGroupRow[]> {
  let query = from
    .selectFrom('scim_groups')
    .selectAll()
    .where('provider_id', '=', providerId)
    .orderBy('team_id')
  if (by.id !== undefined) query = query.where('team_id', '=', by.id)
  if (by.displayName !== undefined) query = query.where('display_name', '=', by.displayName)
  if (by.externalId !== undefined) query = query.where('external_id', '=', by.externalId)
  return query.execute()
}

export function scimGroupOf(from: From, teamId: string): Promise<ScimGroupRow | undefined> {
  return from.selectFrom('scim_groups').selectAll().where('team_id', '=', teamId).executeTakeFirst()
}

export async function insertScimGroup(tx: From, row: Insertable<Tables['scim_groups']>): Promise<void> {
  await tx.insertInto('scim_groups').values(row).execute()
}

export async function updateScimGroup(
  tx: From,
  teamId: string,
  set: Updateable<Tables['scim_groups']>,
): Promise<void> {
  await tx.updateTable('scim_groups').set(set).where('team_id', '=', teamId).execute()
}

export async function deleteScimGroup(tx: From, teamId: string): Promise<void> {
  await tx.deleteFrom('scim_groups').where('team_id', '=', teamId).execute()
}

export async function scimTeamName(from: From, teamId: string): Promise<string> {
  const { name } = await from
    .selectFrom('teams')
    .select('name')
    .where('id', '=', teamId)
    .executeTakeFirstOrThrow()
  return name
}

/** Memberships that provisioning gave, between people and groups of one provider. */
export function scimMemberships(
  from: From,
  providerId: string,
): Promise<{ team_id: string; user_id: string; display_name: string; user_name: string }[]> {
  return from
    .selectFrom('team_members')
    .innerJoin('scim_groups', 'scim_groups.team_id', 'team_members.team_id')
    .innerJoin('scim_users', 'scim_users.user_id', 'team_members.user_id')
    .select([
      'team_members.team_id',
      'team_members.user_id',
      'scim_groups.display_name',
      'scim_users.user_name',
    ])
    .where('scim_groups.provider_id', '=', providerId)
    .where('scim_users.provider_id', '=', providerId)
    .where('team_members.given_by', '=', 'scim')
    .orderBy('team_members.team_id')
    .orderBy('team_members.user_id')
    .execute()
}

export async function deleteScimMembers(tx: From, teamId: string, userIds: readonly string[]): Promise<void> {
  for (const userId of userIds)
    await tx
      .deleteFrom('team_members')
      .where('team_id', '=', teamId)
      .where('user_id', '=', userId)
      .where('given_by', '=', 'scim')
      .execute()
}

/** Members that somebody else gave, who stay when the group goes. */
export async function otherMembers(from: From, teamId: string): Promise<number> {
  const rows = await from
    .selectFrom('team_members')
    .select('user_id')
    .where('team_id', '=', teamId)
    .where('given_by', '!=', 'scim')
    .execute()
  return rows.length
}
