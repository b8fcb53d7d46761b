/** The SQL of identity providers and of who people are to them. */
import type { Insertable, Selectable, Updateable } from 'kysely'
import type { Tables } from '../../database/index.ts'
import type { From, User } from '../table.ts'

export type ProviderRow = Selectable<Tables['identity_providers']>
export type Linked = Selectable<Tables['linked_identities']>

/** Also those that were removed and have people still. */
export function providerRows(from: From): Promise<ProviderRow[]> {
  return from.selectFrom('identity_providers').selectAll().orderBy('name').execute()
}

export function providerById(from: From, id: string): Promise<ProviderRow | undefined> {
  return from.selectFrom('identity_providers').selectAll().where('id', '=', id).executeTakeFirst()
}

export function providerByName(from: From, name: string): Promise<ProviderRow | undefined> {
  return from
    .selectFrom('identity_providers')
    .selectAll()
    .where('name', '=', name)
    .where('removed_at', 'is', null)
    .executeTakeFirst()
}

/** Also one that was removed. */
export function providerByIssuer(from: From, issuer: string): Promise<ProviderRow | undefined> {
  return from.selectFrom('identity_providers').selectAll().where('issuer', '=', issuer).executeTakeFirst()
}

export async function insertProvider(tx: From, row: Insertable<Tables['identity_providers']>): Promise<void> {
  await tx.insertInto('identity_providers').values(row).execute()
}

export async function updateProvider(
  tx: From,
  id: string,
  set: Updateable<Tables['identity_providers']>,
): Promise<void> {
  await tx.updateTable('identity_providers').set(set).where('id', '=', id).execute()
}

export async function deleteProvider(tx: From, id: string): Promise<void> {
  await tx.deleteFrom('identity_providers').where('id', '=', id).execute()
}

export function usersOfProvider(from: From, providerId: string): Promise<User[]> {
  return from.selectFrom('users').selectAll().where('provider_id', '=', providerId).orderBy('email').execute()
}

/** What each is called, by its id; one that was removed by its issuer. */
export async function providerNames(from: From): Promise<ReadonlyMap<string, string>> {
  const rows = await providerRows(from)
  return new Map(rows.map(({ id, name, issuer, removed_at }) => [id, removed_at === null ? name : issuer]))
}

/** The providers of these users, by name; those who come from none are not in it. */
export async function providerNamesOf(
  from: From,
  userIds: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const names = await providerNames(from)
  const found = new Map<string, string>()
  for (let at = 0; at < userIds.length; at += mostInOneQuestion) {
    const rows = await from
      .selectFrom('users')
      .select(['id', 'provider_id'])
      .where('id', 'in', userIds.slice(at, at + mostInOneQuestion))
      .execute()
    for (const { id, provider_id } of rows) {
      const name = provider_id === null ? undefined : names.get(provider_id)
      if (name !== undefined) found.set(id, name)
    }
  }
  return found
}

const mostInOneQuestion = 1000

/** How many people come from each, by its id. */
export async function peopleByProvider(from: From): Promise<ReadonlyMap<string, number>> {
  const rows = await from
    .selectFrom('users')
    .select(['provider_id', row => row.fn.countAll<number | string>().as('people')])
    .where('provider_id', 'is not', null)
    .groupBy('provider_id')
    .execute()
  return new Map(rows.map(({ provider_id, people }) => [provider_id ?? '', Number(people)]))
}

export function linkedIdentity(from: From, issuer: string, subject: string): Promise<Linked | undefined> {
  return from
    .selectFrom('linked_identities')
    .selectAll()
    .where('issuer', '=', issuer)
    .where('subject', '=', subject)
    .executeTakeFirst()
}

export function linkedIdentitiesOf(from: From, userId: string): Promise<Linked[]> {
  return from.selectFrom('linked_identities').selectAll().where('user_id', '=', userId).execute()
}

export async function insertLinked(tx: From, row: Insertable<Tables['linked_identities']>): Promise<void> {
  await tx.insertInto('linked_identities').values(row).execute()
}

export async function updateLinked(
  tx: From,
  { issuer, subject }: Pick<Linked, 'issuer' | 'subject'>,
  set: Updateable<Tables['linked_identities']>,
): Promise<void> {
  await tx
    .updateTable('linked_identities')
    .set(set)
    .where('issuer', '=', issuer)
    .where('subject', '=', subject)
    .execute()
}

/** The teams somebody is in, with who gave it. */
export function membershipsOf(
  from: From,
  userId: string,
): Promise<{ id: string; name: string; given_by: Tables['team_members']['given_by'] }[]> {
  return from
    .selectFrom('team_members')
    .innerJoin('teams', 'teams.id', 'team_members.team_id')
    .select(['teams.id', 'teams.name', 'team_members.given_by'])
    .where('team_members.user_id', '=', userId)
    .orderBy('teams.name')
    .execute()
}
